/* SPDX-License-Identifier: MIT */
#include "jose/compact.h"

#include "base/macros.h"
#include "jose/base64url.h"
#include "json/json_read.h"

bool compact_split(const char *token, size_t length, struct compact *ret)
{
	struct compact found = {0};
	size_t part = 0, start = 0;

	if (length > COMPACT_BYTES_MAX)
		return false;
	for (size_t i = 0; i <= length; i++) {
		if (i < length && token[i] != '.') {
			if (!base64url_is_digit(token[i]))
				return false;
			continue;
		}
		if (part == COMPACT_PARTS)
			return false;
		found.parts[part++] = (struct compact_text){token + start, i - start};
		start = i + 1;
	}
	if (part != COMPACT_PARTS || found.parts[COMPACT_HEADER].length == 0 || found.parts[COMPACT_CLAIMS].length == 0)
		return false;
	*ret = found;
	return true;
}

json_t *compact_object(const struct compact *compact, enum compact_part part)
{
	const struct compact_text *text = &compact->parts[part];
	_cleanup_(json_decrefp) json_t *value = NULL;
	struct problem unread = {0};
	char plain[COMPACT_BYTES_MAX];
	size_t length;

	if (base64url_decode(text->text, text->length, plain, sizeof(plain), &length) < 0 ||
	    json_read(plain, length, &value, &unread) < 0 || !json_is_object(value))
		return NULL;
	return TAKE_PTR(value);
}
