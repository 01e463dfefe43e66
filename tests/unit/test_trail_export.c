/* SPDX-License-Identifier: MIT
 *
 * Exports: whole ones, parts, filtered ones, with data erased; and everything by which one does not hold, up to the log
 * that was rewritten behind a checkpoint that somebody kept.
 */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "trail/export.h"
#include "trail_fixture.h"

struct seen {
	uint64_t count, last;
	bool named; /* the name of usr_a was in the last one about her */
};

static void see(void *context, uint64_t index, const struct leaf *leaf, json_t *event)
{
	const char *name = json_string_value(json_object_get(json_object_get(event, "user"), "name"));
	struct seen *seen = context;

	seen->count++;
	seen->last = index;
	if (leaf->person_count > 0)
		seen->named = name && strcmp(name, "-") != 0;
}

/* Feeds lines; the first fault ends it. `line` gets the line of a fault. */
static int feed(struct export_check *check, const char *text, size_t length, struct seen *seen,
		struct export_summary *ret, unsigned *ret_line)
{
	struct problem problem = {0};
	const char *at = text, *end = text + length;
	int r = 0;

	while (r == 0 && at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));

		if (!stop)
			stop = end;
		r = export_check_line(check, at, (size_t)(stop - at), seen ? see : NULL, seen, &problem);
		at = stop < end ? stop + 1 : end;
	}
	if (r == 0)
		r = export_check_end(check, ret, &problem);
	if (r < 0)
		assert_string_not_equal(problem.text, "");
	*ret_line = problem.line;
	return r;
}

/* With the log's key, and the file's own word where `own`; kept notes end with NULL. */
static int check_text(const char *text, size_t length, bool own, struct buffer *const *kept, struct seen *seen,
		      struct export_summary *ret, unsigned *ret_line)
{
	_cleanup_(export_check_freep) struct export_check *check = NULL;
	struct note_key key = trail_log_key();

	assert_result(export_check_new(own ? NULL : TRAIL_ORIGIN, own ? NULL : &key, own ? 0 : 1, &check), 0);
	for (; kept && *kept; kept++)
		assert_result(export_check_keep(check, (*kept)->data, (*kept)->length, NULL), 0);
	return feed(check, text, length, seen, ret, ret_line);
}

static int check_log(const struct trail_log *log, struct export_summary *ret)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	struct seen seen = {0};
	unsigned line;
	int r;

	trail_export(log, &text);
	r = check_text(text.data, text.length, false, NULL, &seen, ret, &line);
	if (r == 0)
		assert_int_equal(seen.count, ret->entries);
	return r;
}

static bool every_fifth(uint64_t index)
{
	return index % 5 == 2;
}

static bool no_one(uint64_t index)
{
	return false;
}

static void whole_ones(void **state)
{
	static const uint64_t sizes[] = {0, 1, 2, 3, 7, 8, 9, 300};

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct trail_log log = {.size = sizes[i]};
		struct export_summary summary;

		assert_result(check_log(&log, &summary), 0);
		assert_int_equal(summary.entries, sizes[i]);
		assert_int_equal(summary.checkpoint.size, sizes[i]);
		assert_true(summary.complete);
		assert_false(summary.own_keys);
	}
}

static void parts(void **state)
{
	struct trail_log log = {.size = 40};
	struct export_summary summary;

	for (log.at = 30; log.at <= 40; log.at += 5)
		for (log.from = 0; log.from < log.at; log.from += 3)
			for (log.to = log.from + 1; log.to <= log.at; log.to += 4) {
				assert_result(check_log(&log, &summary), 0);
				assert_true(summary.complete);
				assert_int_equal(summary.from, log.from);
				assert_int_equal(summary.to, log.to);
			}
	log = (struct trail_log){.size = 40, .from = 3, .filter = every_fifth};
	assert_result(check_log(&log, &summary), 0);
	assert_false(summary.complete);
	assert_int_equal(summary.entries, 7);
	log.filter = no_one;
	assert_result(check_log(&log, &summary), 0);
	assert_false(summary.complete);
	/* All before it is gone with its partition: the frontier alone says what was there. */
	log = (struct trail_log){.size = 40, .from = 40, .to = 40};
	assert_result(check_log(&log, &summary), 0);
	assert_true(summary.complete);
}

