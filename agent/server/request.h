/* SPDX-License-Identifier: MIT
 *
 * The calls that nearly everybody makes, read without building a tree: an object whose parameters are
 * plain strings (ASCII without escapes), whole numbers, booleans and nulls. Whatever is anything else, is left
 * to the JSON library, which alone decides what is an error. So this reader accepts a part of what that one
 * accepts, and means the same by it; fuzz_request compares the two.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/json_read.h"

#define REQUEST_MEMBERS_MAX 12U

enum request_type { REQUEST_STRING, REQUEST_INTEGER, REQUEST_TRUE, REQUEST_FALSE, REQUEST_NULL };

struct request_member {
	char *key, *text; /* in the frame, terminated once it is read whole */
	size_t key_length, length;
	int64_t number;
	enum request_type type;
};

struct request {
	const char *method;
	bool more, oneway;
	uint32_t count;
	struct request_member members[REQUEST_MEMBERS_MAX]; /* of `parameters` */
};

/* True: read, and `frame` was changed in place (strings are ended with NUL). False: `frame` is as it was. */
bool request_read(char *frame, size_t length, struct request *ret);
/* Like json_fields. 0, or -EINVAL and the name of the field. */
int request_fields(const struct request *request, const struct json_field *fields, size_t count, void *out,
		   const char **ret_field);
