/* SPDX-License-Identifier: MIT
 *
 * Trust documents, heads, snapshot notes and the chain: what is taken, and each fault by its own name.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "feed_fixture.h"

struct parties {
	struct signer a, b, stranger;
	struct feed_trust trust; /* version 1, epoch 1, key a */
	uint8_t chain[SHA256_BYTES];
};

static struct parties parties(void)
{
	struct parties p = {
		.a = signer_of(FEED_ORIGIN, 1), .b = signer_of(FEED_ORIGIN, 2), .stranger = signer_of(FEED_ORIGIN, 3)};

	p.trust = feed_trust_of(1, 1, &p.a, NULL);
	assert_result(feed_chain_start(FEED_ORIGIN, 1, p.chain), 0);
	return p;
}

static enum feed_fault read_head(const struct parties *p, const char *note, size_t length, int64_t now)
{
	struct feed_head head = {.revision = 4242};
	struct problem problem = {0};
	enum feed_fault fault = feed_head_read(note, length, &p->trust, now, &head, &problem);

	if (fault != FEED_FINE) {
		assert_string_not_equal(problem.text, "");
		assert_int_equal(head.revision, 4242);
	}
	return fault;
}

/* A head's text, signed by `by`. */
static enum feed_fault judge_head_text(const struct parties *p, const char *text, const struct signer *by)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;

	assert_result(buffer_add_text(&note, text), 0);
	feed_sign(&note, by, NULL);
	return read_head(p, note.data, note.length, FEED_NOW);
}

static enum feed_fault judge_head(const struct parties *p, const struct feed_head *head, const struct signer *by,
				  int64_t now)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;

	assert_result(feed_head_write(head, &note), 0);
	feed_sign(&note, by, NULL);
	return read_head(p, note.data, note.length, now);
}

static void head_is_read(void **state)
{
	struct parties p = parties();
	struct feed_head head = feed_head_of(1, 42, p.chain, FEED_NOW), read;
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;

	assert_result(feed_head_write(&head, &note), 0);
	feed_sign(&note, &p.stranger, &p.a);
	assert_int_equal(feed_head_read(note.data, note.length, &p.trust, FEED_NOW, &read, NULL), FEED_FINE);
	assert_memory_equal(&read, &head, sizeof(head));
}

static void head_faults(void **state)
{
	struct parties p = parties();
	struct feed_head head = feed_head_of(1, 42, p.chain, FEED_NOW), other;
	struct signer neighbour = signer_of("control.example.org/feed/ten_other", 1);

	assert_int_equal(judge_head(&p, &head, &p.stranger, FEED_NOW), FEED_UNSIGNED);
	assert_int_equal(judge_head(&p, &head, &p.a, FEED_NOW + 300), FEED_EXPIRED);
	assert_int_equal(judge_head(&p, &head, &p.a, FEED_NOW + 299), FEED_FINE);
	assert_int_equal(judge_head(&p, &head, &p.a, FEED_NOW - 301), FEED_FUTURE);
	assert_int_equal(judge_head(&p, &head, &p.a, FEED_NOW - 300), FEED_FINE);
	assert_int_equal(judge_head(&p, &head, &p.a, 0), FEED_FINE);
	other = head;
	other.epoch = 2;
	assert_int_equal(judge_head(&p, &other, &p.a, FEED_NOW), FEED_OTHER_EPOCH);
	other = head;
	other.expires = other.issued;
	assert_int_equal(judge_head(&p, &other, &p.a, FEED_NOW), FEED_MALFORMED);
	other = head;
	strcpy(other.origin, neighbour.key.name);
	assert_int_equal(judge_head(&p, &other, &p.a, FEED_NOW), FEED_OTHER_ORIGIN);
	assert_int_equal(judge_head(&p, &other, &neighbour, FEED_NOW), FEED_OTHER_ORIGIN);
}

