/* SPDX-License-Identifier: MIT
 *
 * The feed's notes, read and verified. One text for each meaning: numbers without leading zeros, times as we write
 * them, lines in their order and nothing else.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/macros.h"
#include "base/parse.h"
#include "base/text.h"
#include "crypto/note_lines.h"
#include "feed/feed.h"
#include "feed/snapshot.h"

#define JSON_NUMBER_MAX INT64_MAX /* JSON's numbers end there, and so do ours */

static void next_origin(struct note_lines *lines, char out[FEED_ORIGIN_MAX])
{
	char value[NOTE_VALUE_MAX];

	note_lines_value(lines, NULL, "origin", value);
	out[0] = '\0';
	if (lines->wrong)
		return;
	if (feed_origin_valid(value))
		memcpy(out, value, strlen(value) + 1);
	else
		lines->wrong = "origin";
}

static bool starts_with(const struct note_lines *lines, const char *text)
{
	size_t length = strlen(text);

	return (size_t)(lines->end - lines->at) >= length && memcmp(lines->at, text, length) == 0;
}

/* What is wrong with the lines, once all were asked for. */
static enum feed_fault judge_lines(const struct note_lines *lines, struct problem *problem)
{
	return note_lines_end(lines, problem) < 0 ? FEED_MALFORMED : FEED_FINE;
}

static enum feed_fault refuse(enum feed_fault fault, struct problem *problem, const char *text)
{
	(void)problem_set(problem, EBADMSG, "%s", text);
	return fault;
}

static enum feed_fault judge_origin(const char *origin, const char *expected, struct problem *problem)
{
	if (strcmp(origin, expected) == 0)
		return FEED_FINE;
	(void)problem_set(problem, EBADMSG, "this is of feed %s, not of %s", origin, expected);
	return FEED_OTHER_ORIGIN;
}

/* Verifies a note that any key of `trust` may sign. The text is looked at only afterwards, but for one thing: what
 * another feed's key signed is called so. */
static enum feed_fault verify(const char *note, size_t length, const struct feed_trust *trust, const char *first_line,
			      size_t *ret_text_length, struct problem *problem)
{
	char origin[FEED_ORIGIN_MAX];
	struct note_lines lines = note_lines(note, length);
	uint32_t signers;
	int r;

	if (length > NOTE_BYTES_MAX)
		return refuse(FEED_TOO_LARGE, problem, "the note is too long");
	r = note_verify(note, length, trust->keys, trust->key_count, ret_text_length, &signers, problem);
	if (r == 0)
		return FEED_FINE;
	if (r == -EKEYREJECTED)
		return FEED_BAD_SIGNATURE;
	if (r != -ENOKEY)
		return FEED_MALFORMED;
	note_lines_literal(&lines, first_line);
	next_origin(&lines, origin);
	if (!lines.wrong && strcmp(origin, trust->origin) != 0)
		return judge_origin(origin, trust->origin, problem);
	return FEED_UNSIGNED;
}

static enum feed_fault judge_times(int64_t issued, int64_t expires, int64_t now, struct problem *problem)
{
	char text[TIME_TEXT_SIZE];

	if (now == 0)
		return FEED_FINE;
	if (issued > now + FEED_FUTURE_SEC) {
		(void)problem_set(problem, EBADMSG, "it was issued in the future (%s)", format_time(issued, text));
		problem_remedy(problem, "compare the clocks of this host and of the control plane");
		return FEED_FUTURE;
	}
	if (expires != 0 && expires <= now) {
		(void)problem_set(problem, EBADMSG, "it expired at %s", format_time(expires, text));
		return FEED_EXPIRED;
	}
	return FEED_FINE;
}

static enum feed_fault judge_epoch(uint64_t epoch, const struct feed_trust *trust, struct problem *problem)
{
	if (epoch == trust->epoch)
		return FEED_FINE;
	(void)problem_set(problem, EBADMSG, "it is of epoch %" PRIu64 ", the trust document says %" PRIu64, epoch,
			  trust->epoch);
	return FEED_OTHER_EPOCH;
}

enum feed_fault feed_head_read(const char *note, size_t length, const struct feed_trust *trust, int64_t now,
			       struct feed_head *ret, struct problem *problem)
{
	static const char first_line[] = "tenantd-feed-head/v1";
	struct feed_head head = {0};
	enum feed_fault fault;
	struct note_lines lines;
	size_t text;

