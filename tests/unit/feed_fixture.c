/* SPDX-License-Identifier: MIT */
#include "feed_fixture.h"

#include <openssl/evp.h>
#include <string.h>

#include "unit.h"

struct signer signer_of(const char *name, uint8_t number)
{
	uint8_t public[ED25519_PUBLIC_BYTES];
	size_t length = sizeof(public);
	struct signer signer;
	EVP_PKEY *key;

	memset(signer.secret, number, sizeof(signer.secret));
	key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, signer.secret, sizeof(signer.secret));
	assert_non_null(key);
	assert_int_equal(EVP_PKEY_get_raw_public_key(key, public, &length), 1);
	EVP_PKEY_free(key);
	assert_result(note_key_init(&signer.key, name, public), 0);
	return signer;
}

void feed_sign(struct buffer *note, const struct signer *first, const struct signer *second)
{
	if (first)
		assert_result(note_sign(note, &first->key, first->secret), 0);
	if (second)
		assert_result(note_sign(note, &second->key, second->secret), 0);
}

struct feed_trust feed_trust_of(uint64_t version, uint64_t epoch, const struct signer *first,
				const struct signer *second)
{
	struct feed_trust trust = {.version = version, .epoch = epoch, .issued = FEED_NOW};

	strcpy(trust.origin, first->key.name);
	trust.keys[trust.key_count++] = first->key;
	if (second)
		trust.keys[trust.key_count++] = second->key;
	return trust;
}

struct feed_head feed_head_of(uint64_t epoch, uint64_t revision, const uint8_t chain[SHA256_BYTES], int64_t issued)
{
	struct feed_head head = {
		.origin = FEED_ORIGIN, .epoch = epoch, .revision = revision, .issued = issued, .expires = issued + 300};

	memcpy(head.chain, chain, SHA256_BYTES);
	return head;
}

void published_init(struct published *feed, const char *origin, uint64_t epoch, const struct signer *signer)
{
	*feed = (struct published){.signer = *signer, .epoch = epoch};
	strcpy(feed->origin, origin);
	assert_result(feed_chain_start(origin, epoch, feed->chain), 0);
}

void published_finish(struct published *feed)
{
	for (size_t i = 0; i <= FEED_DELTAS_MAX; i++)
		buffer_finish(&feed->deltas[i]);
}

const struct buffer *published_add(struct published *feed, const struct buffer *delta)
{
	struct buffer *kept = &feed->deltas[++feed->revision];

	assert_true(feed->revision <= FEED_DELTAS_MAX);
	assert_result(buffer_add(kept, delta->data, delta->length), 0);
	assert_result(feed_chain_add(feed->chain, kept->data, kept->length), 0);
	return kept;
}

const struct buffer *published_put(struct published *feed, const char *kind, const char *id, uint64_t version,
				   const char *body)
{
	_cleanup_(buffer_finish) struct buffer delta = BUFFER_INIT;

	delta_write_begin(&delta, feed->origin, feed->epoch, feed->revision, feed->revision + 1);
	delta_write_add(&delta, DELTA_PUT, kind, id, version, body, strlen(body));
	delta_write_end(&delta);
	assert_false(delta.failed);
	return published_add(feed, &delta);
}

void published_head(const struct published *feed, int64_t issued, int64_t for_seconds, struct buffer *ret)
{
	struct feed_head head = feed_head_of(feed->epoch, feed->revision, feed->chain, issued);

	strcpy(head.origin, feed->origin);
	head.expires = issued + for_seconds;
	buffer_clear(ret);
	assert_result(feed_head_write(&head, ret), 0);
	feed_sign(ret, &feed->signer, NULL);
}

void feed_snapshot_of(struct feed_snapshot *note, const struct line_of *lines, size_t count, struct buffer *ret)
{
	struct snapshot_writer *writer;

	note->records = count;
	assert_result(snapshot_writer_new(note, ret, &writer), 0);
	for (size_t i = 0; i < count; i++)
		assert_result(snapshot_writer_add(writer, lines[i].kind, lines[i].id, lines[i].version, lines[i].body,
						  strlen(lines[i].body)),
			      0);
	assert_result(snapshot_writer_end(writer), 0);
	snapshot_writer_free(writer);
}