static void head_bytes(void **state)
{
	struct parties p = parties();
	struct feed_head head = feed_head_of(1, 42, p.chain, FEED_NOW);
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	size_t stripped;

	assert_result(feed_head_write(&head, &note), 0);
	stripped = note.length;
	feed_sign(&note, &p.a, NULL);
	assert_int_equal(read_head(&p, note.data, stripped, FEED_NOW), FEED_UNSIGNED);
	assert_int_equal(read_head(&p, note.data, stripped + 1, FEED_NOW), FEED_UNSIGNED);
	for (size_t i = 0; i < note.length; i++) {
		enum feed_fault fault = read_head(&p, note.data, i, FEED_NOW);

		if (fault != FEED_UNSIGNED && fault != FEED_MALFORMED)
			fail_msg("%zu bytes: %s", i, feed_fault_word(fault));
	}
	for (size_t i = 0; i < note.length; i++) {
		note.data[i] ^= 1;
		if (read_head(&p, note.data, note.length, FEED_NOW) == FEED_FINE)
			fail_msg("byte %zu may change", i);
		note.data[i] ^= 1;
	}
	/* Text changed under a good signature line. */
	memcpy(strstr(note.data, "revision 42"), "revision 43", 11);
	assert_int_equal(read_head(&p, note.data, note.length, FEED_NOW), FEED_BAD_SIGNATURE);
	while (note.length <= NOTE_BYTES_MAX)
		assert_result(buffer_add_text(&note, "\xE2\x80\x94 name AAAAAAA=\n"), 0);
	assert_int_equal(read_head(&p, note.data, note.length, FEED_NOW), FEED_TOO_LARGE);
}

#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define START "tenantd-feed-head/v1\n" FEED_ORIGIN "\n"
#define TIMES "issued 2026-09-21T14:13:20Z\nexpires 2026-09-21T14:18:20Z\n"

/* Signed by the right key, and yet not of the form. */
static void head_forms(void **state)
{
	static const char good[] = START "epoch 1\nrevision 42\nchain " HASH "\n" TIMES;
	static const char *const bad[] = {
		"\n",
		START,
		START "epoch 1\nrevision 42\nchain " HASH "\nissued 2026-09-21T14:13:20Z\n",
		START "epoch 1\nrevision 42\nchain " HASH "\n" TIMES "more 1\n",
		START "epoch 1\nrevision 42\nchain " HASH "\n" TIMES "\nepoch 1\n",
		START "revision 42\nepoch 1\nchain " HASH "\n" TIMES,
		START "epoch 1\nepoch 1\nrevision 42\nchain " HASH "\n" TIMES,
		START "epoch 01\nrevision 42\nchain " HASH "\n" TIMES,
		START "epoch 0\nrevision 42\nchain " HASH "\n" TIMES,
		START "epoch 1\nrevision -1\nchain " HASH "\n" TIMES,
		START "epoch 1\nrevision +1\nchain " HASH "\n" TIMES,
		START "epoch 1\nrevision 1 \nchain " HASH "\n" TIMES,
		START "epoch 1\nrevision  1\nchain " HASH "\n" TIMES,
		START "epoch 1\nrevision 9223372036854775808\nchain " HASH "\n" TIMES,
		START "epoch 1\nrevision 99999999999999999999\nchain " HASH "\n" TIMES,
		START "epoch 1\nrevision 42\nchain " HASH "0\n" TIMES,
		START "epoch 1\nrevision 42\nchain 00112233\n" TIMES,
		START
		"epoch 1\nrevision 42\nchain 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF\n" TIMES,
		START "epoch 1\nrevision 42\nchain " HASH "\nissued 2026-09-21\nexpires 2026-09-22\n",
		START "epoch 1\nrevision 42\nchain " HASH
		      "\nissued 2026-09-21T14:13:20+00:00\nexpires 2026-09-21T14:18:20Z\n",
		START "epoch 1\nrevision 42\nchain " HASH "\nissued 1790000000\nexpires 1790000300\n",
		"tenantd-feed-head/v2\n" FEED_ORIGIN "\nepoch 1\nrevision 42\nchain " HASH "\n" TIMES,
		"tenantd-feed-snapshot/v1\n" FEED_ORIGIN "\nepoch 1\nrevision 42\nchain " HASH "\n" TIMES,
		"tenantd-feed-head/v1\n\nepoch 1\nrevision 42\nchain " HASH "\n" TIMES,
		"tenantd-feed-head/v1\nno origin\nepoch 1\nrevision 42\nchain " HASH "\n" TIMES,
		" " START "epoch 1\nrevision 42\nchain " HASH "\n" TIMES,
	};
	struct parties p = parties();

	assert_int_equal(judge_head_text(&p, good, &p.a), FEED_FINE);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (judge_head_text(&p, bad[i], &p.a) != FEED_MALFORMED)
			fail_msg("head %zu", i);
}

