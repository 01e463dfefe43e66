/* SPDX-License-Identifier: MIT
 *
 * What a host sends of its chain, judged: what is new, what was here before, what is missing, and what is another
 * history. Chains are made with lib/trail; the requests of hosts that lie are in tests/control.
 */
#include "../unit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/api/audit_tree.h"
#include "control_plane/audit/accept.h"

#define CHAIN "AbCdEfGhIjKlMnOp"
#define HOST "hst_0123456789abcdef"
#define LEAF_ROOM 1024U
#define EVENTS_MAX 64U

struct writer {
	struct note_key key;
	uint8_t secret[ED25519_SECRET_BYTES];
	struct tlog_hash hashes[EVENTS_MAX + 1]; /* [0]: before the first */
	char leaves[EVENTS_MAX + 1][LEAF_ROOM];
	uint32_t count;
};

static void writer_init(struct writer *writer)
{
	uint8_t public[ED25519_PUBLIC_BYTES];
	struct chain_head start;

	memset(writer, 0, sizeof(*writer));
	assert_result(ed25519_make(writer->secret, public), 0);
	assert_result(chain_key_init(&writer->key, CHAIN, public), 0);
	assert_result(chain_start(&writer->key, &start), 0);
	writer->hashes[0] = start.hash;
}

static void add_text(struct writer *writer, const char *leaf)
{
	uint32_t n = ++writer->count;

	(void)snprintf(writer->leaves[n], LEAF_ROOM, "%s", leaf);
	assert_result(tlog_leaf_hash(leaf, strlen(leaf), &writer->hashes[n]), 0);
}

static void add_event(struct writer *writer, const char *kind)
{
	char prev[2 * SHA256_BYTES + 1], leaf[LEAF_ROOM];
	uint32_t n = writer->count + 1;

	text_to_hex(writer->hashes[n - 1].bytes, SHA256_BYTES, prev);
	(void)snprintf(leaf, sizeof(leaf),
		       "{\"class_uid\":3002,\"category_uid\":3,\"activity_id\":1,\"type_uid\":300201,\"severity_id\":1,"
		       "\"status_id\":1,\"time\":1700000000000,\"metadata\":{\"uid\":\"" CHAIN "-%" PRIu32
		       "\",\"event_code\":\"%s\"},\"unmapped\":{\"chain\":\"" CHAIN
		       "\",\"boot\":\"0123456789abcdef0123456789abcdef\",\"seq\":%" PRIu32 ",\"prev\":\"%s\"}}",
		       n, kind, n, prev);
	add_text(writer, leaf);
}

static void add_events(struct writer *writer, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		add_event(writer, "login-allowed");
}

/* Groups of `each` events from `first` to `last`; the host says that it is at its end. */
static void request(const struct writer *writer, uint32_t first, uint32_t last, uint32_t each, const char *missing,
		    struct buffer *ret)
{
	char vkey[NOTE_VKEY_MAX], at[2 * SHA256_BYTES + 1];

	assert_result(note_key_render(&writer->key, vkey), 0);
	text_to_hex(writer->hashes[writer->count].bytes, SHA256_BYTES, at);
	(void)buffer_printf(ret, "chain %s\nat %" PRIu32 " %s\n%s", vkey, writer->count, at, missing);
	for (; first <= last; first += each) {
		struct buffer body = BUFFER_INIT;
		struct group group = {.first = first, .count = MIN_OF(each, last - first + 1)};

		memcpy(group.chain, CHAIN, sizeof(CHAIN));
		for (uint32_t i = 0; i < group.count; i++)
			(void)buffer_printf(&body, "%s\n[]\n", writer->leaves[first + i]);
		group.prev = writer->hashes[first - 1];
		group.head = writer->hashes[first + group.count - 1];
		group.bytes = (uint32_t)body.length;
		assert_result(group_write(&group, &writer->key, writer->secret, buffer_text(&body), ret), 0);
		buffer_finish(&body);
	}
	assert_false(ret->failed);
}

static struct chain_known known_at(const struct writer *writer, uint32_t sequence)
{
	return (struct chain_known){.head = {sequence, writer->hashes[sequence]}};
}