static void erased_ones(void **state)
{
	struct trail_log log = {.size = 12};
	struct export_summary summary;

	for (log.erased = 0; log.erased < 4; log.erased++) {
		_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
		struct seen seen = {0};
		unsigned line;

		trail_export(&log, &text);
		assert_result(check_text(text.data, text.length, false, NULL, &seen, &summary, &line), 0);
		assert_int_equal(summary.erased, 4 * __builtin_popcount(log.erased));
		assert_true(summary.complete);
		assert_int_equal(seen.named, log.erased != 3);
	}
}

/* The file's own keys: it holds by itself, and says so. */
static void own_word(void **state)
{
	struct trail_log log = {.size = 12};
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT, kept = BUFFER_INIT;
	struct buffer *list[] = {&kept, NULL};
	struct export_summary summary;
	unsigned line;

	trail_export(&log, &text);
	trail_checkpoint(&log, 5, &kept);
	assert_result(check_text(text.data, text.length, true, list, NULL, &summary, &line), 0);
	assert_true(summary.own_keys);
	assert_int_equal(summary.kept, 1);
	assert_int_equal(summary.compared, 1);
}

static void other_keys(void **state)
{
	struct trail_log log = {.size = 12};
	struct note_key key = trail_log_key(),
			others[] = {signer_of(TRAIL_ORIGIN, 1).key, signer_of("other.example", 9).key};
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	struct export_summary summary;
	unsigned line;

	trail_export(&log, &text);
	for (unsigned i = 0; i < 3; i++) {
		_cleanup_(export_check_freep) struct export_check *check = NULL;

		assert_result(export_check_new(NULL, i < 2 ? &others[i] : others, i < 2 ? 1 : 0, &check), 0);
		assert_result(feed(check, text.data, text.length, NULL, &summary, &line), -EBADMSG);
		assert_int_equal(line, 1);
	}
	{
		_cleanup_(export_check_freep) struct export_check *check = NULL;

		assert_result(export_check_new("control.example.org/audit/platform", &key, 1, &check), 0);
		assert_result(feed(check, text.data, text.length, NULL, &summary, &line), -EBADMSG);
	}
	assert_result(export_check_new(NULL, &key, EXPORT_KEYS_MAX + 1, &(struct export_check *){NULL}), -EINVAL);
}

/* ---- checkpoints that others kept ------------------------------------------------------------- */
static void kept_ones(void **state)
{
	struct trail_log log = {.size = 60, .at = 50};
	struct buffer notes[60] = {0};
	struct buffer *list[61] = {NULL};
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT, part = BUFFER_INIT;
	struct export_summary summary;
	unsigned line;

	/* In any order. */
	for (unsigned i = 0; i < 60; i++) {
		trail_checkpoint(&log, i * 7 % 60, &notes[i]);
		list[i] = &notes[i];
	}
	trail_export(&log, &text);
	assert_result(check_text(text.data, text.length, false, list, NULL, &summary, &line), 0);
	assert_int_equal(summary.kept, 60);
	assert_int_equal(summary.compared, 51); /* 0 to 50; what is newer says nothing */
	/* A part holds those of its sizes, a filtered one those beside its entries. */
	log.from = 20;
	log.to = 30;
	trail_export(&log, &part);
	assert_result(check_text(part.data, part.length, false, list, NULL, &summary, &line), 0);
	assert_int_equal(summary.compared, 11 + 2);
	buffer_clear(&part);
	log.filter = every_fifth;
	trail_export(&log, &part);
	assert_result(check_text(part.data, part.length, false, list, NULL, &summary, &line), 0);
	assert_int_equal(summary.compared, 4 + 2);
	for (unsigned i = 0; i < 60; i++)
		buffer_finish(&notes[i]);
}