static void heads_follow(void **state)
{
	struct parties p = parties();
	struct feed_head have = feed_head_of(2, 42, p.chain, FEED_NOW), next = have;

	assert_int_equal(feed_head_follows(&have, &next, NULL), FEED_FINE);
	next.issued += 15;
	next.expires += 15;
	assert_int_equal(feed_head_follows(&have, &next, NULL), FEED_FINE);
	next.chain[31] ^= 1;
	assert_int_equal(feed_head_follows(&have, &next, NULL), FEED_FORK);
	next.revision++;
	assert_int_equal(feed_head_follows(&have, &next, NULL), FEED_FINE);
	next.revision = 41;
	assert_int_equal(feed_head_follows(&have, &next, NULL), FEED_ROLLBACK);
	next.revision = 43;
	next.epoch = 1;
	assert_int_equal(feed_head_follows(&have, &next, NULL), FEED_ROLLBACK);
	next.epoch = 3;
	assert_int_equal(feed_head_follows(&have, &next, NULL), FEED_OTHER_EPOCH);
	next = have;
	strcpy(next.origin, "control.example.org/feed/ten_other");
	assert_int_equal(feed_head_follows(&have, &next, NULL), FEED_OTHER_ORIGIN);
}

static enum feed_fault judge_trust(const struct feed_trust *trust, const struct feed_trust *before,
				   const struct signer *first, const struct signer *second)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	struct feed_trust read = {.version = 4242};
	struct problem problem = {0};
	enum feed_fault fault;

	assert_result(feed_trust_write(trust, &note), 0);
	feed_sign(&note, first, second);
	fault = feed_trust_read(note.data, note.length, before, &read, &problem);
	if (fault == FEED_FINE) {
		assert_memory_equal(&read, trust, sizeof(read));
		for (size_t i = 0; i < note.length; i++) {
			assert_int_not_equal(feed_trust_read(note.data, i, before, &read, &problem), FEED_FINE);
			note.data[i] ^= 1;
			if (feed_trust_read(note.data, note.length, before, &read, &problem) == FEED_FINE)
				fail_msg("byte %zu may change", i);
			note.data[i] ^= 1;
		}
	} else {
		assert_string_not_equal(problem.text, "");
		assert_int_equal(read.version, 4242);
	}
	return fault;
}