/* Sends these to one that knows that; `taken`: how many are new. What is known then is in `known`. */
static enum judgement judge_missing(const struct writer *writer, uint32_t first, uint32_t last, const char *missing,
				    struct chain_known *known, uint32_t *ret_taken)
{
	struct buffer body = BUFFER_INIT;
	struct problem problem = {0};
	struct judged judged;
	enum judgement judgement;
	struct sent sent;

	request(writer, first, last, 3, missing, &body);
	assert_result(sent_read(body.data, body.length, &sent, &problem), 0);
	assert_string_equal(sent.chain, CHAIN);
	assert_result(sent_judge(&sent, known, HOST, &judged, &problem), 0);
	judgement = judged.judgement;
	*ret_taken = judged.count;
	/* In a row, and where something is missing as well. */
	for (uint32_t i = 1; i < judged.count; i++)
		assert_int_equal(judged.records[i].sequence, judged.records[0].sequence + i);
	if (judged.count > 0 && !judged.missing)
		assert_int_equal(judged.records[0].sequence, known->head.sequence + 1);
	if (judgement == JUDGED_FINE)
		*known = judged.now;
	judged_finish(&judged);
	sent_finish(&sent);
	buffer_finish(&body);
	return judgement;
}

static enum judgement judge(const struct writer *writer, uint32_t first, uint32_t last, struct chain_known *known,
			    uint32_t *ret_taken)
{
	return judge_missing(writer, first, last, "", known, ret_taken);
}

static void what_is_new_is_taken_once(void **state)
{
	struct writer writer;
	struct chain_known known;
	uint32_t taken;

	writer_init(&writer);
	add_events(&writer, 20);
	known = known_at(&writer, 0);
	assert_int_equal(judge(&writer, 1, 7, &known, &taken), JUDGED_FINE);
	assert_int_equal(taken, 7);
	assert_int_equal(known.head.sequence, 7);
	assert_true(tlog_hash_equal(&known.head.hash, &writer.hashes[7]));
	assert_int_equal(known.announced.sequence, 20);
	assert_int_equal(judge(&writer, 1, 7, &known, &taken), JUDGED_FINE);
	assert_int_equal(taken, 0);
	assert_int_equal(judge(&writer, 4, 20, &known, &taken), JUDGED_FINE);
	assert_int_equal(taken, 13);
	assert_int_equal(judge(&writer, 1, 0, &known, &taken), JUDGED_FINE); /* nothing at all */
	assert_int_equal(taken, 0);
	assert_int_equal(known.head.sequence, 20);
}

static void what_does_not_follow_has_to_be_said(void **state)
{
	struct writer writer;
	struct chain_known known;
	uint32_t taken;

	writer_init(&writer);
	add_events(&writer, 20);
	known = known_at(&writer, 5);
	assert_int_equal(judge(&writer, 9, 20, &known, &taken), JUDGED_GAP);
	assert_int_equal(judge_missing(&writer, 9, 20, "missing 5 8\n", &known, &taken), JUDGED_GAP);
	assert_int_equal(judge_missing(&writer, 9, 20, "missing 7 8\n", &known, &taken), JUDGED_GAP);
	assert_int_equal(known.head.sequence, 5);
	assert_int_equal(judge_missing(&writer, 9, 20, "missing 6 8\n", &known, &taken), JUDGED_FINE);
	assert_int_equal(taken, 12);
	assert_int_equal(known.head.sequence, 20);
	/* Where nothing is missing the line says nothing. */
	known = known_at(&writer, 8);
	assert_int_equal(judge_missing(&writer, 9, 20, "missing 6 8\n", &known, &taken), JUDGED_FINE);
	assert_int_equal(taken, 12);
}

/* `other` has the first `keep` events of `writer`, and others behind them. */
static void fork_of(const struct writer *writer, uint32_t keep, uint32_t more, struct writer *other)
{
	*other = *writer;
	other->count = keep;
	for (uint32_t i = 0; i < more; i++)
		add_event(other, "another-one");
}