	fault = verify(note, length, trust, first_line, &text, problem);
	if (fault != FEED_FINE)
		return fault;
	lines = note_lines(note, text);
	note_lines_literal(&lines, first_line);
	next_origin(&lines, head.origin);
	head.epoch = note_lines_number(&lines, "epoch", 1, JSON_NUMBER_MAX);
	head.revision = note_lines_number(&lines, "revision", 0, JSON_NUMBER_MAX);
	note_lines_hash(&lines, "chain", head.chain);
	head.issued = note_lines_time(&lines, "issued");
	head.expires = note_lines_time(&lines, "expires");
	fault = judge_lines(&lines, problem);
	if (fault == FEED_FINE && head.expires <= head.issued)
		fault = refuse(FEED_MALFORMED, problem, "the head expires before it is issued");
	if (fault == FEED_FINE)
		fault = judge_origin(head.origin, trust->origin, problem);
	if (fault == FEED_FINE)
		fault = judge_epoch(head.epoch, trust, problem);
	if (fault == FEED_FINE)
		fault = judge_times(head.issued, head.expires, now, problem);
	if (fault == FEED_FINE)
		*ret = head;
	return fault;
}

enum feed_fault feed_snapshot_read(const char *note, size_t length, const struct feed_trust *trust, int64_t now,
				   struct feed_snapshot *ret, struct problem *problem)
{
	static const char first_line[] = "tenantd-feed-snapshot/v1";
	struct feed_snapshot snapshot = {0};
	enum feed_fault fault;
	struct note_lines lines;
	size_t text;

	fault = verify(note, length, trust, first_line, &text, problem);
	if (fault != FEED_FINE)
		return fault;
	lines = note_lines(note, text);
	note_lines_literal(&lines, first_line);
	next_origin(&lines, snapshot.origin);
	snapshot.epoch = note_lines_number(&lines, "epoch", 1, JSON_NUMBER_MAX);
	snapshot.revision = note_lines_number(&lines, "revision", 0, JSON_NUMBER_MAX);
	note_lines_hash(&lines, "chain", snapshot.chain);
	note_lines_hash(&lines, "sha256", snapshot.sha256);
	snapshot.bytes = note_lines_number(&lines, "bytes", 1, JSON_NUMBER_MAX);
	snapshot.plain = note_lines_number(&lines, "plain", 1, JSON_NUMBER_MAX);
	snapshot.records = note_lines_number(&lines, "records", 0, JSON_NUMBER_MAX);
	snapshot.issued = note_lines_time(&lines, "issued");
	fault = judge_lines(&lines, problem);
	if (fault == FEED_FINE)
		fault = judge_origin(snapshot.origin, trust->origin, problem);
	if (fault == FEED_FINE)
		fault = judge_epoch(snapshot.epoch, trust, problem);
	if (fault == FEED_FINE)
		fault = judge_times(snapshot.issued, 0, now, problem);
	if (fault == FEED_FINE)
		fault = snapshot_limits(&snapshot, problem);
	if (fault == FEED_FINE)
		*ret = snapshot;
	return fault;
}

static void next_keys(struct note_lines *lines, struct feed_trust *trust)
{
	char value[NOTE_VALUE_MAX];

	do {
		struct note_key *key = &trust->keys[trust->key_count];

		note_lines_value(lines, "key", "key", value);
		if (lines->wrong)
			return;
		if (trust->key_count == FEED_KEYS_MAX || note_key_parse(value, strlen(value), key) < 0 ||
		    strcmp(key->name, trust->origin) != 0) {
			lines->wrong = "key";
			return;
		}
		for (uint32_t i = 0; i < trust->key_count; i++)
			if (trust->keys[i].id == key->id)
				lines->wrong = "key";
		trust->key_count++;
	} while (starts_with(lines, "key "));
}

static enum feed_fault judge_signers(const struct feed_trust *trust, const struct feed_trust *before, uint32_t signers,
				     struct problem *problem)
{
	uint32_t own = (UINT32_C(1) << trust->key_count) - 1;