static void trust_rotates(void **state)
{
	struct parties p = parties();
	struct feed_trust both = feed_trust_of(2, 1, &p.a, &p.b), next = feed_trust_of(3, 2, &p.b, NULL), other;
	struct signer neighbour = signer_of("control.example.org/feed/ten_other", 1);

	assert_int_equal(judge_trust(&p.trust, NULL, &p.a, NULL), FEED_FINE);
	assert_int_equal(judge_trust(&p.trust, NULL, NULL, NULL), FEED_UNSIGNED);
	assert_int_equal(judge_trust(&p.trust, NULL, &p.stranger, NULL), FEED_UNSIGNED);
	assert_int_equal(judge_trust(&both, NULL, &p.a, NULL), FEED_UNSIGNED);
	assert_int_equal(judge_trust(&both, &p.trust, &p.a, &p.b), FEED_FINE);
	assert_int_equal(judge_trust(&both, &p.trust, &p.b, NULL), FEED_UNSIGNED);
	assert_int_equal(judge_trust(&both, &p.trust, &p.a, NULL), FEED_UNSIGNED);
	assert_int_equal(judge_trust(&next, &both, &p.b, NULL), FEED_FINE);
	assert_int_equal(judge_trust(&next, &p.trust, &p.b, NULL), FEED_GAP);
	assert_int_equal(judge_trust(&both, &both, &p.a, &p.b), FEED_ROLLBACK);
	assert_int_equal(judge_trust(&p.trust, &both, &p.a, NULL), FEED_ROLLBACK);
	/* Keys of nobody's before. */
	other = feed_trust_of(2, 1, &p.stranger, NULL);
	assert_int_equal(judge_trust(&other, &p.trust, &p.stranger, NULL), FEED_UNSIGNED);
	/* The epoch never falls. */
	other = feed_trust_of(4, 1, &p.b, NULL);
	assert_int_equal(judge_trust(&other, &next, &p.b, NULL), FEED_ROLLBACK);
	other = feed_trust_of(2, 1, &neighbour, NULL);
	assert_int_equal(judge_trust(&other, &p.trust, &neighbour, &p.a), FEED_OTHER_ORIGIN);
}

static void trust_forms(void **state)
{
	struct parties p = parties();
	struct feed_trust trust = p.trust;
	struct signer elsewhere = signer_of("elsewhere", 1);
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;

	trust.keys[trust.key_count++] = p.a.key;
	assert_int_equal(judge_trust(&trust, NULL, &p.a, NULL), FEED_MALFORMED); /* a key twice */
	trust.keys[1] = elsewhere.key;
	assert_int_equal(judge_trust(&trust, NULL, &p.a, &elsewhere), FEED_MALFORMED); /* a key of another name */
	trust.key_count = 0;
	assert_int_equal(judge_trust(&trust, NULL, &p.a, NULL), FEED_MALFORMED);
	trust = p.trust;
	trust.version = 0;
	assert_int_equal(judge_trust(&trust, NULL, &p.a, NULL), FEED_MALFORMED);
	trust.version = 1;
	trust.epoch = 0;
	assert_int_equal(judge_trust(&trust, NULL, &p.a, NULL), FEED_MALFORMED);
	/* One key more than there may be, and a line past the keys. */
	assert_result(feed_trust_write(&p.trust, &note), 0);
	for (uint8_t i = 0; i < FEED_KEYS_MAX; i++) {
		struct signer signer = signer_of(FEED_ORIGIN, (uint8_t)(100 + i));
		char vkey[NOTE_VKEY_MAX];

		assert_result(note_key_render(&signer.key, vkey), 0);
		assert_result(buffer_printf(&note, "key %s\n", vkey), 0);
	}
	feed_sign(&note, &p.a, NULL);
	assert_int_equal(feed_trust_read(note.data, note.length, NULL, &trust, NULL), FEED_MALFORMED);
	for (unsigned i = 0; i < 2; i++) {
		buffer_clear(&note);
		assert_result(feed_trust_write(&p.trust, &note), 0);
		assert_result(buffer_add_text(&note, i == 0 ? "more\n" : "\nmore\n"), 0);
		feed_sign(&note, &p.a, NULL);
		assert_int_equal(feed_trust_read(note.data, note.length, NULL, &trust, NULL), FEED_MALFORMED);
	}
}

