/* SPDX-License-Identifier: MIT
 *
 * Leaves and personal data: what is read out of one, and everything that is none.
 */
#include "unit.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/macros.h"
#include "base/secret.h"
#include "base/text.h"
#include "trail_fixture.h"
#include "json/json_read.h"
#include "json/json_wipe.h"

#define PREV "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define BOOT "0123456789abcdef0123456789abcdef"
#define COMMITMENT "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

#define NUMBERS                                                                        \
	"\"class_uid\":3002,\"category_uid\":3,\"activity_id\":1,\"type_uid\":300201," \
	"\"severity_id\":1,\"status_id\":1,\"time\":1790000000123"
#define METADATA \
	"\"metadata\":{\"uid\":\"" TRAIL_CHAIN "-7\",\"event_code\":\"login-allowed\",\"tenant_uid\":\"ten_1\"}"
#define LINK "\"chain\":\"" TRAIL_CHAIN "\",\"boot\":\"" BOOT "\",\"seq\":7,\"prev\":\"" PREV "\""
#define PERSONAL "\"personal\":[{\"person\":\"usr_1\",\"commitment\":\"" COMMITMENT "\"}]"
#define FINE "{" NUMBERS "," METADATA ",\"unmapped\":{" LINK "," PERSONAL "}}"
/* An event without a chain: the rest of a leaf goes in. */
#define OWN(rest) "{" NUMBERS ",\"metadata\":{\"uid\":\"evt_0123456789abcdef\",\"event_code\":\"tenant.add\"}" rest "}"

static int read_text(const char *text, struct leaf *ret)
{
	struct problem problem = {0};
	struct leaf before;
	int r;

	memset(ret, 0x42, sizeof(*ret));
	before = *ret;
	r = leaf_read(text, strlen(text), ret, &problem);
	if (r < 0) {
		assert_string_not_equal(problem.text, "");
		assert_memory_equal(ret, &before, sizeof(before));
	}
	return r;
}

static void all_that_is_read(void **state)
{
	static const char text[] = "{" NUMBERS "," METADATA ",\"device\":{\"uid\":\"hst_1\",\"hostname\":\"h\"},"
				   "\"actor\":{\"user\":{\"uid\":\"usr_2\"}},\"user\":{\"uid\":\"usr_1\"},"
				   "\"unmapped\":{" LINK ",\"project_id\":\"prj_1\"," PERSONAL ",\"more\":[1]},"
				   "\"message\":\"anything \xC3\xA9 \\\" \\\\ \"}";
	struct leaf leaf;

	assert_result(read_text(text, &leaf), 0);
	assert_string_equal(leaf.id, TRAIL_CHAIN "-7");
	assert_string_equal(leaf.kind, "login-allowed");
	assert_string_equal(leaf.tenant_id, "ten_1");
	assert_string_equal(leaf.host_id, "hst_1");
	assert_string_equal(leaf.project_id, "prj_1");
	assert_string_equal(leaf.actor, "usr_2");
	assert_int_equal(leaf.class_uid, 3002);
	assert_int_equal(leaf.activity_id, 1);
	assert_int_equal(leaf.severity_id, 1);
	assert_int_equal(leaf.outcome, LEAF_SUCCESS);
	assert_int_equal(leaf.time_ms, 1790000000123);
	assert_true(leaf.linked);
	assert_string_equal(leaf.link.chain, TRAIL_CHAIN);
	assert_string_equal(leaf.link.boot, BOOT);
	assert_int_equal(leaf.link.sequence, 7);
	assert_int_equal(leaf.link.prev[31], 0x1f);
	assert_int_equal(leaf.person_count, 1);
	assert_string_equal(leaf.persons[0].person, "usr_1");
	assert_int_equal(leaf.persons[0].commitment[0], 0xff);
}