	if ((signers & own) != own)
		return refuse(FEED_UNSIGNED, problem, "the trust document is not signed by all keys that it lists");
	if (before && (signers & ~own) == 0)
		return refuse(FEED_UNSIGNED, problem, "no key of the trust document before it signed this one");
	return FEED_FINE;
}

static enum feed_fault judge_trust_order(const struct feed_trust *trust, const struct feed_trust *before,
					 struct problem *problem)
{
	enum feed_fault fault = judge_origin(trust->origin, before->origin, problem);

	if (fault != FEED_FINE)
		return fault;
	if (trust->version <= before->version) {
		(void)problem_set(problem, EBADMSG,
				  "the trust document's version %" PRIu64 " is not newer than %" PRIu64, trust->version,
				  before->version);
		return FEED_ROLLBACK;
	}
	if (trust->version != before->version + 1) {
		(void)problem_set(problem, EBADMSG,
				  "the trust document's version %" PRIu64 " does not follow on %" PRIu64,
				  trust->version, before->version);
		return FEED_GAP;
	}
	if (trust->epoch < before->epoch)
		return refuse(FEED_ROLLBACK, problem, "the trust document goes back to an older epoch");
	return FEED_FINE;
}

/* Its keys are needed to verify it: nothing else of the text is believed before that. */
enum feed_fault feed_trust_read(const char *note, size_t length, const struct feed_trust *before,
				struct feed_trust *ret, struct problem *problem)
{
	struct note_key keys[2 * FEED_KEYS_MAX];
	struct feed_trust trust = {0};
	struct note_lines lines = note_lines(note, length);
	enum feed_fault fault;
	size_t text_length;
	uint32_t signers, count;
	int r;

	if (length > NOTE_BYTES_MAX)
		return refuse(FEED_TOO_LARGE, problem, "the note is too long");
	note_lines_literal(&lines, "tenantd-feed-trust/v1");
	next_origin(&lines, trust.origin);
	trust.version = note_lines_number(&lines, "version", 1, JSON_NUMBER_MAX);
	trust.epoch = note_lines_number(&lines, "epoch", 1, JSON_NUMBER_MAX);
	trust.issued = note_lines_time(&lines, "issued");
	next_keys(&lines, &trust);
	if (!lines.wrong)
		lines.end = lines.at; /* the empty line and the signatures are the note's matter */
	fault = judge_lines(&lines, problem);
	if (fault != FEED_FINE)
		return fault;
	count = trust.key_count;
	memcpy(keys, trust.keys, count * sizeof(keys[0]));
	if (before) {
		memcpy(keys + count, before->keys, before->key_count * sizeof(keys[0]));
		count += before->key_count;
	}
	r = note_verify(note, length, keys, count, &text_length, &signers, problem);
	if (r == -ENOKEY)
		return FEED_UNSIGNED;
	if (r == -EKEYREJECTED)
		return FEED_BAD_SIGNATURE;
	if (r < 0)
		return FEED_MALFORMED;
	if (text_length != (size_t)(lines.at - note))
		return refuse(FEED_MALFORMED, problem, "the trust document has more lines than it should");
	fault = before ? judge_trust_order(&trust, before, problem) : FEED_FINE;
	if (fault == FEED_FINE)
		fault = judge_signers(&trust, before, signers, problem);
	if (fault == FEED_FINE)
		*ret = trust;
	return fault;
}

static void next_id(struct note_lines *lines, const char *word, char out[64])
{
	char value[NOTE_VALUE_MAX];

	note_lines_value(lines, word, word, value);
	if (!lines->wrong && (!text_is_id(value) || strlen(value) >= 64))
		lines->wrong = word;
	memcpy(out, value, lines->wrong ? 0 : strlen(value) + 1);
}

static void next_assigned(struct note_lines *lines, struct feed_assignment *assignment)
{
	struct feed_assigned *tenant = &assignment->tenants[assignment->tenant_count];
	char value[NOTE_VALUE_MAX], *space;

	note_lines_value(lines, "tenant", "tenant", value);
	space = strchr(value, ' ');
	if (lines->wrong)
		return;
	lines->wrong = "tenant";
	if (!space || assignment->tenant_count == FEED_ASSIGNED_MAX)
		return;
	*space = '\0';
	if (!text_is_id(value) || strlen(value) >= sizeof(tenant->tenant_id) ||
	    text_from_hex(space + 1, tenant->trust, SHA256_BYTES) < 0)
		return;
	if (assignment->tenant_count > 0 && strcmp(tenant[-1].tenant_id, value) >= 0)
		return;
	memcpy(tenant->tenant_id, value, strlen(value) + 1);
	assignment->tenant_count++;
	lines->wrong = NULL;
}