static void another_history_is_told(void **state)
{
	struct writer writer, other;
	struct chain_known known;
	uint32_t taken;

	writer_init(&writer);
	add_events(&writer, 10);
	for (uint32_t keep = 0; keep < 10; keep++) {
		fork_of(&writer, keep, 15, &other);
		known = known_at(&writer, 10);
		/* From the beginning, from the place where we are, and without any event. */
		assert_int_equal(judge(&other, 1, other.count, &known, &taken), JUDGED_FORKED);
		assert_int_equal(judge(&other, 11, other.count, &known, &taken), JUDGED_FORKED);
		assert_int_equal(judge(&other, 10, other.count, &known, &taken), JUDGED_FORKED);
		fork_of(&writer, keep, 10 - keep, &other);
		assert_int_equal(judge(&other, 11, 10, &known, &taken), JUDGED_FORKED);
		/* Another history behind what is said to be missing is still another one where it was announced. */
		known.head = (struct chain_head){3, writer.hashes[3]};
		known.announced = (struct chain_head){10, writer.hashes[10]};
		if (keep >= 3 && keep < 10) {
			fork_of(&writer, keep, 15, &other);
			assert_int_equal(judge(&other, 4, other.count, &known, &taken), JUDGED_FORKED);
			assert_int_equal(judge_missing(&other, 11, other.count, "missing 4 10\n", &known, &taken),
					 JUDGED_FORKED);
		}
	}
}

static void an_announcement_binds_until_it_has_come(void **state)
{
	struct writer writer, longer;
	struct chain_known known;
	uint32_t taken;

	writer_init(&writer);
	add_events(&writer, 10);
	known = known_at(&writer, 0);
	assert_int_equal(judge(&writer, 1, 2, &known, &taken), JUDGED_FINE);
	assert_int_equal(known.announced.sequence, 10);
	longer = writer;
	add_events(&longer, 10);
	assert_int_equal(judge(&longer, 3, 4, &known, &taken), JUDGED_FINE);
	assert_int_equal(known.announced.sequence, 10);
	assert_int_equal(judge(&longer, 5, 12, &known, &taken), JUDGED_FINE);
	assert_int_equal(known.announced.sequence, 20); /* the next one counts from here on */
}

static void one_that_is_no_event_is_taken_as_such(void **state)
{
	static const char *const texts[] = {"", "{}", "nothing", "{\"class_uid\":3002}"};
	struct problem problem = {0};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct buffer body = BUFFER_INIT;
		struct writer writer;
		struct chain_known known;
		struct judged judged;
		struct sent sent;

		writer_init(&writer);
		add_events(&writer, 2);
		add_text(&writer, texts[i]);
		add_events(&writer, 2);
		known = known_at(&writer, 0);
		request(&writer, 1, 5, 5, "", &body);
		assert_result(sent_read(body.data, body.length, &sent, &problem), 0);
		assert_result(sent_judge(&sent, &known, HOST, &judged, &problem), 0);
		assert_int_equal(judged.judgement, JUDGED_FINE);
		assert_int_equal(judged.count, 5);
		for (uint32_t n = 0; n < 5; n++)
			assert_int_equal(judged.records[n].why != NULL, n == 2);
		judged_finish(&judged);
		sent_finish(&sent);
		buffer_finish(&body);
	}
}

static uint32_t count_faults(const struct judged *judged)
{
	uint32_t faults = 0;

	for (uint32_t i = 0; i < judged->count; i++)
		faults += judged->records[i].why || judged->records[i].why_personal;
	return faults;
}

static void every_part_of_a_request_is_refused_or_shorter(void **state)
{
	struct buffer body = BUFFER_INIT;
	struct problem problem = {0};
	struct writer writer;
	uint32_t fine = 0;
	struct sent sent;

	writer_init(&writer);
	add_events(&writer, 4);
	request(&writer, 1, 4, 2, "", &body);
	for (size_t length = 0; length <= body.length; length++) {
		/* A copy of its own, so that who reads beyond it is seen. */
		char *part = malloc(length + 1);

		memcpy(part, body.data, length);
		if (sent_read(part, length, &sent, &problem) == 0) {
			fine++;
			sent_finish(&sent);
		}
		free(part);
	}
	assert_int_equal(fine, 3); /* no group, one, both */
	for (size_t at = 0; at < body.length; at++) {
		struct chain_known known = known_at(&writer, 0);
		struct judged judged;

		body.data[at] ^= 1;
		if (sent_read(body.data, body.length, &sent, &problem) == 0) {
			if (sent_judge(&sent, &known, HOST, &judged, &problem) == 0) {
				/* Inside of an event that is not its group's last: the one behind it does not follow
				 * any more. Or that the host says it is further than it is. */
				if (judged.judgement == JUDGED_FINE && sent.at.sequence == 4)
					assert_true(count_faults(&judged) > 0);
				judged_finish(&judged);
			}
			sent_finish(&sent);
		}
		body.data[at] ^= 1;
	}
	buffer_finish(&body);
}

