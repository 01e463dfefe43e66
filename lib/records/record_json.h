/* SPDX-License-Identifier: MIT
 *
 * Records as the feed's JSON bodies (docs/feed.md): the one reader that control plane and agent share. The control
 * plane reads back every body that it is about to sign, so it never signs a record that a host would refuse.
 *
 * Judges one record by itself: fields, forms, limits (values.h). References, blocks and duplicates are the
 * directory's matter, or the database's.
 */
#pragma once

#include <jansson.h>

#include "base/problem.h"
#include "records/records.h"
#include "json/json_read.h"

/* Where a record's texts and lists go. Both return NULL when out of memory. `text` may share equal texts. */
struct record_store {
	const char *(*text)(void *context, const char *text, size_t length);
	void *(*room)(void *context, size_t size); /* zeroed, aligned to 8 */
	void *context;
	/* As `text`, for what is to be wiped with the record; NULL: `text` does. */
	const char *(*secret)(void *context, const char *text, size_t length);
};

const char *record_kind_word(enum record_kind kind); /* "user", "token_key" */
/* -ENOENT: no such kind. */
int record_kind_parse(const char *word, enum record_kind *ret);
/* Is `id` of the form that this kind's ids have? */
bool record_id_valid(enum record_kind kind, const char *id);

/* Fills `record` (a struct of that kind, zeroed by the callee). `tenant_id` is the feed's. 0; -EINVAL with field and
 * remedy in the problem; -ENOMEM. */
int record_read(enum record_kind kind, const char *tenant_id, const char *id, struct json_view body,
		const struct record_store *store, void *record, struct problem *problem);
int record_read_json(enum record_kind kind, const char *tenant_id, const char *id, json_t *body,
		     const struct record_store *store, void *record, struct problem *problem);