static void what_may_be_left_out(void **state)
{
	struct leaf leaf;

	assert_result(read_text(OWN(""), &leaf), 0);
	assert_false(leaf.linked);
	assert_string_equal(leaf.tenant_id, "");
	assert_string_equal(leaf.host_id, "");
	assert_string_equal(leaf.actor, "");
	assert_int_equal(leaf.person_count, 0);
	assert_result(read_text(OWN(",\"user\":{\"uid\":\"usr_1\"},\"actor\":{\"process\":{}}"), &leaf), 0);
	assert_string_equal(leaf.actor, "usr_1");
	assert_result(read_text(OWN(",\"actor\":{\"user\":{\"name\":\"x\"}},\"user\":{\"name\":\"y\"}"), &leaf), 0);
	assert_string_equal(leaf.actor, "");
	/* Somebody whom the directory does not know may be in it more than once. */
	assert_result(read_text(OWN(",\"unmapped\":{\"personal\":[{\"person\":\"-\",\"commitment\":\"" COMMITMENT
				    "\"},{\"person\":\"-\",\"commitment\":\"" COMMITMENT "\"}]}"),
				&leaf),
		      0);
	assert_int_equal(leaf.person_count, 2);
}

/* One replacement in a leaf that is fine. */
static void refused_replacements(void **state)
{
	static const struct {
		const char *old, *new;
	} table[] = {
		{"\"class_uid\":3002,", ""},
		{"\"category_uid\":3,", ""},
		{"\"activity_id\":1,", ""},
		{"\"type_uid\":300201,", ""},
		{"\"severity_id\":1,", ""},
		{"\"status_id\":1,", ""},
		{",\"time\":1790000000123", ""},
		{"\"class_uid\":3002", "\"class_uid\":\"3002\""},
		{"\"class_uid\":3002", "\"class_uid\":3002.0"},
		{"\"class_uid\":3002", "\"class_uid\":-1"},
		{"\"class_uid\":3002", "\"class_uid\":3003"},
		{"\"class_uid\":3002", "\"class_uid\":3002,\"class_uid\":3002"},
		{"\"category_uid\":3", "\"category_uid\":4"},
		{"\"activity_id\":1", "\"activity_id\":2"},
		{"\"activity_id\":1", "\"activity_id\":100"},
		{"\"type_uid\":300201", "\"type_uid\":300202"},
		{"\"type_uid\":300201", "\"type_uid\":9223372036854775808"},
		{"\"severity_id\":1", "\"severity_id\":7"},
		{"\"severity_id\":1", "\"severity_id\":null"},
		{"\"status_id\":1", "\"status_id\":3"},
		{"\"status_id\":1", "\"status_id\":true"},
		{"1790000000123", "0"},
		{"1790000000123", "-1790000000123"},
		{"1790000000123", "1.79e12"},
		{"1790000000123", "253402300800000"},
		{"\"metadata\":", "\"metadata2\":"},
		{"\"uid\":\"" TRAIL_CHAIN "-7\",", ""},
		{"\"uid\":\"" TRAIL_CHAIN "-7\"", "\"uid\":\"" TRAIL_CHAIN "-8\""},
		{"\"uid\":\"" TRAIL_CHAIN "-7\"", "\"uid\":\"" TRAIL_CHAIN "-07\""},
		{"\"uid\":\"" TRAIL_CHAIN "-7\"", "\"uid\":\"evt_0123456789abcdef\""},
		{"\"uid\":\"" TRAIL_CHAIN "-7\"", "\"uid\":7"},
		{"login-allowed", ""},
		{"login-allowed", "Login"},
		{"login-allowed", "login allowed"},
		{"login-allowed", "7login"},
		{"login-allowed", "a23456789012345678901234567890123456789012345678901234567890123x"},
		{"\"event_code\":", "\"eventcode\":"},
		{"ten_1", ""},
		{"ten_1", "ten/1"},
		{"ten_1", "_ten"},
		{"ten_1", "t2345678901234567890123456789012345678901"},
		{"\"tenant_uid\":\"ten_1\"", "\"tenant_uid\":null"},
		{"\"chain\":\"" TRAIL_CHAIN "\",", ""},
		{"\"chain\":\"" TRAIL_CHAIN "\"", "\"chain\":\"0aA1bB2cC3dD4eE\""},
		{"\"chain\":\"" TRAIL_CHAIN "\"", "\"chain\":\"0aA1bB2cC3dD4eE_\""},
		{"\"chain\":\"" TRAIL_CHAIN "\"", "\"chain\":\"0aA1bB2cC3dD4eE55\""},
		{"\"boot\":\"" BOOT "\",", ""},
		{"\"boot\":\"0", "\"boot\":\"A"},
		{"\"boot\":\"0", "\"boot\":\""},
		{"\"seq\":7,", ""},
		{"\"seq\":7", "\"seq\":8"},
		{"\"seq\":7", "\"seq\":\"7\""},
		{"\"seq\":7", "\"seq\":0"},
		{"\"prev\":\"00", "\"prev\":\"0"},
		{"\"prev\":\"00", "\"prev\":\"0G"},
		{"1d1e1f\"," PERSONAL, "1d1e1F\"," PERSONAL},
		{",\"prev\":\"" PREV "\"", ""},
		{"\"unmapped\":{", "\"unmapped2\":{"},
		{"[{\"person\"", "{\"a\":{\"person\""},
		{PERSONAL, "\"personal\":[]"},
		{PERSONAL, "\"personal\":{}"},
		{PERSONAL, "\"personal\":null"},
		{PERSONAL, "\"personal\":[\"usr_1\"]"},
		{"\"person\":\"usr_1\"", "\"person\":\"\""},
		{"\"person\":\"usr_1\"", "\"person\":\"--\""},
		{"\"person\":\"usr_1\"", "\"person\":\"usr 1\""},
		{"\"person\":\"usr_1\",", ""},
		{"\"person\":\"usr_1\",", "\"person\":\"usr_1\",\"name\":\"alice\","},
		{"\"commitment\":\"ff", "\"commitment\":\"FF"},
		{"\"commitment\":\"ff", "\"commitment\":\"f"},
		{"}}", "}"},
		{"}}", "}}}"},
		{"}}", "}} x"},
		{"}}", "},\"actor\":[]}"},
		{"}}", "},\"actor\":{\"user\":\"usr_1\"}}"},
		{"}}", "},\"actor\":{\"user\":{\"uid\":\"a b\"}}}"},
		{"}}", "},\"user\":{\"uid\":7}}"},
		{"}}", "},\"user\":null}"},
		{"}}", "},\"device\":{\"uid\":\"\"}}"},
		{"}}", ",\"project_id\":\"p/1\"}}"},
		{"}}", "},\"message\":\"a\\nb\"}"},
		{"}}", "},\"message\":\"a\\u001bb\"}"},
		{"}}", "},\"message\":\"a\\u007fb\"}"},
		{"}}", "},\"message\":\"a\\u0085b\"}"},
		{"}}", "},\"message\":\"a\\u202eb\"}"},
		{"}}", "},\"message\":[{\"a\\u2028\":1}]}"},
		{"}}", "},\"message\":\"a\\u0000b\"}"},
		{"}}", "},\"message\":\"\xE2\x80\xAE\"}"},
		{"}}", "},\"message\":\"\x1b\"}"},
		{"}}", "},\"message\":\"\x7f\"}"},
		{"}}", "},\"message\":\"\xC2\x85\"}"},
		{"}}", "},\"message\":\"\xFF\"}"},
		{"}}", "},\"message\":\"\xED\xA0\x80\"}"},
		{"}}", "},\n\"message\":1}"},
		{"}}", "}}\n"},
		{"{\"class", "[{\"class"},
	};
	struct leaf leaf;
	char text[2048];

	assert_result(read_text(FINE, &leaf), 0);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const char *at = strstr(FINE, table[i].old);

		assert_non_null(at);
		(void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - FINE), FINE, table[i].new,
			       at + strlen(table[i].old));
		if (read_text(text, &leaf) != -EBADMSG)
			fail_msg("row %zu is taken: %s", i, text);
	}
}