/* One entry is another one by now, and all is signed anew: every checkpoint from after it tells. */
static void rewritten(void **state)
{
	struct trail_log before = {.size = 40}, after = {.size = 40, .changed = 17};
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	struct export_summary summary;
	unsigned line;

	trail_export(&after, &text);
	assert_result(check_text(text.data, text.length, false, NULL, NULL, &summary, &line), 0);
	for (uint64_t size = 0; size <= 40; size++) {
		_cleanup_(buffer_finish) struct buffer kept = BUFFER_INIT;
		struct buffer *list[] = {&kept, NULL};

		trail_checkpoint(&before, size, &kept);
		assert_result(check_text(text.data, text.length, false, list, NULL, &summary, &line),
			      size <= 17 ? 0 : -EBADMSG);
		if (size > 17)
			assert_int_equal(line, size == 40 ? 1 : size + 1);
		assert_result(check_text(text.data, text.length, true, list, NULL, &summary, &line),
			      size <= 17 ? 0 : -EBADMSG);
	}
}

/* Two histories are told by two checkpoints alone, of a size that the export does not even reach. */
static void two_heads(void **state)
{
	struct trail_log one = {.size = 40, .at = 10}, other = {.size = 40, .changed = 17};
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT, a = BUFFER_INIT, b = BUFFER_INIT, c = BUFFER_INIT;
	struct buffer *list[] = {&a, &b, NULL}, *same[] = {&a, &c, NULL};
	struct export_summary summary;
	unsigned line;

	trail_export(&one, &text);
	trail_checkpoint(&one, 30, &a);
	trail_checkpoint(&other, 30, &b);
	trail_checkpoint(&one, 30, &c);
	assert_result(check_text(text.data, text.length, false, same, NULL, &summary, &line), 0);
	assert_int_equal(summary.compared, 0);
	assert_result(check_text(text.data, text.length, false, list, NULL, &summary, &line), -EBADMSG);
	assert_int_equal(line, 1);
}

static void refused_to_keep(void **state)
{
	struct trail_log log = {.size = 5};
	struct signer platform = signer_of("control.example.org/audit/platform", 9),
		      forger = signer_of(TRAIL_ORIGIN, 1);
	_cleanup_(export_check_freep) struct export_check *check = NULL, *own = NULL;
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT, other = BUFFER_INIT, forged = BUFFER_INIT,
					       fine = BUFFER_INIT;
	struct note_key key = trail_log_key();
	struct export_summary summary;
	unsigned line;

	trail_export(&log, &text);
	trail_checkpoint(&log, 3, &fine);
	assert_result(buffer_printf(&other, "%s\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", platform.key.name),
		      0);
	feed_sign(&other, &platform, NULL);
	assert_result(buffer_add_text(&forged, TRAIL_ORIGIN "\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"), 0);
	feed_sign(&forged, &forger, NULL);
	assert_result(export_check_new(TRAIL_ORIGIN, &key, 1, &check), 0);
	assert_result(export_check_keep(check, other.data, other.length, NULL), -EREMCHG);
	assert_result(export_check_keep(check, forged.data, forged.length, NULL), -ENOKEY);
	assert_result(export_check_keep(check, "", 0, NULL), -EBADMSG);
	assert_result(export_check_keep(check, fine.data, fine.length - 1, NULL), -EBADMSG);
	assert_result(export_check_keep(check, fine.data, fine.length, NULL), 0);
	/* Not once it has begun. */
	assert_result(feed(check, text.data, text.length, NULL, &summary, &line), 0);
	assert_int_equal(summary.kept, 1);
	assert_result(export_check_keep(check, fine.data, fine.length, NULL), -EINVAL);
	/* Where the file's own keys count, its first line decides. */
	assert_result(export_check_new(NULL, NULL, 0, &own), 0);
	assert_result(export_check_keep(own, forged.data, forged.length, NULL), 0);
	assert_result(feed(own, text.data, text.length, NULL, &summary, &line), -EBADMSG);
	assert_int_equal(line, 1);
}