static void too_many_are_refused(void **state)
{
	struct buffer body = BUFFER_INIT, records = BUFFER_INIT;
	struct problem problem = {0};
	struct writer writer;
	struct sent sent;

	writer_init(&writer);
	add_text(&writer, "");
	request(&writer, 1, 0, 1, "", &body);
	for (uint32_t i = 0; i < GROUP_RECORDS_MAX; i++)
		(void)buffer_add_text(&records, "\n\n");
	for (uint32_t i = 0; i < 3; i++) {
		struct group group = {.first = i * GROUP_RECORDS_MAX + 1,
				      .count = GROUP_RECORDS_MAX,
				      .prev = i == 0 ? writer.hashes[0] : writer.hashes[1],
				      .head = writer.hashes[1],
				      .bytes = (uint32_t)records.length};

		memcpy(group.chain, CHAIN, sizeof(CHAIN));
		assert_result(group_write(&group, &writer.key, writer.secret, buffer_text(&records), &body), 0);
	}
	assert_result(sent_read(body.data, body.length, &sent, &problem), -EBADMSG);
	assert_non_null(strstr(problem.text, "more than"));
	buffer_finish(&records);
	buffer_finish(&body);
}

/* ---- paths of tiles -------------------------------------------------------------------------------------------------
 */

static void paths_of_tiles(void **state)
{
	static const struct {
		const char *path;
		unsigned level;
		uint64_t n;
		unsigned width;
		bool entries;
	} good[] = {
		{"0/000", 0, 0, 256, false},
		{"7/255", 7, 255, 256, false},
		{"0/999", 0, 999, 256, false},
		{"0/x001/000", 0, 1000, 256, false},
		{"0/x001/x234/067", 0, 1234067, 256, false},
		{"0/x001/x234/067.p/8", 0, 1234067, 8, false},
		{"entries/x039/062.p/127", 0, 39062, 127, true},
		{"1/000.p/255", 1, 0, 255, false},
	};
	static const char *const bad[] = {
		"",
		"/",
		"0",
		"0/",
		"/000",
		"0/00",
		"0/0000",
		"0/x000/001",
		"0/x001",
		"0/x001/",
		"0/x001/x001",
		"0/001/002",
		"0/001.p",
		"0/001.p/",
		"0/001.p/0",
		"0/001.p/256",
		"0/001.p/08",
		"0/001.p/-1",
		"0/001.p/1/",
		"0/001.P/1",
		"8/000",
		"entries",
		"entries/",
		"entriess/000",
		"0/x999/x999/x999/x999/x999/x999/x999/999",
		"00/000",
		"+1/000",
		"0/000 ",
		"0/ 00",
		"0/000\n",
	};
	struct tlog_tile tile;
	bool entries;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_result(tile_path_read(good[i].path, &tile, &entries), 0);
		assert_int_equal(tile.level, good[i].level);
		assert_int_equal(tile.n, good[i].n);
		assert_int_equal(tile.width, good[i].width);
		assert_int_equal(entries, good[i].entries);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_result(tile_path_read(bad[i], &tile, &entries), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_new_is_taken_once),
		cmocka_unit_test(what_does_not_follow_has_to_be_said),
		cmocka_unit_test(another_history_is_told),
		cmocka_unit_test(an_announcement_binds_until_it_has_come),
		cmocka_unit_test(one_that_is_no_event_is_taken_as_such),
		cmocka_unit_test(every_part_of_a_request_is_refused_or_shorter),
		cmocka_unit_test(too_many_are_refused),
		cmocka_unit_test(paths_of_tiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
