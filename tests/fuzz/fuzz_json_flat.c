/* SPDX-License-Identifier: MIT
 *
 * Flat JSON beside the reader that decides: what json_flat_read takes, json_read takes with equal values, and fields
 * are filled and refused alike, in the same words; what it leaves stays as it was.
 */
#include <string.h>

#include "fuzz.h"
#include "json/json_read.h"

struct record {
	const char *name;
	bool active;
	uint32_t small;
	uint64_t large;
	int64_t number;
	struct json_view object;
};

static const struct json_field fields[] = {
	{"name", JSON_FIELD_STRING, offsetof(struct record, name), JSON_FIELD_REQUIRED},
	{"active", JSON_FIELD_BOOL, offsetof(struct record, active), JSON_FIELD_NULLABLE},
	{"small", JSON_FIELD_U32, offsetof(struct record, small), 0},
	{"large", JSON_FIELD_U64, offsetof(struct record, large), 0},
	{"number", JSON_FIELD_I64, offsetof(struct record, number), 0},
	{"object", JSON_FIELD_VIEW, offsetof(struct record, object), 0},
};

static bool text_equals(const json_t *value, const char *text, uint32_t length)
{
	return json_is_string(value) && json_string_length(value) == length && strlen(text) == length &&
	       memcmp(json_string_value(value), text, length) == 0;
}

static void compare(const struct json_flat_object *flat, json_t *tree)
{
	void *at = json_object_iter(tree);

	FUZZ_CHECK(json_is_object(tree) && json_object_size(tree) == flat->count);
	for (uint32_t i = 0; i < flat->count; i++, at = json_object_iter_next(tree, at)) {
		const struct json_flat_member *member = &flat->members[i];
		json_t *value = json_object_iter_value(at);

		FUZZ_CHECK(strcmp(member->name, json_object_iter_key(at)) == 0);
		FUZZ_CHECK(strlen(member->name) == member->name_length && json_typeof(value) == member->type);
		if (member->type == JSON_STRING)
			FUZZ_CHECK(text_equals(value, member->text, member->text_length));
		if (member->type == JSON_INTEGER)
			FUZZ_CHECK(json_integer_value(value) == member->number);
		if (member->type == JSON_OBJECT)
			compare(member->object, value);
	}
}

static void compare_fields(const struct json_flat *flat, json_t *tree)
{
	struct record a = {0}, b = {0};
	struct problem first = {0}, second = {0};
	const char *field_a = "", *field_b = "";
	int r = json_view_fields((struct json_view){.flat = &flat->outer}, fields, ARRAY_LEN(fields), &a, &field_a,
				 &first);

	FUZZ_CHECK(json_fields(tree, fields, ARRAY_LEN(fields), &b, &field_b, &second) == r);
	FUZZ_CHECK(strcmp(first.text, second.text) == 0 && strcmp(field_a, field_b) == 0);
	FUZZ_CHECK(!a.name == !b.name && (!a.name || strcmp(a.name, b.name) == 0));
	FUZZ_CHECK(a.active == b.active && a.small == b.small && a.large == b.large && a.number == b.number);
	FUZZ_CHECK(!a.object.flat == !b.object.tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(json_decrefp) json_t *tree = NULL;
	/* Of exactly this size, so that a byte past it is found. */
	_cleanup_(freep) char *text = malloc(size > 0 ? size : 1);
	struct json_flat flat;

	if (!text)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	if (!json_flat_read(text, size, &flat)) {
		FUZZ_CHECK(size == 0 || memcmp(text, data, size) == 0);
		return 0;
	}
	FUZZ_CHECK(json_read((const char *)data, size, &tree, NULL) == 0);
	compare(&flat.outer, tree);
	compare_fields(&flat, tree);
	return 0;
}