static void refused_texts(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"{}",
		"[]",
		"7",
		"null",
		"\"\"",
		OWN(",\"unmapped\":{\"boot\":\"" BOOT "\"}"),
		OWN(",\"unmapped\":{\"seq\":7}"),
		OWN(",\"unmapped\":{\"prev\":\"" PREV "\"}"),
		"{" NUMBERS ",\"metadata\":{\"uid\":\"evt_0123456789abcde\",\"event_code\":\"a\"}}",
		"{" NUMBERS ",\"metadata\":{\"uid\":\"evt_0123456789abcde-\",\"event_code\":\"a\"}}",
		"{" NUMBERS ",\"metadata\":{\"uid\":\"" TRAIL_CHAIN "-1\",\"event_code\":\"a\"}}",
		/* One person twice, and five of them. */
		OWN(",\"unmapped\":{\"personal\":[{\"person\":\"usr_1\",\"commitment\":\"" COMMITMENT
		    "\"},{\"person\":\"usr_1\",\"commitment\":\"" COMMITMENT "\"}]}"),
		OWN(",\"unmapped\":{\"personal\":[{\"person\":\"-\",\"commitment\":\"" COMMITMENT
		    "\"},{\"person\":\"-\",\"commitment\":\"" COMMITMENT
		    "\"},{\"person\":\"-\",\"commitment\":\"" COMMITMENT
		    "\"},{\"person\":\"-\",\"commitment\":\"" COMMITMENT
		    "\"},{\"person\":\"-\",\"commitment\":\"" COMMITMENT "\"}]}"),
	};
	struct leaf leaf;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (read_text(bad[i], &leaf) != -EBADMSG)
			fail_msg("taken: %s", bad[i]);
	for (size_t length = 0; length + 1 < sizeof(FINE); length++)
		assert_result(leaf_read(FINE, length, &leaf, NULL), -EBADMSG);
	/* A NUL is no end. */
	assert_result(leaf_read(FINE, sizeof(FINE), &leaf, NULL), -EBADMSG);
}