static enum feed_fault judge_snapshot(const struct parties *p, const struct feed_snapshot *snapshot,
				      const struct signer *by, int64_t now)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	struct feed_snapshot read;
	struct problem problem = {0};
	enum feed_fault fault;

	assert_result(feed_snapshot_write(snapshot, &note), 0);
	feed_sign(&note, by, NULL);
	fault = feed_snapshot_read(note.data, note.length, &p->trust, now, &read, &problem);
	if (fault == FEED_FINE)
		assert_memory_equal(&read, snapshot, sizeof(read));
	else
		assert_string_not_equal(problem.text, "");
	return fault;
}

static void snapshot_notes(void **state)
{
	struct parties p = parties();
	struct feed_snapshot good = {.origin = FEED_ORIGIN,
				     .epoch = 1,
				     .revision = 42,
				     .bytes = 1000000,
				     .plain = 10000000,
				     .records = 1000,
				     .issued = FEED_NOW},
			     bad;

	assert_int_equal(judge_snapshot(&p, &good, &p.a, FEED_NOW), FEED_FINE);
	assert_int_equal(judge_snapshot(&p, &good, &p.a, FEED_NOW + 100000000), FEED_FINE);
	assert_int_equal(judge_snapshot(&p, &good, &p.stranger, FEED_NOW), FEED_UNSIGNED);
	assert_int_equal(judge_snapshot(&p, &good, NULL, FEED_NOW), FEED_UNSIGNED);
	assert_int_equal(judge_snapshot(&p, &good, &p.a, FEED_NOW - 301), FEED_FUTURE);
	bad = good;
	bad.epoch = 2;
	assert_int_equal(judge_snapshot(&p, &bad, &p.a, FEED_NOW), FEED_OTHER_EPOCH);
	bad = good;
	strcpy(bad.origin, "control.example.org/feed/ten_other");
	assert_int_equal(judge_snapshot(&p, &bad, &p.a, FEED_NOW), FEED_OTHER_ORIGIN);
	bad = good;
	bad.bytes = 512ULL * 1024 * 1024 + 1;
	bad.plain = bad.bytes;
	assert_int_equal(judge_snapshot(&p, &bad, &p.a, FEED_NOW), FEED_TOO_LARGE);
	bad = good;
	bad.bytes = 512ULL * 1024 * 1024;
	bad.plain = 4ULL * 1024 * 1024 * 1024;
	assert_int_equal(judge_snapshot(&p, &bad, &p.a, FEED_NOW), FEED_FINE);
	bad.plain++;
	assert_int_equal(judge_snapshot(&p, &bad, &p.a, FEED_NOW), FEED_TOO_LARGE);
	bad = good;
	bad.plain = bad.bytes * 201;
	assert_int_equal(judge_snapshot(&p, &bad, &p.a, FEED_NOW), FEED_TOO_LARGE);
	bad = good;
	bad.records = 5000001;
	assert_int_equal(judge_snapshot(&p, &bad, &p.a, FEED_NOW), FEED_TOO_LARGE);
	bad = good;
	bad.bytes = 0;
	assert_int_equal(judge_snapshot(&p, &bad, &p.a, FEED_NOW), FEED_MALFORMED);
}

/* Worked out by sha256sum from docs/feed.md:
 *     printf 'tenantd-feed-chain/v1\n%s\n1\n' "$ORIGIN" | sha256sum
 *     { echo <that> | xxd -r -p; printf '{}' | sha256sum | xxd -r -p; } | sha256sum */
static void chain(void **state)
{
	uint8_t chain[SHA256_BYTES];
	char hex[2 * SHA256_BYTES + 1];

	assert_result(feed_chain_start(FEED_ORIGIN, 1, chain), 0);
	text_to_hex(chain, sizeof(chain), hex);
	assert_string_equal(hex, "8cacdae924c220b7553604b8da6f26af62b10d02c2f345d9c4ae8eaa02c6bced");
	assert_result(feed_chain_add(chain, "{}", 2), 0);
	text_to_hex(chain, sizeof(chain), hex);
	assert_string_equal(hex, "fa9690b9fd909b63749f06c8d599f3d5e1e9f9d119e10bf0af600371167f8a74");
}