/* ---- what does not hold ----------------------------------------------------------------------- */
/* Line `line` (from 1) of the text replaced by nothing, or what stands there. */
static void edit(const struct buffer *text, unsigned line, const char *old, const char *new, struct buffer *ret)
{
	const char *at = text->data, *end = text->data + text->length, *found;

	buffer_clear(ret);
	for (unsigned i = 1; i < line; i++)
		at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
	found = old ? strstr(at, old) : at;
	assert_non_null(found);
	assert_true(!memchr(at, '\n', (size_t)(found - at)));
	(void)buffer_add(ret, text->data, (size_t)(found - text->data));
	(void)buffer_add_text(ret, new);
	found = old ? found + strlen(old) : (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
	(void)buffer_add(ret, found, (size_t)(end - found));
	assert_false(ret->failed);
	(void)buffer_text(ret);
}

static void refused_edits(void **state)
{
	static const struct {
		unsigned line;
		const char *old, *new;
		unsigned told; /* the line that is named */
	} table[] = {
		/* The first line. */
		{1, NULL, "", 1},
		{1, "tenantd-audit/v1", "tenantd-audit/v2", 1},
		{1, "\"from\":0", "\"from\":1", 1},
		{1, "\"from\":0", "\"from\":-1", 1},
		{1, "\"from\":0", "\"from\":21", 1},
		{1, "\"to\":20", "\"to\":21", 1},
		{1, "\"to\":20", "\"to\":9223372036854775808", 1},
		{1, "\"to\":20", "\"to\":19", 21},
		{1, "\"origin\":\"control.example.org/audit/ten", "\"origin\":\"control.example.org/audit/tan", 1},
		{1, "\"checkpoint\":\"c", "\"checkpoint\":\"C", 1},
		{1, "\\n20\\n", "\\n21\\n", 1},
		{1, "\"size\":0", "\"size\":1", 1},
		{1, "\"hashes\":[]", "\"hashes\":[\"00\"]", 1},
		{1, "\"hashes\":[]", "\"hashes\":{}", 1},
		{1, "\"hashes\":[]", "\"hashes\":[],\"more\":1", 1},
		{1, "{\"export\"", "{\"more\":1,\"export\"", 1},
		{1, "{\"export\"", "[{\"export\"", 1},
		/* Entries: removed, changed, of the wrong form. */
		{2, NULL, "", 0},
		{11, NULL, "", 0},
		{21, NULL, "", 0},
		{5, "\"index\":3", "\"index\":4", 5},
		{5, "\"index\":3", "\"index\":2", 5},
		{5, "\"index\":3", "\"index\":20", 5},
		{5, "\"index\":3", "\"index\":\"3\"", 5},
		{5, "\"index\":3,", "", 5},
		{5, "login-denied", "login-Denied", 5},
		{5, "{\\\"class_uid\\\"", "{ \\\"class_uid\\\"", 5},
		{5, "status_id\\\":2", "status_id\\\":1", 5},
		{5, "prj_1", "prj_2", 5},
		{5, "\"leaf\":\"{", "\"leaf\":\"", 5},
		{5, "\"salt\":\"01", "\"salt\":\"02", 5},
		{5, "\"patch\":\"{", "\"patch\":\"{ ", 5},
		{5, "\"patch\":\"{\\\"user\\\":{\\\"name\\\":\\\"usr_a",
		 "\"patch\":\"{\\\"user\\\":{\\\"name\\\":\\\"usr_b", 5},
		{5, "{\"person\":\"usr_a\",\"salt\"", "{\"person\":\"usr_b\",\"salt\"", 5},
		{5, "{\"person\":\"usr_a\",\"salt\"", "{\"person\":\"usr_a\",\"erased\":true,\"salt\"", 5},
		{5, "{\"person\":\"usr_a\",\"salt\"",
		 "{\"person\":\"usr_b\",\"erased\":true},{\"person\":\"usr_a\",\"salt\"", 5},
		{5, "\"personal\":[{", "\"personal\":[{},{", 5},
		{4, "\"personal\":[]", "\"personal\":[{\"person\":\"usr_a\",\"erased\":true}]", 4},
		{4, "\"personal\":[]", "\"personal\":null", 4},
		{4, "\"personal\":[],", "", 4},
		{5, "\"proof\":[\"", "\"proof\":[\"A", 5},
		{5, "\"proof\":[", "\"proof\":[\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\",", 5},
		{5, "\"proof\":[", "\"proof\":[7,", 5},
		{5, "\"proof\":[", "\"more\":[],\"proof\":[", 5},
		{5, "{\"index\"", "{\"index\":3,\"index\"", 5},
		{5, NULL, "\n", 5},
		{5, NULL, "{}\n", 5},
		{5, NULL, "7\n", 5},
		{5, NULL, "{\"end\":true,\"entries\":3}\n", 6},
		/* The last line. */
		{22, NULL, "", 0},
		{22, "\"entries\":20", "\"entries\":19", 22},
		{22, "\"entries\":20", "\"entries\":\"20\"", 22},
		{22, "\"entries\":20", "\"entries\":20,\"more\":1", 22},
		{22, "\"end\":true", "\"end\":false", 22},
		{22, "}", "}\n{\"end\":true,\"entries\":20}", 23},
		{22, "}", "}\n", 23},
	};
	struct trail_log log = {.size = 20};
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT, edited = BUFFER_INIT;
	struct export_summary summary;
	unsigned line;

	trail_export(&log, &text);
	assert_non_null(buffer_text(&text));
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		int r;

		edit(&text, table[i].line, table[i].old, table[i].new, &edited);
		r = check_text(edited.data, edited.length, false, NULL, NULL, &summary, &line);
		/* Entries left out are as with a filter, but for what the last line says. */
		if (r != -EBADMSG)
			fail_msg("row %zu is taken (%d)", i, r);
		if (table[i].told > 0 && line != table[i].told)
			fail_msg("row %zu: line %u is named", i, line);
		/* By the file's own keys, too. */
		if (check_text(edited.data, edited.length, true, NULL, NULL, &summary, &line) != -EBADMSG)
			fail_msg("row %zu is taken with its own keys", i);
	}
}