static void too_long_or_deep(void **state)
{
	static char text[LEAF_BYTES_MAX + 2];
	static const char start[] = OWN(",\"message\":\"");
	struct leaf leaf;
	size_t head = strlen(start) - 1;

	memset(text, 'x', sizeof(text));
	memcpy(text, start, head);
	memcpy(text + LEAF_BYTES_MAX - 2, "\"}", 2);
	assert_result(leaf_read(text, LEAF_BYTES_MAX, &leaf, NULL), 0);
	memcpy(text + LEAF_BYTES_MAX - 2, "x\"}", 3);
	assert_result(leaf_read(text, LEAF_BYTES_MAX + 1, &leaf, NULL), -EBADMSG);
	memcpy(text + head - 1, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 40);
	assert_result(leaf_read(text, LEAF_BYTES_MAX, &leaf, NULL), -EBADMSG);
}

/* ---- personal data ---------------------------------------------------------------------------- */
/* A leaf about persons with these patches, and the line beside it. */
static void bind_to(const char *const *persons, const char *const *patches, struct buffer *text, struct buffer *line)
{
	struct personal_list list;

	trail_personal(&list, persons);
	for (uint32_t i = 0; patches && i < list.count; i++) {
		free(list.items[i].patch);
		list.items[i].patch = strdup(patches[i]);
	}
	buffer_clear(text);
	buffer_clear(line);
	trail_leaf(text, NULL, 1, NULL, &list);
	assert_result(personal_write(&list, line), 0);
	personal_finish(&list);
}

static int read_line(const struct buffer *text, const char *line, size_t length, struct personal_list *ret)
{
	struct problem problem = {0};
	struct leaf leaf;
	int r;

	assert_result(leaf_read(text->data, text->length, &leaf, NULL), 0);
	*ret = (struct personal_list){0};
	r = personal_read(line, length, &leaf, ret, &problem);
	if (r < 0) {
		assert_string_not_equal(problem.text, "");
		assert_int_equal(ret->count, 0);
	}
	return r;
}

static void written_and_read(void **state)
{
	const char *const persons[] = {"usr_a", "-", "usr_b", "usr_c", NULL};
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT, line = BUFFER_INIT, again = BUFFER_INIT;
	_cleanup_(personal_finish) struct personal_list list = {0};

	bind_to(persons, NULL, &text, &line);
	assert_result(read_line(&text, line.data, line.length, &list), 0);
	assert_int_equal(list.count, 4);
	assert_string_equal(list.items[1].person, "-");
	assert_string_equal(list.items[2].patch, "{\"user\":{\"name\":\"usr_b\"}}");
	assert_int_equal(list.items[3].salt[31], 4);
	assert_result(personal_write(&list, &again), 0);
	assert_string_equal(buffer_text(&again), buffer_text(&line));
}

