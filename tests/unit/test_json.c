/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/json_read.h"
#include "json/json_write.h"

static void reads(void **state)
{
	static const char *const good[] = {
		"{}",
		"[]",
		"42",
		"\"x\"",
		"null",
		"true",
		" \t\r\n[1, 2.5, -3e2]\n",
		"[\"\\ud83d\\ude00\"]",
		"[\"\xF0\x9F\x98\x80\"]",
		"{\"a\":{\"a\":1}}",
		"[\"]]]]\\\\\"]",
		"[\"\\\"[[[\"]",
		"-0",
		"9223372036854775807",
	};
	static const char *const bad[] = {
		"{\"a\"",
		"{\"a\":",
		"{\"a\"x1}",
		"{\"a\";1}",
		"{x\":1}",
		"{\"a\":1;\"b\":2}",
		"[1;2]",
		"[\"\x80\"]",
		"[\"\x81\"]",
		"[\"a\x80\"]",
		"",
		" ",
		"{",
		"}",
		"[1,]",
		"{\"a\":1,}",
		"{a:1}",
		"{'a':1}",
		"[1 2]",
		"[] []",
		"[]x",
		"nul",
		"NaN",
		"[+1]",
		"[01]",
		"[.5]",
		"[1.]",
		"[0x1]",
		"[1e999]",
		"9223372036854775808",
		"[\"\t\"]",
		"[\"\n\"]",
		"[\"a]",
		"{\"a\":1,\"a\":1}",
		"{\"a\":1,\"\\u0061\":2}",
		"[{\"x\":{\"k\":1,\"k\":2}}]",
		"[\"\\u0000\"]",
		"{\"\\u0000\":1}",
		"[\"\\ud800\"]",
		"[\"\\udc00x\"]",
		"[\"\\x41\"]",
		"[\"\xFF\"]",
		"[\"\xC0\xAF\"]",
		"[\"\xED\xA0\x80\"]",
		"\xEF\xBB\xBF[]",
		"// x\n[]",
		"[1]/**/",
		"[\"\\\"]",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		_cleanup_(json_decrefp) json_t *root = NULL;
		struct problem problem = {0};

		if (json_read(good[i], strlen(good[i]), &root, &problem) != 0)
			fail_msg("refused: %s: %s", good[i], problem.text);
		assert_non_null(root);
		assert_int_equal(problem.text[0], 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		json_t *root = NULL;
		struct problem problem = {0};
		size_t length = strlen(bad[i]);
		char *exact = malloc(length ? length : 1); /* no NUL after it to stop at */

		assert_non_null(exact);
		memcpy(exact, bad[i], length);
		if (json_read(exact, length, &root, &problem) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
		free(exact);
		assert_null(root);
		assert_int_not_equal(problem.text[0], 0);
		assert_result(json_read(bad[i], length, &root, NULL), -EBADMSG);
	}
	{
		json_t *root = NULL;

		assert_result(json_read("[1]\0", 4, &root, NULL), -EBADMSG);
		assert_result(json_read("[1\0]", 4, &root, NULL), -EBADMSG); /* jansson 2.14 takes this one */
		assert_result(json_read("[\"a\0b\"]", 7, &root, NULL), -EBADMSG);
	}
}

static void tells_the_place(void **state)
{
	struct problem problem = {0};
	json_t *root = NULL;

	assert_result(json_read("{\n  \"a\": 1,\n  \"tnt_pk_secret\": oops }", 37, &root, &problem), -EBADMSG);
	assert_int_equal(problem.line, 3);
	assert_true(problem.column > 0);
	assert_in_range(problem.column, 20, 20 + strlen("oops")); /* jansson tells a token's end */
	/* Columns are characters. */
	assert_result(json_read("[\"\xC3\xA9\xE2\x82\xAC\", x]", 12, &root, &problem), -EBADMSG);
	assert_int_equal(problem.line, 1);
	assert_in_range(problem.column, 8, 9);
	assert_string_equal(problem.text, "not valid JSON");
	assert_result(json_read("[1, ", 4, &root, &problem), -EBADMSG);
	assert_string_equal(problem.text, "JSON ends too early");
	assert_in_range(problem.column, 4, 5);
	assert_result(json_read("{\n  \"a\": 1,\n  \"tnt_pk_secret\": oops }", 37, &root, &problem), -EBADMSG);
	/* What stands there may be somebody's key. */
	assert_null(strstr(problem.text, "oops"));
	assert_null(strstr(problem.text, "secret"));
	assert_result(json_read("{\"password\":1,\"password\":2}", 27, &root, &problem), -EBADMSG);
	assert_null(strstr(problem.text, "password"));
	assert_non_null(strstr(problem.text, "twice"));
}

static void depth(void **state)
{
	char text[2 * 5000 + 1];

	for (size_t levels = 1; levels <= 5000; levels = levels < 40 ? levels + 1 : levels * 3) {
		json_t *root = NULL;

		memset(text, '[', levels);
		memset(text + levels, ']', levels);
		assert_result(json_read(text, 2 * levels, &root, NULL), levels <= JSON_DEPTH_MAX ? 0 : -EBADMSG);
		json_decref(root);
	}
	for (size_t levels = JSON_DEPTH_MAX; levels <= JSON_DEPTH_MAX + 1; levels++) {
		json_t *root = NULL;
		size_t n = 0;

		for (size_t i = 0; i < levels; i++)
			n += (size_t)(stpcpy(text + n, i + 1 < levels ? "{\"a\":" : "{") - (text + n));
		memset(text + n, '}', levels);
		assert_result(json_read(text, n + levels, &root, NULL), levels <= JSON_DEPTH_MAX ? 0 : -EBADMSG);
		json_decref(root);
	}
	{
		/* Wide is not deep. */
		json_t *root = NULL;
		size_t n = 0;

		text[n++] = '[';
		for (int i = 0; i < 2000; i++)
			n += (size_t)(stpcpy(text + n, i ? ",[]" : "[]") - (text + n));
		text[n++] = ']';
		assert_result(json_read(text, n, &root, NULL), 0);
		json_decref(root);
	}
}

struct record {
	const char *name;
	bool active;
	uint32_t uid;
	uint64_t size;
	int64_t number;
	json_t *object, *array, *strings;
};

static const struct json_field fields[] = {
	{"name", JSON_FIELD_STRING, offsetof(struct record, name), JSON_FIELD_REQUIRED},
	{"active", JSON_FIELD_BOOL, offsetof(struct record, active), JSON_FIELD_NULLABLE},
	{"uid", JSON_FIELD_U32, offsetof(struct record, uid), 0},
	{"size", JSON_FIELD_U64, offsetof(struct record, size), 0},
	{"number", JSON_FIELD_I64, offsetof(struct record, number), 0},
	{"object", JSON_FIELD_OBJECT, offsetof(struct record, object), 0},
	{"array", JSON_FIELD_ARRAY, offsetof(struct record, array), 0},
	{"strings", JSON_FIELD_STRINGS, offsetof(struct record, strings), JSON_FIELD_REQUIRED | JSON_FIELD_NULLABLE},
};

static void takes_fields(void **state)
{
	static const char text[] =
		"{\"name\":\"alice\",\"active\":true,\"uid\":4294967295,\"size\":9223372036854775807,"
		"\"number\":-9223372036854775808,\"object\":{},\"array\":[1],\"strings\":[\"a\"]}";
	_cleanup_(json_decrefp) json_t *root = NULL, *few = NULL;
	struct record record = {.uid = 7};
	const char *field = NULL;

	assert_result(json_read(text, strlen(text), &root, NULL), 0);
	assert_result(json_fields(root, fields, ARRAY_LEN(fields), &record, &field, NULL), 0);
	assert_string_equal(record.name, "alice");
	assert_true(record.active);
	assert_int_equal(record.uid, UINT32_MAX);
	assert_int_equal(record.size, INT64_MAX);
	assert_true(record.number == INT64_MIN);
	assert_int_equal(json_array_size(record.array), 1);
	assert_int_equal(json_array_size(record.strings), 1);
	assert_non_null(record.object);
	assert_null(field);
	/* Absent optional fields stay. */
	record = (struct record){.uid = 7, .active = true};
	assert_result(json_read("{\"name\":\"x\",\"active\":null,\"strings\":[]}", 39, &few, NULL), 0);
	assert_result(json_fields(few, fields, ARRAY_LEN(fields), &record, &field, NULL), 0);
	assert_int_equal(record.uid, 7);
	assert_true(record.active);
}

static void refuses_fields(void **state)
{
	static const struct {
		const char *text, *field;
	} table[] = {
		{"{}", "name"},
		{"{\"name\":\"x\"}", "strings"},
		{"{\"name\":\"x\",\"strings\":null}", "strings"}, /* null counts as absent, and it is required */
		{"{\"name\":null,\"strings\":[]}", "name"},
		{"{\"name\":1,\"strings\":[]}", "name"},
		{"{\"name\":\"x\",\"strings\":[],\"Name\":\"y\"}", "Name"},
		{"{\"name\":\"x\",\"strings\":[],\"\":1}", ""},
		{"{\"name\":\"x\",\"strings\":[],\"active\":1}", "active"},
		{"{\"name\":\"x\",\"strings\":[],\"active\":\"true\"}", "active"},
		{"{\"name\":\"x\",\"strings\":[],\"uid\":-1}", "uid"},
		{"{\"name\":\"x\",\"strings\":[],\"uid\":4294967296}", "uid"},
		{"{\"name\":\"x\",\"strings\":[],\"uid\":1.0}", "uid"},
		{"{\"name\":\"x\",\"strings\":[],\"uid\":\"1\"}", "uid"},
		{"{\"name\":\"x\",\"strings\":[],\"uid\":null}", "uid"},
		{"{\"name\":\"x\",\"strings\":[],\"size\":-1}", "size"},
		{"{\"name\":\"x\",\"strings\":[],\"number\":1e2}", "number"},
		{"{\"name\":\"x\",\"strings\":[],\"object\":[]}", "object"},
		{"{\"name\":\"x\",\"strings\":[],\"array\":{}}", "array"},
		{"{\"name\":\"x\",\"strings\":[\"a\",1]}", "strings"},
		{"{\"name\":\"x\",\"strings\":[null]}", "strings"},
		{"{\"name\":\"x\",\"strings\":\"a\"}", "strings"},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		_cleanup_(json_decrefp) json_t *root = NULL;
		struct problem problem = {0};
		struct record record = {0};
		const char *field = NULL;

		print_message("%s\n", table[i].text);
		assert_result(json_read(table[i].text, strlen(table[i].text), &root, NULL), 0);
		assert_result(json_fields(root, fields, ARRAY_LEN(fields), &record, &field, &problem), -EINVAL);
		assert_string_equal(field, table[i].field);
		assert_non_null(strstr(problem.text, table[i].field));
		assert_result(json_fields(root, fields, ARRAY_LEN(fields), &record, NULL, NULL), -EINVAL);
	}
	{
		_cleanup_(json_decrefp) json_t *array = json_array();
		const char *field = NULL;
		struct record record = {0};

		assert_result(json_fields(NULL, fields, ARRAY_LEN(fields), &record, &field, NULL), -EINVAL);
		assert_string_equal(field, "name");
		assert_result(json_fields(NULL, fields + 1, 3, &record, NULL, NULL), 0);
		assert_result(json_fields(NULL, NULL, 0, NULL, NULL, NULL), 0);
		assert_result(json_fields(array, fields + 1, 3, &record, NULL, NULL), -EINVAL);
	}
}

/* As many fields as there are bits for; the last one counts too. */
static void many_fields(void **state)
{
	struct json_field many[65];
	char names[65][8], text[32];
	uint32_t out[65] = {0};
	json_t *root = NULL;

	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		(void)snprintf(names[i], sizeof(names[i]), "f%zu", i);
		many[i] = (struct json_field){names[i], JSON_FIELD_U32, i * sizeof(uint32_t), 0};
	}
	many[63].flags = JSON_FIELD_REQUIRED;
	(void)snprintf(text, sizeof(text), "{\"f63\":7}");
	assert_result(json_read(text, strlen(text), &root, NULL), 0);
	assert_result(json_fields(root, many, 64, out, NULL, NULL), 0);
	assert_int_equal(out[63], 7);
	assert_result(json_fields(NULL, many, 64, out, NULL, NULL), -EINVAL);
	assert_result(json_fields(root, many, 65, out, NULL, NULL), -EINVAL);
	json_decref(root);
}

static void unknown_field_is_escaped(void **state)
{
	_cleanup_(json_decrefp) json_t *root = NULL;
	struct problem problem = {0};
	struct record record = {0};

	assert_result(json_read("{\"a\\nb\":1}", 10, &root, NULL), 0);
	assert_result(json_fields(root, fields, ARRAY_LEN(fields), &record, NULL, &problem), -EINVAL);
	assert_string_equal(problem.text, "field 'a\\x0ab' is not known");
}

static void writes(void **state)
{
	_cleanup_(buffer_finish) struct buffer b = BUFFER_INIT;
	struct json_writer w = json_writer(&b);

	json_begin(&w, NULL, '{');
	json_put_string(&w, "a", "x");
	json_put_string(&w, "none", NULL);
	json_put_string_if(&w, "left", "");
	json_put_string_if(&w, "left", NULL);
	json_put_string_if(&w, "kept", "y");
	json_begin(&w, "list", '[');
	json_end(&w, ']');
	json_begin(&w, "nested", '[');
	json_put_u64(&w, NULL, UINT64_MAX);
	json_put_i64(&w, NULL, INT64_MIN);
	json_put_i64(&w, NULL, INT64_MAX);
	json_put_i64(&w, NULL, 0);
	json_put_u64(&w, NULL, 0);
	json_begin(&w, NULL, '{');
	json_put_bool(&w, "t", true);
	json_put_bool(&w, "f", false);
	json_end(&w, '}');
	json_begin(&w, NULL, '[');
	json_put_null(&w, NULL);
	json_end(&w, ']');
	json_end(&w, ']');
	json_put_raw(&w, "raw", "{\"z\":1}", 7);
	json_put_string_n(&w, "cut", "abcdef", 3);
	json_end(&w, '}');
	assert_string_equal(buffer_text(&b),
			    "{\"a\":\"x\",\"none\":null,\"kept\":\"y\",\"list\":[],"
			    "\"nested\":[18446744073709551615,-9223372036854775808,9223372036854775807,0,0,"
			    "{\"t\":true,\"f\":false},[null]],\"raw\":{\"z\":1},\"cut\":\"abc\"}");
}

static void escapes(void **state)
{
	static const struct {
		const char *value;
		size_t length;
		const char *text;
	} table[] = {
		{"", 0, "\"\""},
		{NULL, 0, "\"\""},
		{"plain", 5, "\"plain\""},
		{"\"\\/", 3, "\"\\\"\\\\/\""},
		{"\b\t\n\v\f\r", 6, "\"\\b\\t\\n\\u000b\\f\\r\""},
		{"\0\x01\x1F\x7F", 4, "\"\\u0000\\u0001\\u001f\x7F\""},
		{"a\xC3\xA9z", 4, "\"a\xC3\xA9z\""},
		{"\xF0\x9F\x98\x80", 4, "\"\xF0\x9F\x98\x80\""},
		{"\xFF", 1, "\"\xEF\xBF\xBD\""},
		{"a\xC3", 2, "\"a\xEF\xBF\xBD\""},
		{"\xF0\x9F\x98", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
		{"\xED\xA0\x80", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
		{"\xC0\xAF", 2, "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		_cleanup_(buffer_finish) struct buffer b = {.limit = strlen(table[i].text)},
						       less = {.limit = b.limit - 1};
		struct json_writer w = json_writer(&b);

		/* Fits exactly, and not into a byte less. */
		json_put_string_n(&w, NULL, table[i].value, table[i].length);
		assert_false(b.failed);
		assert_string_equal(buffer_text(&b), table[i].text);
		w = json_writer(&less);
		json_put_string_n(&w, NULL, table[i].value, table[i].length);
		assert_true(less.failed);
		assert_int_equal(less.length, 0);
	}
}

/* The limit is exact with keys and commas too: the whole text fits into as many bytes as it has. */
static void write_limit(void **state)
{
	static const char text[] = "{\"a\":\"x\",\"long-key\":-12,\"l\":[true,null]}";

	for (size_t limit = sizeof(text) - 2; limit < sizeof(text); limit++) {
		_cleanup_(buffer_finish) struct buffer b = {.limit = limit};
		struct json_writer w = json_writer(&b);

		json_begin(&w, NULL, '{');
		json_put_string(&w, "a", "x");
		json_put_i64(&w, "long-key", -12);
		json_begin(&w, "l", '[');
		json_put_bool(&w, NULL, true);
		json_put_null(&w, NULL);
		json_end(&w, ']');
		json_end(&w, '}');
		assert_int_equal(b.failed, limit < sizeof(text) - 1);
		if (!b.failed)
			assert_string_equal(buffer_text(&b), text);
	}
}

/* A reservation that is too small shows where the value with its key is the last thing written. */
static void write_limit_of_one(void **state)
{
	for (size_t limit = 9; limit <= 10; limit++) {
		_cleanup_(buffer_finish) struct buffer b = {.limit = limit};
		struct json_writer w = json_writer(&b);

		json_begin(&w, NULL, '{');
		json_put_string(&w, "key", "v");
		assert_int_equal(b.failed, limit < 10);
		assert_int_equal(b.length, limit < 10 ? 1 : 10);
	}
}

/* Strings: each escape, alone and beside others, at the ends and in the middle. */
static void decodes(void **state)
{
	static const struct {
		const char *text, *value;
	} table[] = {
		{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
		{"\"\\u0041\\u00e9\\u20AC\\uD83D\\uDE00\"", "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"},
		{"\"\\u0001\\u007f\\u0080\\u07FF\\u0800\\uFFFF\"", "\x01\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF"},
		{"\"\\ud800\\udc00\\udbff\\udfff\"", "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"},
		{"\"a\\\\\"", "a\\"},
		{"\"\xC3\xA9\\n\xC3\xA9\"", "\xC3\xA9\n\xC3\xA9"},
	};
	static const char *const bad[] = {
		"\"\\",
		"\"\\\"",
		"\"\\u\"",
		"\"\\u12\"",
		"\"\\u123\"",
		"\"\\u123g\"",
		"\"\\u+123\"",
		"\"\\ud83dxude00\"",
		"\"\\ud83d\\tde00\"",
		"\"\\ud83d\"",
		"\"\\ud83dx\"",
		"\"\\ud83d\\n\"",
		"\"\\ud83d\\u\"",
		"\"\\ud83d\\u0041\"",
		"\"\\ud83d\\ud83d\"",
		"\"\\udc00\"",
		"\"\\U0041\"",
		"\"\\a\"",
		"\"\\'\"",
		"\"\\\xC3\xA9\"",
		"\"\\\n\"",
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		_cleanup_(json_decrefp) json_t *root = NULL, *object = NULL;
		char member[100];

		assert_result(json_read(table[i].text, strlen(table[i].text), &root, NULL), 0);
		assert_string_equal(json_string_value(root), table[i].value);
		/* Keys are read the same way. */
		(void)snprintf(member, sizeof(member), "{%s:1}", table[i].text);
		assert_result(json_read(member, strlen(member), &object, NULL), 0);
		assert_int_equal(json_integer_value(json_object_get(object, table[i].value)), 1);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		json_t *root = NULL;

		if (json_read(bad[i], strlen(bad[i]), &root, NULL) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
	}
}

static void numbers(void **state)
{
	static const struct {
		const char *text;
		json_int_t value;
	} table[] = {{"0", 0},
		     {"-0", 0},
		     {"7", 7},
		     {"-7", -7},
		     {"9223372036854775807", INT64_MAX},
		     {"-9223372036854775808", INT64_MIN}};
	static const char *const bad[] = {"-",
					  "--1",
					  "-a",
					  "00",
					  "-01",
					  "1e",
					  "1e+",
					  "1.e1",
					  ".1",
					  "1.1.1",
					  "1-1",
					  "1+1",
					  "1e1e1",
					  "-9223372036854775809",
					  "9223372036854775808",
					  "99999999999999999999999999",
					  "1e309",
					  "-1e309"};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		_cleanup_(json_decrefp) json_t *root = NULL;

		assert_result(json_read(table[i].text, strlen(table[i].text), &root, NULL), 0);
		assert_true(json_is_integer(root));
		assert_true(json_integer_value(root) == table[i].value);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		json_t *root = NULL;

		if (json_read(bad[i], strlen(bad[i]), &root, NULL) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
	}
	{
		_cleanup_(json_decrefp) json_t *root = NULL;

		assert_result(json_read("[1.5,-2e3,1E-400]", 17, &root, NULL), 0);
		assert_true(json_real_value(json_array_get(root, 0)) == 1.5);
		assert_true(json_real_value(json_array_get(root, 1)) == -2000);
		assert_true(json_real_value(json_array_get(root, 2)) == 0);
	}
}

/* Numbers and text do not depend on the user's locale. */
static void locale_free(void **state)
{
	_cleanup_(json_decrefp) json_t *root = NULL;

	if (!setlocale(LC_ALL, "de_DE.UTF-8"))
		skip();
	assert_result(json_read("[1.5]", 5, &root, NULL), 0);
	assert_true(json_real_value(json_array_get(root, 0)) == 1.5);
	(void)setlocale(LC_ALL, "C");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads),          cmocka_unit_test(tells_the_place),
		cmocka_unit_test(depth),          cmocka_unit_test(takes_fields),
		cmocka_unit_test(refuses_fields), cmocka_unit_test(unknown_field_is_escaped),
		cmocka_unit_test(many_fields),    cmocka_unit_test(writes),
		cmocka_unit_test(escapes),        cmocka_unit_test(locale_free),
		cmocka_unit_test(write_limit),    cmocka_unit_test(write_limit_of_one),
		cmocka_unit_test(decodes),        cmocka_unit_test(numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