static void origins(void **state)
{
	static const char *const good[] = {FEED_ORIGIN, "a/feed/b", "Host-1:8443/feed/ten_1"};
	static const char *const bad[] = {
		"",
		"/feed/ten_1",
		"a/feed/",
		"a/feed",
		"a b/feed/ten_1",
		"a/feed/ten-1",
		"a/b/feed/ten_1",
		"a/feed/ten_1/x",
		"a+b/feed/ten_1",
		"a\n/feed/ten_1",
		"a/feed/1",
		"\xC3\xA9/feed/x",
		"a/feed/b\n",
	};
	char text[300];

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(feed_origin_valid(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (feed_origin_valid(bad[i]))
			fail_msg("accepted: %s", bad[i]);
	memset(text, 'a', sizeof(text));
	strcpy(text + FEED_ORIGIN_MAX - 7, "/feed/b");
	assert_false(feed_origin_valid(text));
	strcpy(text + FEED_ORIGIN_MAX - 8, "/feed/b");
	assert_true(feed_origin_valid(text));
}

static void fault_words(void **state)
{
	for (int i = 0; i < FEED_FAULT_COUNT; i++)
		for (int j = 0; j < i; j++)
			assert_string_not_equal(feed_fault_word((enum feed_fault)i),
						feed_fault_word((enum feed_fault)j));
}

/* ---- assignment notes ------------------------------------------------------------------------------------- */

#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define ASSIGNED(host, version, tenants)                                                   \
	"tenantd-host-assignment/v1\ncontrol.example.org\nhost " host "\nversion " version \
	"\nissued 2026-09-21T14:13:20Z\n" tenants
#define ONE "tenant ten_a " HASH "\n"

static enum feed_fault read_assignment(const char *text, const struct signer *by, const struct signer *trusted)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	struct feed_assignment assignment = {.version = 4242};
	struct problem problem = {0};
	enum feed_fault fault;

	assert_result(buffer_add_text(&note, text), 0);
	feed_sign(&note, by, NULL);
	fault = feed_assignment_read(note.data, note.length, &trusted->key, &assignment, &problem);
	if (fault != FEED_FINE) {
		assert_string_not_equal(problem.text, "");
		assert_int_equal(assignment.version, 4242);
	} else {
		_cleanup_(buffer_finish) struct buffer again = BUFFER_INIT;

		assert_result(feed_assignment_write(&assignment, &again), 0);
		assert_string_equal(buffer_text(&again), text);
	}
	return fault;
}

static void assignment_notes(void **state)
{
	static const char *const bad[] = {
		ASSIGNED("", "1", ONE),
		ASSIGNED("a b", "1", ONE),
		ASSIGNED("hst_1", "0", ONE),
		ASSIGNED("hst_1", "01", ONE),
		ASSIGNED("hst_1", "9223372036854775808", ONE),
		ASSIGNED("hst_1", "1", ONE ONE),
		ASSIGNED("hst_1", "1", "tenant ten_b " HASH "\n" ONE),
		ASSIGNED("hst_1", "1", "tenant ten_a\n"),
		ASSIGNED("hst_1", "1", "tenant ten_a " HASH " \n"),
		ASSIGNED("hst_1", "1", "tenant  " HASH "\n"),
		ASSIGNED("hst_1", "1", ONE "more\n"),
		"tenantd-host-assignment/v2\ncontrol.example.org\nhost hst_1\nversion 1\n",
		"tenantd-host-assignment/v1\ncontrol.example.org\nhost hst_1\nversion 1\n",
	};
	struct signer key = signer_of("control.example.org", 1), stranger = signer_of("control.example.org", 2);
	struct signer other = signer_of("other.example.org", 1);

	assert_int_equal(read_assignment(ASSIGNED("hst_1", "1", ""), &key, &key), FEED_FINE);
	assert_int_equal(read_assignment(ASSIGNED("hst_1", "7", ONE "tenant ten_b " HASH "\n"), &key, &key), FEED_FINE);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(read_assignment(bad[i], &key, &key), FEED_MALFORMED);
	assert_int_equal(read_assignment(ASSIGNED("hst_1", "1", ONE), &stranger, &key), FEED_UNSIGNED);
	assert_int_equal(read_assignment(ASSIGNED("hst_1", "1", ONE), &other, &other), FEED_OTHER_ORIGIN);
}

/* ---- notes about hosts that are out of service ------------------------------------------------------------- */

#define KEY "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
#define DISABLED(host, key) \
	"tenantd-host-disabled/v1\ncontrol.example.org\nhost " host "\nkey " key "\nissued 2026-09-21T14:13:20Z\n"

static enum feed_fault read_disabled(const char *text, const struct signer *by, const struct signer *trusted)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	struct feed_disabled disabled = {.issued = 4242};
	struct problem problem = {0};
	enum feed_fault fault;

	assert_result(buffer_add_text(&note, text), 0);
	feed_sign(&note, by, NULL);
	fault = feed_disabled_read(note.data, note.length, &trusted->key, &disabled, &problem);
	if (fault != FEED_FINE) {
		assert_string_not_equal(problem.text, "");
		assert_int_equal(disabled.issued, 4242);
	} else {
		_cleanup_(buffer_finish) struct buffer again = BUFFER_INIT;

		assert_result(feed_disabled_write(&disabled, &again), 0);
		assert_string_equal(buffer_text(&again), text);
	}
	return fault;
}