static void the_commitment(void **state)
{
	uint8_t salt[SALT_BYTES], commitment[SHA256_BYTES];
	char hex[2 * SHA256_BYTES + 1];

	/* { printf 'tenantd-audit-personal/v1\n'; head -c 32 /dev/zero | tr '\0' '\007'; printf '{}'; } | sha256sum */
	memset(salt, 7, sizeof(salt));
	assert_result(personal_commitment(salt, "{}", 2, commitment), 0);
	text_to_hex(commitment, SHA256_BYTES, hex);
	assert_string_equal(hex, "e0478f7b0a2beacfe01787210e110171719bcb59a55747acf7ae9f0db002aa98");
}

static void every_byte_of_the_line(void **state)
{
	const char *const persons[] = {"usr_a", "-", NULL};
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT, line = BUFFER_INIT;
	struct personal_list list;

	bind_to(persons, NULL, &text, &line);
	for (size_t i = 0; i < line.length; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			line.data[i] = (char)(line.data[i] ^ 1 << bit);
			if (read_line(&text, line.data, line.length, &list) >= 0)
				fail_msg("bit %u of byte %zu may change", bit, i);
			line.data[i] = (char)(line.data[i] ^ 1 << bit);
		}
	for (size_t length = 0; length < line.length; length++)
		assert_result(read_line(&text, line.data, length, &list), -EBADMSG);
}

static void lines_of_others(void **state)
{
	const char *const both[] = {"usr_a", "usr_b", NULL}, *const other[] = {"usr_b", "usr_a", NULL},
			  *const one[] = {"usr_a", NULL};
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT, line = BUFFER_INIT, unused = BUFFER_INIT;
	struct personal_list list;

	bind_to(both, NULL, &text, &line);
	bind_to(other, NULL, &unused, &line);
	assert_result(read_line(&text, line.data, line.length, &list), -EBADMSG);
	bind_to(one, NULL, &unused, &line);
	assert_result(read_line(&text, line.data, line.length, &list), -EBADMSG);
	assert_result(read_line(&text, "[]", 2, &list), -EBADMSG);
	assert_result(read_line(&text, "{}", 2, &list), -EBADMSG);
	assert_result(read_line(&text, "[null,null]", 11, &list), -EBADMSG);
	bind_to(both, NULL, &unused, &line);
	bind_to(one, NULL, &text, &unused);
	assert_result(read_line(&text, line.data, line.length, &list), -EBADMSG);
	bind_to(NULL, NULL, &text, &unused);
	assert_result(read_line(&text, line.data, line.length, &list), -EBADMSG);
	assert_result(read_line(&text, "[]", 2, &list), 0);
	assert_result(read_line(&text, "[ ]\n", 4, &list), -EBADMSG);
}

/* What no patch may say, though the leaf is bound to it. */
static void patches_that_change(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"null",
		"\"name\"",
		"{\"a\":1,\"a\":1}",
		"{\"a\":\"\\u0000\"}",
		"{\"user\":{\"email_addr\":\"a\\nb\"}}",
		"{\"user\":{\"name\":\"\\u001b[2J\"}}",
		"{\"user\":{\"name\":\"\xe2\x80\xaegnp.exe\"}}",
		"{\"unmapped\":{\"data\":[{\"\\u0085\":1}]}}",
		"{\"unmapped\":{\"data\":[\"\xc2\x9b\"]}}",
		"{\"user\":\n{}}",
		"{\"a\":1} ,",
		"{\"class_uid\":6003}",
		"{\"category_uid\":null}",
		"{\"activity_id\":1}",
		"{\"type_uid\":1}",
		"{\"severity_id\":0}",
		"{\"status_id\":1}",
		"{\"time\":0}",
		"{\"metadata\":{}}",
		"{\"metadata\":null}",
		"{\"user\":null}",
		"{\"user\":\"alice\"}",
		"{\"user\":{\"uid\":\"usr_2\"}}",
		"{\"user\":{\"uid\":null}}",
		"{\"actor\":[]}",
		"{\"actor\":{\"user\":7}}",
		"{\"actor\":{\"user\":{\"uid\":\"usr_2\"}}}",
		"{\"device\":{\"uid\":\"hst_2\"}}",
		"{\"unmapped\":null}",
		"{\"unmapped\":{\"project_id\":\"prj_2\"}}",
		"{\"unmapped\":{\"chain\":null}}",
		"{\"unmapped\":{\"boot\":null}}",
		"{\"unmapped\":{\"seq\":1}}",
		"{\"unmapped\":{\"prev\":1}}",
		"{\"unmapped\":{\"personal\":[]}}",
	};
	static const char *const fine[] = {
		"{}",
		"{\"user\":{\"name\":\"al\\u00efce\",\"email_addr\":\"a\\\\nb\"}}",
		"{\"actor\":{\"user\":{\"name\":\"alice\"},\"process\":{\"user\":{\"uid\":\"1000\"}}}}",
		"{\"unmapped\":{\"detail\":\"x\"},\"src_endpoint\":{\"ip\":\"192.0.2.1\"}}",
	};
	const char *const one[] = {"usr_a", NULL};
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT, line = BUFFER_INIT;
	struct personal_list list;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		bind_to(one, &bad[i], &text, &line);
		if (read_line(&text, line.data, line.length, &list) != -EBADMSG)
			fail_msg("taken: %s", bad[i]);
		list.count = 1;
		(void)snprintf(list.items[0].person, sizeof(list.items[0].person), "usr_a");
		list.items[0].patch = strdup(bad[i]);
		assert_null(leaf_merge(text.data, text.length, &list));
		personal_finish(&list);
	}
	for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
		bind_to(one, &fine[i], &text, &line);
		assert_result(read_line(&text, line.data, line.length, &list), 0);
		personal_finish(&list);
	}
}

