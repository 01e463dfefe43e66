/* SPDX-License-Identifier: MIT
 *
 * Strict JSON (RFC 8259) on jansson: UTF-8, no duplicate keys, bounded size and depth, no NUL in
 * strings, no unknown fields, typed fields into a plain struct.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/problem.h"
#include "json/json_flat.h"

/* Owning variables: _cleanup_(json_decrefp), which jansson itself declares. */

#define JSON_DEPTH_MAX 32

/* One value that fills the whole text. 0; -EBADMSG with the place in `problem`; -ENOMEM. */
int json_read(const char *data, size_t length, json_t **ret, struct problem *problem);

enum json_field_type {
	JSON_FIELD_STRING,  /* const char *: borrowed from the json_t */
	JSON_FIELD_BOOL,    /* bool */
	JSON_FIELD_U32,     /* uint32_t */
	JSON_FIELD_U64,     /* uint64_t, at most 2^63-1 */
	JSON_FIELD_I64,     /* int64_t */
	JSON_FIELD_OBJECT,  /* json_t *: borrowed */
	JSON_FIELD_ARRAY,   /* json_t *: borrowed */
	JSON_FIELD_STRINGS, /* json_t * array whose members are all strings: borrowed */
	JSON_FIELD_VIEW,    /* struct json_view of an object: borrowed */
};
#define JSON_FIELD_REQUIRED 1U
#define JSON_FIELD_NULLABLE 2U /* null counts as absent */

struct json_field {
	const char *name;
	enum json_field_type type;
	size_t offset; /* into the struct given to json_fields */
	unsigned flags;
};

/* An object, whichever way it was read. A flat one has no lists, and its own object can be asked for as a view only. */
struct json_view {
	json_t *tree;
	const struct json_flat_object *flat; /* NULL: a tree */
};
static inline struct json_view json_view(json_t *tree)
{
	return (struct json_view){.tree = tree};
}

/* Fills `out` from `object` (NULL: an empty object). Absent optional fields stay as they were. An
 * unknown, mistyped or missing field: -EINVAL, its name in *ret_field, text in `problem`. */
int json_fields(json_t *object, const struct json_field *fields, size_t count, void *out, const char **ret_field,
		struct problem *problem);
int json_view_fields(struct json_view view, const struct json_field *fields, size_t count, void *out,
		     const char **ret_field, struct problem *problem);
