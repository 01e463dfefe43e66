/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "json/json_read.h"

/* In memory of exactly its size, which sanitizers watch. */
static bool flat(const char *text, char **ret_copy, struct json_flat *ret)
{
	size_t length = strlen(text);

	*ret_copy = malloc(length > 0 ? length : 1);
	assert_non_null(*ret_copy);
	memcpy(*ret_copy, text, length);
	return json_flat_read(*ret_copy, length, ret);
}

static void takes_a_line(void **state)
{
	_cleanup_(freep) char *copy = NULL;
	struct json_flat line;
	const struct json_flat_object *body;

	assert_true(flat("{\"kind\":\"user\",\"ver\":42,\"body\":{\"name\":\"Zo\xC3\xAB\",\"on\":true,\"off\":false,"
			 "\"uid\":0},\"last\":999999999999999999}",
			 &copy, &line));
	assert_int_equal(line.outer.count, 4);
	assert_string_equal(line.outer.members[0].name, "kind");
	assert_string_equal(line.outer.members[0].text, "user");
	assert_int_equal(line.outer.members[1].type, JSON_INTEGER);
	assert_int_equal(line.outer.members[1].number, 42);
	assert_int_equal(line.outer.members[2].type, JSON_OBJECT);
	assert_int_equal(line.outer.members[3].number, 999999999999999999);
	body = line.outer.members[2].object;
	assert_int_equal(body->count, 4);
	assert_string_equal(body->members[0].text, "Zo\xC3\xAB");
	assert_int_equal(body->members[1].type, JSON_TRUE);
	assert_int_equal(body->members[2].type, JSON_FALSE);
	assert_int_equal(body->members[3].number, 0);
}

/* Left to json_read, and untouched: much of it is JSON, some is not. */
static void leaves_what_is_unusual(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"}",
		"[]",
		"1",
		"\"a\"",
		" {}",
		"{} ",
		"{}{}",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{,}",
		"{\"a\":1 }",
		"{\"a\": 1}",
		"{\"a\":1;\"b\":2}",
		"{a:1}",
		"{\"a\":null}",
		"{\"a\":[]}",
		"{\"a\":-1}",
		"{\"a\":01}",
		"{\"a\":00}",
		"{\"a\":1.0}",
		"{\"a\":1e3}",
		"{\"a\":1000000000000000000}",
		"{\"a\":tru}",
		"{\"a\":truer}",
		"{\"a\":True}",
		"{\"a\":fals",
		"{\"a\":\"\\u0041\"}",
		"{\"\\u0041\":1}",
		"{\"a\":\"\t\"}",
		"{\"a\":\"\xFF\"}",
		"{\"a\":\"\xC0\x80\"}",
		"{\"a\":\"\xED\xA0\x80\"}",
		"{\"a\":\"\xC3",
		"{\"a\":\"b",
		"{\"a\":\"b}",
		"{\"a\":1,\"a\":2}",
		"{\"a\":{\"b\":1,\"b\":2}}",
		"{\"a\":{\"b\":{}}}",
		"{\"a\":{},\"b\":{}}",
		("{\"a\":0,\"b\":0,\"c\":0,\"d\":0,\"e\":0,\"f\":0,\"g\":0,\"h\":0,\"i\":0,\"j\":0,\"k\":0,\"l\":0,"
		 "\"m\":0,\"n\":0,\"o\":0,\"p\":0,\"q\":0}"),
	};
	struct json_flat line;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		_cleanup_(freep) char *copy = NULL;

		if (flat(texts[i], &copy, &line))
			fail_msg("taken: %s", texts[i]);
		assert_memory_equal(copy, texts[i], strlen(texts[i]));
	}
}

static void leaves_a_nul(void **state)
{
	char text[] = "{\"a\":\"\0\"}";
	struct json_flat line;

	assert_false(json_flat_read(text, sizeof(text) - 1, &line));
}

struct filled {
	const char *name;
	bool on;
	uint32_t small;
	uint64_t large;
	int64_t number;
	json_t *object, *array, *strings;
	struct json_view view;
};

static const struct json_field fields[] = {
	{"name", JSON_FIELD_STRING, offsetof(struct filled, name), JSON_FIELD_REQUIRED},
	{"on", JSON_FIELD_BOOL, offsetof(struct filled, on), 0},
	{"small", JSON_FIELD_U32, offsetof(struct filled, small), 0},
	{"large", JSON_FIELD_U64, offsetof(struct filled, large), 0},
	{"number", JSON_FIELD_I64, offsetof(struct filled, number), 0},
	{"object", JSON_FIELD_OBJECT, offsetof(struct filled, object), 0},
	{"array", JSON_FIELD_ARRAY, offsetof(struct filled, array), 0},
	{"strings", JSON_FIELD_STRINGS, offsetof(struct filled, strings), 0},
	{"view", JSON_FIELD_VIEW, offsetof(struct filled, view), 0},
};

/* Both ways of reading fill and refuse alike, in the same words, and a refused member is not stored. */
static void fills_as_trees_do(void **state)
{
	static const char *const texts[] = {
		"{\"name\":\"a\",\"on\":true,\"small\":4294967295,\"large\":5,\"number\":6,\"view\":{\"x\":1}}",
		"{\"view\":{},\"number\":1,\"name\":\"\"}",
		"{}",
		"{\"on\":true}",
		"{\"name\":1}",
		"{\"name\":true}",
		"{\"name\":{}}",
		"{\"name\":\"a\",\"on\":1}",
		"{\"name\":\"a\",\"on\":\"true\"}",
		"{\"name\":\"a\",\"small\":4294967296}",
		"{\"name\":\"a\",\"small\":\"1\"}",
		"{\"name\":\"a\",\"small\":true}",
		"{\"name\":\"a\",\"large\":{}}",
		"{\"name\":\"a\",\"number\":\"1\"}",
		"{\"name\":\"a\",\"object\":1}",
		"{\"name\":\"a\",\"array\":1}",
		"{\"name\":\"a\",\"array\":{}}",
		"{\"name\":\"a\",\"strings\":\"a\"}",
		"{\"name\":\"a\",\"view\":1}",
		"{\"name\":\"a\",\"other\":1}",
		"{\"other\":1}",
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		_cleanup_(json_decrefp) json_t *tree = NULL;
		_cleanup_(freep) char *copy = NULL;
		struct problem first = {0}, second = {0};
		struct filled a = {0}, b = {0};
		const char *field_a = NULL, *field_b = NULL;
		struct json_flat line;
		int r;

		assert_true(flat(texts[i], &copy, &line));
		assert_int_equal(json_read(texts[i], strlen(texts[i]), &tree, NULL), 0);
		r = json_view_fields((struct json_view){.flat = &line.outer}, fields, ARRAY_LEN(fields), &a, &field_a,
				     &first);
		assert_int_equal(r, json_fields(tree, fields, ARRAY_LEN(fields), &b, &field_b, &second));
		assert_int_equal(r, i < 2 ? 0 : -EINVAL);
		assert_string_equal(first.text, second.text);
		assert_true(!field_a == !field_b && (!field_a || strcmp(field_a, field_b) == 0));
		assert_true(!a.name == !b.name && (!a.name || strcmp(a.name, b.name) == 0));
		assert_true(a.on == b.on && a.small == b.small && a.large == b.large && a.number == b.number);
		assert_true(!a.object && !b.object && !a.array && !a.strings);
		assert_true(!a.view.flat == !b.view.tree);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_a_line),
		cmocka_unit_test(leaves_what_is_unusual),
		cmocka_unit_test(leaves_a_nul),
		cmocka_unit_test(fills_as_trees_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
