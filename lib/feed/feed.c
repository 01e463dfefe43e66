/* SPDX-License-Identifier: MIT */
#include "feed/feed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"

#define ORIGIN_MIDDLE "/feed/"

static const char *const words[FEED_FAULT_COUNT] = {
	[FEED_FINE] = "fine",
	[FEED_MALFORMED] = "malformed",
	[FEED_UNSIGNED] = "unsigned",
	[FEED_BAD_SIGNATURE] = "bad-signature",
	[FEED_OTHER_ORIGIN] = "other-origin",
	[FEED_OTHER_EPOCH] = "other-epoch",
	[FEED_ROLLBACK] = "rollback",
	[FEED_FORK] = "fork",
	[FEED_GAP] = "gap",
	[FEED_OTHER_CHAIN] = "other-chain",
	[FEED_EXPIRED] = "expired",
	[FEED_FUTURE] = "future",
	[FEED_TOO_LARGE] = "too-large",
	[FEED_BAD_DIGEST] = "bad-digest",
	[FEED_BAD_RECORD] = "bad-record",
};

const char *feed_fault_word(enum feed_fault fault)
{
	return words[fault];
}

static bool is_authority_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
	       c == ':';
}

bool feed_origin_valid(const char *origin)
{
	const char *middle = strstr(origin, ORIGIN_MIDDLE);

	if (!middle || middle == origin || strlen(origin) >= FEED_ORIGIN_MAX)
		return false;
	for (const char *p = origin; p < middle; p++)
		if (!is_authority_char(*p))
			return false;
	return text_is_id(middle + strlen(ORIGIN_MIDDLE));
}

int feed_chain_start(const char *origin, uint64_t epoch, uint8_t chain[SHA256_BYTES])
{
	char text[FEED_ORIGIN_MAX + 64];
	int length = snprintf(text, sizeof(text), "tenantd-feed-chain/v1\n%s\n%" PRIu64 "\n", origin, epoch);

	if (length < 0 || (size_t)length >= sizeof(text))
		return -EINVAL;
	return sha256(text, (size_t)length, chain);
}

int feed_chain_add(uint8_t chain[SHA256_BYTES], const void *delta, size_t length)
{
	uint8_t both[2 * SHA256_BYTES];
	int r;

	memcpy(both, chain, SHA256_BYTES);
	r = sha256(delta, length, both + SHA256_BYTES);
	if (r < 0)
		return r;
	return sha256(both, sizeof(both), chain);
}

static enum feed_fault refuse(enum feed_fault fault, struct problem *problem, const char *text, uint64_t next,
			      uint64_t have)
{
	(void)problem_set(problem, EBADMSG, "%s (%" PRIu64 ", here is %" PRIu64 ")", text, next, have);
	return fault;
}

enum feed_fault feed_head_follows(const struct feed_head *have, const struct feed_head *next, struct problem *problem)
{
	if (strcmp(next->origin, have->origin) != 0) {
		(void)problem_set(problem, EBADMSG, "the head is of feed %s, not of %s", next->origin, have->origin);
		return FEED_OTHER_ORIGIN;
	}
	if (next->epoch < have->epoch)
		return refuse(FEED_ROLLBACK, problem, "the head's epoch is an older one", next->epoch, have->epoch);
	if (next->epoch > have->epoch)
		return refuse(FEED_OTHER_EPOCH, problem, "the head's epoch is another one", next->epoch, have->epoch);
	if (next->revision < have->revision)
		return refuse(FEED_ROLLBACK, problem, "the head's revision is an older one", next->revision,
			      have->revision);
	if (next->revision == have->revision && memcmp(next->chain, have->chain, SHA256_BYTES) != 0) {
		(void)problem_set(problem, EBADMSG, "two heads of revision %" PRIu64 " have different chains",
				  next->revision);
		problem_remedy(problem, "somebody who holds the signing key shows different hosts different feeds");
		return FEED_FORK;
	}
	return FEED_FINE;
}