/* Opens a note of the authority, up to and without its host. `ret_text`: how long its text is. */
static enum feed_fault open_authoritys(const char *note, size_t length, const struct note_key *key, const char *title,
				       struct note_lines *ret, char authority[NOTE_VALUE_MAX], size_t *ret_text,
				       struct problem *problem)
{
	uint32_t signers;
	int r;

	if (length > NOTE_BYTES_MAX)
		return refuse(FEED_TOO_LARGE, problem, "the note is too long");
	r = note_verify(note, length, key, 1, ret_text, &signers, problem);
	if (r < 0)
		return r == -EKEYREJECTED ? FEED_BAD_SIGNATURE : r == -ENOKEY ? FEED_UNSIGNED : FEED_MALFORMED;
	*ret = note_lines(note, *ret_text);
	note_lines_literal(ret, title);
	note_lines_value(ret, NULL, "authority", authority);
	return FEED_FINE;
}

enum feed_fault feed_assignment_read(const char *note, size_t length, const struct note_key *key,
				     struct feed_assignment *ret, struct problem *problem)
{
	struct feed_assignment assignment = {0};
	char authority[NOTE_VALUE_MAX];
	enum feed_fault fault;
	struct note_lines lines;
	size_t text;

	fault = open_authoritys(note, length, key, "tenantd-host-assignment/v1", &lines, authority, &text, problem);
	if (fault != FEED_FINE)
		return fault;
	next_id(&lines, "host", assignment.host_id);
	assignment.version = note_lines_number(&lines, "version", 1, JSON_NUMBER_MAX);
	assignment.issued = note_lines_time(&lines, "issued");
	while (!lines.wrong && lines.at != lines.end)
		next_assigned(&lines, &assignment);
	fault = judge_lines(&lines, problem);
	if (fault != FEED_FINE)
		return fault;
	if (strcmp(authority, key->name) != 0 || strlen(authority) >= sizeof(assignment.authority))
		return refuse(FEED_OTHER_ORIGIN, problem, "the note is of another authority");
	memcpy(assignment.authority, authority, strlen(authority) + 1);
	if (sha256(note, text, assignment.digest) < 0)
		return refuse(FEED_MALFORMED, problem, "the note cannot be hashed");
	*ret = assignment;
	return FEED_FINE;
}

static void next_key(struct note_lines *lines, char out[FEED_HOST_KEY_MAX])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char value[NOTE_VALUE_MAX];
	size_t length;

	note_lines_value(lines, "key", "key", value);
	length = lines->wrong ? 0 : strlen(value);
	if (!lines->wrong && (length == 0 || length >= FEED_HOST_KEY_MAX || strspn(value, digits) != length))
		lines->wrong = "key";
	if (!lines->wrong)
		memcpy(out, value, length + 1);
}

enum feed_fault feed_disabled_read(const char *note, size_t length, const struct note_key *key,
				   struct feed_disabled *ret, struct problem *problem)
{
	struct feed_disabled disabled = {0};
	char authority[NOTE_VALUE_MAX];
	enum feed_fault fault;
	struct note_lines lines;
	size_t text;

	fault = open_authoritys(note, length, key, "tenantd-host-disabled/v1", &lines, authority, &text, problem);
	if (fault != FEED_FINE)
		return fault;
	next_id(&lines, "host", disabled.host_id);
	next_key(&lines, disabled.key);
	disabled.issued = note_lines_time(&lines, "issued");
	fault = judge_lines(&lines, problem);
	if (fault != FEED_FINE)
		return fault;
	if (strcmp(authority, key->name) != 0 || strlen(authority) >= sizeof(disabled.authority))
		return refuse(FEED_OTHER_ORIGIN, problem, "the note is of another authority");
	memcpy(disabled.authority, authority, strlen(authority) + 1);
	*ret = disabled;
	return FEED_FINE;
}