static void patches_too_long(void **state)
{
	const char *const four[] = {"usr_a", "usr_b", "usr_c", "usr_d", NULL};
	static char patch[PATCH_BYTES_MAX + 2];
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT, line = BUFFER_INIT;
	const char *patches[] = {patch, patch, patch, patch};
	struct personal_list list;

	/* The longest that there are, of backslashes, which the line has twice. */
	memset(patch, '\\', PATCH_BYTES_MAX);
	memcpy(patch, "{\"a\":\"", 6);
	memcpy(patch + PATCH_BYTES_MAX - 2, "\"}", 3);
	bind_to(four, patches, &text, &line);
	assert_true(line.length <= PERSONAL_BYTES_MAX);
	assert_result(read_line(&text, line.data, line.length, &list), 0);
	personal_finish(&list);
	memcpy(patch + PATCH_BYTES_MAX - 2, "x\"}", 4);
	bind_to(four, patches, &text, &line);
	assert_result(read_line(&text, line.data, line.length, &list), -EBADMSG);
}

/* The cases of RFC 7396, appendix A, that start from objects, with the leaf's own members around them. */
static void merged(void **state)
{
	static const struct {
		const char *leaf, *patch, *result;
	} table[] = {
		{"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
		{"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
		{"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
		{"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
		{"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
		{"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
		{"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
		{"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
		{"{\"e\":null}", "{\"a\":1}", "{\"a\":1,\"e\":null}"},
		{"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
		{"{\"a\":7}", "{\"a\":{\"b\":null}}", "{\"a\":{}}"},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct personal_list list = {.count = 1, .items[0].patch = strdup(table[i].patch)};
		_cleanup_(json_forget) json_t *event = leaf_merge(table[i].leaf, strlen(table[i].leaf), &list);
		_cleanup_(json_decrefp) json_t *expected = NULL;

		assert_result(json_read(table[i].result, strlen(table[i].result), &expected, NULL), 0);
		assert_non_null(event);
		if (!json_equal(event, expected))
			fail_msg("row %zu", i);
		personal_finish(&list);
	}
	assert_null(leaf_merge("[]", 2, &(struct personal_list){0}));
	assert_null(leaf_merge("{", 1, &(struct personal_list){0}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_is_read),     cmocka_unit_test(what_may_be_left_out),
		cmocka_unit_test(refused_replacements), cmocka_unit_test(refused_texts),
		cmocka_unit_test(too_long_or_deep),     cmocka_unit_test(written_and_read),
		cmocka_unit_test(the_commitment),       cmocka_unit_test(every_byte_of_the_line),
		cmocka_unit_test(lines_of_others),      cmocka_unit_test(patches_that_change),
		cmocka_unit_test(patches_too_long),     cmocka_unit_test(merged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
