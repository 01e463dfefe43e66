/* SPDX-License-Identifier: MIT
 *
 * The compact form of signed tokens (RFC 7515, 7.1): header, claims and signature in base64url, with dots between them.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define COMPACT_BYTES_MAX 16384U

enum compact_part { COMPACT_HEADER, COMPACT_CLAIMS, COMPACT_SIGNATURE, COMPACT_PARTS };

struct compact {
	struct compact_text {
		const char *text; /* borrowed */
		size_t length;
	} parts[COMPACT_PARTS];
};
/* Two dots, base64url digits and nothing else, header and claims not empty. The signature may be empty here: then it is
 * a token, and one with a bad signature. */
bool compact_split(const char *token, size_t length, struct compact *ret);
/* A part that holds a JSON object, strictly read. NULL: it does not (or no memory is left). */
json_t *compact_object(const struct compact *compact, enum compact_part part);
