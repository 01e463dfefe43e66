/* SPDX-License-Identifier: MIT
 *
 * Values out of a record's JSON body, for record_json.c: each judged by its rule and kept in the record's store. 0;
 * -EINVAL with the problem; -ENOMEM.
 */
#pragma once

#include "records/record_json.h"
#include "records/values.h"
#include "json/json_read.h"

struct reading {
	const char *tenant_id, *id;
	struct json_view body;
	const struct record_store *store;
	struct problem *problem;
};

#define FIELD(record, member, field_type, field_flags)                                                       \
	{                                                                                                    \
		.name = #member, .type = JSON_FIELD_##field_type, .offset = offsetof(struct record, member), \
		.flags = (field_flags)                                                                       \
	}
#define NEEDED JSON_FIELD_REQUIRED

#define TIME_LEFT_OUT INT64_MIN

int body_wrong(const struct reading *in, const char *field, const char *what, const char *remedy); /* -EINVAL */
int body_fields(const struct reading *in, struct json_view object, const struct json_field *fields, size_t count,
		void *out);
int body_keep(const struct reading *in, const char *text, const char **ret);
/* `text` NULL: left out, then "". */
int body_text(const struct reading *in, const char *field, enum value_kind kind, const char *text, const char **ret);
/* The same for what is to be wiped, and is never shown. */
int body_secret(const struct reading *in, const char *field, enum value_kind kind, const char *text, const char **ret);
int body_choice(const struct reading *in, const char *field, const char *const *words, const char *text,
		uint32_t *ret); /* left out: *ret stays */
int body_managed_id(const struct reading *in, const char *field, uint32_t value);
/* TIME_LEFT_OUT: *ret stays. */
int body_time(const struct reading *in, const char *field, int64_t time, int64_t *ret);
/* Room for a list, in the store. `ret_items` is the address of a pointer. */
int body_room(const struct reading *in, const char *field, size_t count, size_t size, void *ret_items);
/* `array` NULL: left out, then empty. */
int body_texts(const struct reading *in, const char *field, enum value_kind kind, json_t *array,
	       struct string_list *ret);
int body_cidrs(const struct reading *in, const char *field, json_t *array, struct cidr_list *ret);
