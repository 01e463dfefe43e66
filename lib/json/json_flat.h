/* SPDX-License-Identifier: MIT
 *
 * Flat JSON: an object of strings, whole numbers, true and false, with at most one such object in it. That is what
 * nearly all of a feed's lines are, millions of them; they are read in place, without a tree and without allocating.
 *
 * What is taken here json_read takes too, with equal values (tests/fuzz/fuzz_json_flat.c). Whatever is unusual (spaces,
 * escapes, lists, null, signs, fractions, large numbers, a key that occurs twice, anything wrong) is not taken and says
 * nothing: json_read decides about it.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_FLAT_MEMBERS_MAX 16U

struct json_flat_member {
	char *name, *text; /* in the text that was read */
	uint32_t name_length, text_length;
	int64_t number;
	json_type type; /* JSON_STRING, JSON_INTEGER, JSON_TRUE, JSON_FALSE, JSON_OBJECT */
	const struct json_flat_object *object;
};
struct json_flat_object {
	uint32_t count;
	struct json_flat_member members[JSON_FLAT_MEMBERS_MAX];
};
struct json_flat {
	struct json_flat_object outer, inner;
};

/* True: `ret` points into the text, whose strings got NULs in place of their closing quotes. False: the text is as it
 * was, and a matter of json_read. */
bool json_flat_read(char *text, size_t length, struct json_flat *ret);
