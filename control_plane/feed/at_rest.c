/* SPDX-License-Identifier: MIT */
#include "control_plane/feed/at_rest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "crypto/digest.h"
#include "records/record_json.h"

#define PREFIX "sealed:" /* deltas and bodies begin with '{' */
#define MAGIC "TNTSEAL1" /* snapshots with the magic of zstd */
#define PURPOSE_SIZE 96U

static void purpose_of(const char *tenant_id, char out[PURPOSE_SIZE])
{
	(void)snprintf(out, PURPOSE_SIZE, "feed at rest:%s", tenant_id);
}

bool at_rest_is_secret(const char *kind)
{
	return strcmp(kind, record_kind_word(RECORD_IDP)) == 0;
}

int at_rest_seal(const struct seal_key *key, const char *tenant_id, struct buffer *bytes)
{
	char purpose[PURPOSE_SIZE];

	purpose_of(tenant_id, purpose);
	return seal_in_place(key, purpose, bytes);
}

int at_rest_open(const struct seal_key *key, const char *tenant_id, const void *bytes, size_t length,
		 struct buffer *ret)
{
	char purpose[PURPOSE_SIZE];

	if (length < strlen(MAGIC) || memcmp(bytes, MAGIC, strlen(MAGIC)) != 0)
		return 1;
	purpose_of(tenant_id, purpose);
	return unseal(key, purpose, bytes, length, ret);
}

int at_rest_seal_text(const struct seal_key *key, const char *tenant_id, const char *text, size_t length,
		      struct buffer *ret)
{
	_cleanup_(buffer_finish) struct buffer sealed = BUFFER_INIT;
	_cleanup_(freep) char *encoded = NULL;
	char purpose[PURPOSE_SIZE];
	int r;

	purpose_of(tenant_id, purpose);
	r = seal(key, purpose, text, length, &sealed);
	if (r < 0)
		return r;
	encoded = base64_encode(sealed.data, sealed.length);
	if (!encoded)
		return -ENOMEM;
	(void)buffer_add_text(ret, PREFIX);
	(void)buffer_add_text(ret, encoded);
	return ret->failed ? -ENOMEM : 0;
}

const char *at_rest_open_text(const struct seal_key *key, const char *tenant_id, const char *stored,
			      struct buffer *room, size_t *ret_length)
{
	_cleanup_(freep) uint8_t *sealed = NULL;
	const char *text = stored;
	size_t length = strlen(stored);

	if (text_starts(stored, PREFIX)) {
		stored += strlen(PREFIX);
		sealed = malloc(length);
		room->wipe = true;
		buffer_clear(room);
		if (!sealed || base64_decode(stored, sealed, length, &length) < 0 ||
		    at_rest_open(key, tenant_id, sealed, length, room) != 0)
			return NULL;
		text = buffer_text(room);
		length = room->length;
	}
	if (ret_length)
		*ret_length = length;
	return text;
}