static void reordered(void **state)
{
	struct trail_log log = {.size = 20};
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT, edited = BUFFER_INIT, twice = BUFFER_INIT;
	const char *line[4];
	struct export_summary summary;
	unsigned told;

	trail_export(&log, &text);
	assert_non_null(buffer_text(&text));
	line[0] = text.data;
	for (unsigned i = 1; i < 4; i++)
		line[i] = strchr(line[i - 1], '\n') + 1;
	(void)buffer_add(&edited, line[0], (size_t)(line[1] - line[0]));
	(void)buffer_add(&edited, line[2], (size_t)(line[3] - line[2]));
	(void)buffer_add(&edited, line[1], (size_t)(line[2] - line[1]));
	(void)buffer_add(&edited, line[3], (size_t)(text.data + text.length - line[3]));
	assert_result(check_text(edited.data, edited.length, false, NULL, NULL, &summary, &told), -EBADMSG);
	assert_int_equal(told, 3);
	(void)buffer_add(&twice, line[0], (size_t)(line[2] - line[0]));
	(void)buffer_add(&twice, line[1], (size_t)(text.data + text.length - line[1]));
	assert_result(check_text(twice.data, twice.length, false, NULL, NULL, &summary, &told), -EBADMSG);
	assert_int_equal(told, 3);
}

/* An entry left out, and the last line's number made right: it holds as a filtered one, and is not complete. */
static void one_left_out(void **state)
{
	struct trail_log log = {.size = 20};
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT, edited = BUFFER_INIT, again = BUFFER_INIT;
	struct export_summary summary;
	unsigned line;

	trail_export(&log, &text);
	assert_non_null(buffer_text(&text));
	edit(&text, 11, NULL, "", &edited);
	edit(&edited, 21, "\"entries\":20", "\"entries\":19", &again);
	assert_result(check_text(again.data, again.length, false, NULL, NULL, &summary, &line), 0);
	assert_false(summary.complete);
	assert_int_equal(summary.entries, 19);
}