static void disabled_notes(void **state)
{
	static const char *const bad[] = {
		DISABLED("", KEY),
		DISABLED("a b", KEY),
		DISABLED("hst_1", ""),
		DISABLED("hst_1", "a b"),
		DISABLED("hst_1", "a+b"),
		DISABLED("hst_1", KEY KEY),
		DISABLED("hst_1", KEY) "more\n",
		"tenantd-host-disabled/v2\ncontrol.example.org\nhost hst_1\nkey " KEY "\nissued 2026-09-21T14:13:20Z\n",
		"tenantd-host-disabled/v1\ncontrol.example.org\nhost hst_1\nissued 2026-09-21T14:13:20Z\n",
		"tenantd-host-disabled/v1\ncontrol.example.org\nhost hst_1\nkey " KEY "\n",
		/* Another note of the same authority is none of these. */
		ASSIGNED("hst_1", "1", ONE),
	};
	struct signer key = signer_of("control.example.org", 1), stranger = signer_of("control.example.org", 2);
	struct signer other = signer_of("other.example.org", 1);

	assert_int_equal(read_disabled(DISABLED("hst_1", KEY), &key, &key), FEED_FINE);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(read_disabled(bad[i], &key, &key), FEED_MALFORMED);
	assert_int_equal(read_assignment(DISABLED("hst_1", KEY), &key, &key), FEED_MALFORMED);
	assert_int_equal(read_disabled(DISABLED("hst_1", KEY), &stranger, &key), FEED_UNSIGNED);
	assert_int_equal(read_disabled(DISABLED("hst_1", KEY), &other, &other), FEED_OTHER_ORIGIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(head_is_read),   cmocka_unit_test(head_faults),    cmocka_unit_test(head_bytes),
		cmocka_unit_test(head_forms),     cmocka_unit_test(heads_follow),   cmocka_unit_test(trust_rotates),
		cmocka_unit_test(trust_forms),    cmocka_unit_test(snapshot_notes), cmocka_unit_test(chain),
		cmocka_unit_test(origins),        cmocka_unit_test(fault_words),    cmocka_unit_test(assignment_notes),
		cmocka_unit_test(disabled_notes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
