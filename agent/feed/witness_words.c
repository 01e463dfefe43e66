/* SPDX-License-Identifier: MIT */
#include "feed/witness_words.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "json/json_write.h"

#define EVIDENCE_BYTES_MAX 3072U /* of one checkpoint in an event */

static int rename_keys(const struct note_key *keys, uint32_t count, const char *origin, struct note_key *ret)
{
	int r = 0;

	for (uint32_t i = 0; i < count && r == 0; i++)
		r = note_key_init(&ret[i], origin, keys[i].public);
	return r;
}

int witness_tenant_keys(const struct feed_trust *trust, struct note_key ret[FEED_KEYS_MAX], uint32_t *ret_count,
			char ret_origin[CHECKPOINT_ORIGIN_MAX])
{
	const char *tenant = strrchr(trust->origin, '/'), *feed = NULL;
	size_t prefix;

	/* <authority>/feed/<tenant id>, where the authority may have slashes of its own */
	if (tenant && (size_t)(tenant - trust->origin) >= strlen("/feed"))
		feed = tenant - strlen("/feed");
	if (!feed || memcmp(feed, "/feed", strlen("/feed")) != 0)
		return -EINVAL;
	prefix = (size_t)(feed - trust->origin);
	if ((size_t)snprintf(ret_origin, CHECKPOINT_ORIGIN_MAX, "%.*s/audit%s", (int)prefix, trust->origin, tenant) >=
	    CHECKPOINT_ORIGIN_MAX)
		return -EINVAL;
	*ret_count = trust->key_count;
	return rename_keys(trust->keys, trust->key_count, ret_origin, ret);
}

int witness_platform_key(const struct note_key *authority, struct note_key ret[FEED_KEYS_MAX], uint32_t *ret_count,
			 char ret_origin[CHECKPOINT_ORIGIN_MAX])
{
	if ((size_t)snprintf(ret_origin, CHECKPOINT_ORIGIN_MAX, "%s/audit/platform", authority->name) >=
	    CHECKPOINT_ORIGIN_MAX)
		return -EINVAL;
	*ret_count = 1;
	return rename_keys(authority, 1, ret_origin, ret);
}

/* In lines, since nothing in an event has a line end. */
static void put_note(struct json_writer *w, const char *key, const char *note, size_t length)
{
	const char *end;

	if (!note)
		return;
	end = note + MIN_OF(length, EVIDENCE_BYTES_MAX);
	json_begin(w, key, '[');
	while (note < end) {
		const char *line_end = memchr(note, '\n', (size_t)(end - note));
		size_t line = (size_t)((line_end ? line_end : end) - note);

		json_put_string_n(w, NULL, note, line);
		note += line + 1;
	}
	json_end(w, ']');
}

void witness_write_evidence(struct buffer *out, const char *kept, const char *shown, size_t shown_length)
{
	struct json_writer w = json_writer(out);

	json_begin(&w, NULL, '{');
	put_note(&w, "kept", kept, kept ? strlen(kept) : 0);
	put_note(&w, "shown", shown, shown_length);
	json_end(&w, '}');
}

int witness_write_cosignature(struct buffer *out, struct spool *spool, const char *authority, const char *host_id,
			      const char *note, uint64_t size)
{
	_cleanup_(buffer_finish) struct buffer message = BUFFER_INIT, line = BUFFER_INIT;
	struct buffer whole = {.data = (char *)(uintptr_t)note, .length = strlen(note)}; /* only looked at */
	uint8_t signature[ED25519_SIGNATURE_BYTES];
	struct json_writer w = json_writer(out);
	int64_t now = clock_realtime_sec();
	struct note_key chain, key;
	char name[NOTE_KEY_NAME_MAX];
	struct chain_head head;
	int r;

	if ((size_t)snprintf(name, sizeof(name), "%s/witness/%s", authority, host_id) >= sizeof(name))
		return -EINVAL;
	spool_head(spool, &chain, &head);
	r = note_key_init(&key, name, chain.public);
	if (r == 0)
		r = cosignature_message(note, note_text_length(&whole), now, &message);
	if (r == 0)
		r = spool_sign(spool, message.data, message.length, signature);
	if (r == 0)
		r = cosignature_line(&key, signature, now, &line);
	if (r < 0)
		return r;
	json_begin(&w, NULL, '{');
	json_put_u64(&w, "size", size);
	json_put_string(&w, "line", buffer_text(&line));
	json_end(&w, '}');
	return out->failed ? -ENOMEM : 0;
}
