/* SPDX-License-Identifier: MIT
 *
 * The texts of the feed's notes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/parse.h"
#include "base/text.h"
#include "feed/feed.h"

static void add_number(struct buffer *out, const char *word, uint64_t value)
{
	(void)buffer_printf(out, "%s %" PRIu64 "\n", word, value);
}

static void add_hash(struct buffer *out, const char *word, const uint8_t hash[SHA256_BYTES])
{
	char hex[2 * SHA256_BYTES + 1];

	text_to_hex(hash, SHA256_BYTES, hex);
	(void)buffer_printf(out, "%s %s\n", word, hex);
}

static void add_time(struct buffer *out, const char *word, int64_t seconds)
{
	char text[TIME_TEXT_SIZE];

	(void)buffer_printf(out, "%s %s\n", word, format_time(seconds, text));
}

int feed_trust_write(const struct feed_trust *trust, struct buffer *ret)
{
	char vkey[NOTE_VKEY_MAX];

	(void)buffer_printf(ret, "tenantd-feed-trust/v1\n%s\n", trust->origin);
	add_number(ret, "version", trust->version);
	add_number(ret, "epoch", trust->epoch);
	add_time(ret, "issued", trust->issued);
	for (uint32_t i = 0; i < trust->key_count; i++) {
		if (note_key_render(&trust->keys[i], vkey) < 0)
			return -ENOMEM;
		(void)buffer_printf(ret, "key %s\n", vkey);
	}
	return ret->failed ? -ENOMEM : 0;
}

int feed_head_write(const struct feed_head *head, struct buffer *ret)
{
	(void)buffer_printf(ret, "tenantd-feed-head/v1\n%s\n", head->origin);
	add_number(ret, "epoch", head->epoch);
	add_number(ret, "revision", head->revision);
	add_hash(ret, "chain", head->chain);
	add_time(ret, "issued", head->issued);
	add_time(ret, "expires", head->expires);
	return ret->failed ? -ENOMEM : 0;
}

int feed_snapshot_write(const struct feed_snapshot *snapshot, struct buffer *ret)
{
	(void)buffer_printf(ret, "tenantd-feed-snapshot/v1\n%s\n", snapshot->origin);
	add_number(ret, "epoch", snapshot->epoch);
	add_number(ret, "revision", snapshot->revision);
	add_hash(ret, "chain", snapshot->chain);
	add_hash(ret, "sha256", snapshot->sha256);
	add_number(ret, "bytes", snapshot->bytes);
	add_number(ret, "plain", snapshot->plain);
	add_number(ret, "records", snapshot->records);
	add_time(ret, "issued", snapshot->issued);
	return ret->failed ? -ENOMEM : 0;
}

int feed_assignment_write(const struct feed_assignment *assignment, struct buffer *ret)
{
	char word[96];

	(void)buffer_printf(ret, "tenantd-host-assignment/v1\n%s\nhost %s\n", assignment->authority,
			    assignment->host_id);
	add_number(ret, "version", assignment->version);
	add_time(ret, "issued", assignment->issued);
	for (uint32_t i = 0; i < assignment->tenant_count; i++) {
		(void)snprintf(word, sizeof(word), "tenant %s", assignment->tenants[i].tenant_id);
		add_hash(ret, word, assignment->tenants[i].trust);
	}
	return ret->failed ? -ENOMEM : 0;
}

int feed_disabled_write(const struct feed_disabled *disabled, struct buffer *ret)
{
	(void)buffer_printf(ret, "tenantd-host-disabled/v1\n%s\nhost %s\nkey %s\n", disabled->authority,
			    disabled->host_id, disabled->key);
	add_time(ret, "issued", disabled->issued);
	return ret->failed ? -ENOMEM : 0;
}