/* A frontier that is not the log's, where entries follow and where none does. */
static void wrong_frontiers(void **state)
{
	struct trail_log logs[] = {{.size = 40, .from = 21}, {.size = 40, .from = 40, .to = 40}};

	for (size_t i = 0; i < ARRAY_LEN(logs); i++) {
		_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
		struct export_summary summary;
		unsigned line;
		char *digit;

		trail_export(&logs[i], &text);
		assert_non_null(buffer_text(&text));
		digit = strstr(text.data, "\"hashes\":[\"") + strlen("\"hashes\":[\"");
		*digit = *digit == '0' ? '1' : '0';
		assert_result(check_text(text.data, text.length, false, NULL, NULL, &summary, &line), -EBADMSG);
		assert_int_equal(line, 2);
	}
}

static void cut_off(void **state)
{
	struct trail_log log = {.size = 4};
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	struct export_summary summary;
	unsigned line;

	trail_export(&log, &text);
	for (size_t length = 0; length + 1 < text.length; length++)
		if (check_text(text.data, length, false, NULL, NULL, &summary, &line) != -EBADMSG)
			fail_msg("%zu bytes are enough", length);
	assert_result(check_text(text.data, text.length - 1, false, NULL, NULL, &summary, &line), 0);
}

static void every_bit(void **state)
{
	struct trail_log log = {.size = 3};
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	size_t same = 0;

	trail_export(&log, &text);
	assert_non_null(buffer_text(&text));
	for (size_t i = 0; i < text.length; i++)
		for (unsigned bit = 0; bit < 8; bit += 1 + i % 3) {
			struct export_summary summary;
			unsigned line;

			text.data[i] = (char)(text.data[i] ^ 1 << bit);
			/* The vkey in the file counts only where nobody gave one, and hex of the frontier is not there;
			 * what may change is space that JSON does not see, and there is none. */
			if (check_text(text.data, text.length, false, NULL, NULL, &summary, &line) == 0) {
				const char *keys = strstr(text.data, "\"keys\":["),
					   *end = strstr(text.data, "],\"checkpoint");

				same++;
				if (!keys || !end || text.data + i < keys || text.data + i > end)
					fail_msg("bit %u of byte %zu may change", bit, i);
			}
			text.data[i] = (char)(text.data[i] ^ 1 << bit);
		}
	assert_true(same > 0);
}

static void after_a_fault(void **state)
{
	struct trail_log log = {.size = 4};
	_cleanup_(export_check_freep) struct export_check *check = NULL;
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	struct note_key key = trail_log_key();
	struct export_summary summary;
	unsigned line;

	trail_export(&log, &text);
	assert_result(export_check_new(NULL, &key, 1, &check), 0);
	assert_result(export_check_line(check, "{}", 2, NULL, NULL, NULL), -EBADMSG);
	assert_result(feed(check, text.data, text.length, NULL, &summary, &line), -EBADMSG);
	assert_int_equal(line, 2);
	assert_result(export_check_end(check, &summary, NULL), -EBADMSG);
	export_check_free(NULL);
}

static void lines_too_long(void **state)
{
	static char line[EXPORT_LINE_MAX + 1];
	_cleanup_(export_check_freep) struct export_check *check = NULL;

	memset(line, ' ', sizeof(line));
	assert_result(export_check_new(NULL, NULL, 0, &check), 0);
	assert_result(export_check_line(check, line, sizeof(line), NULL, NULL, NULL), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_ones),      cmocka_unit_test(parts),          cmocka_unit_test(erased_ones),
		cmocka_unit_test(own_word),        cmocka_unit_test(other_keys),     cmocka_unit_test(kept_ones),
		cmocka_unit_test(rewritten),       cmocka_unit_test(two_heads),      cmocka_unit_test(refused_to_keep),
		cmocka_unit_test(refused_edits),   cmocka_unit_test(reordered),      cmocka_unit_test(one_left_out),
		cmocka_unit_test(wrong_frontiers), cmocka_unit_test(cut_off),        cmocka_unit_test(every_bit),
		cmocka_unit_test(after_a_fault),   cmocka_unit_test(lines_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
