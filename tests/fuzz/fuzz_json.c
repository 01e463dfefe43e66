/* SPDX-License-Identifier: MIT
 *
 * Strict JSON: never crashes, accepts what jansson accepts and gives equal values, within the limits; and a string
 * survives being written and read again.
 */
#include <string.h>

#include "fuzz.h"
#include "json/json_read.h"
#include "json/json_write.h"

struct record {
	const char *name;
	bool active;
	uint32_t small;
	uint64_t large;
	int64_t number;
	json_t *object, *array, *strings;
};

static const struct json_field fields[] = {
	{"name", JSON_FIELD_STRING, offsetof(struct record, name), JSON_FIELD_REQUIRED},
	{"active", JSON_FIELD_BOOL, offsetof(struct record, active), JSON_FIELD_NULLABLE},
	{"small", JSON_FIELD_U32, offsetof(struct record, small), 0},
	{"large", JSON_FIELD_U64, offsetof(struct record, large), 0},
	{"number", JSON_FIELD_I64, offsetof(struct record, number), 0},
	{"object", JSON_FIELD_OBJECT, offsetof(struct record, object), 0},
	{"array", JSON_FIELD_ARRAY, offsetof(struct record, array), 0},
	{"strings", JSON_FIELD_STRINGS, offsetof(struct record, strings), 0},
};

static unsigned depth_of(json_t *value)
{
	unsigned deepest = 0, depth;

	if (!json_is_object(value) && !json_is_array(value))
		return 0;
	for (void *i = json_object_iter(value); i; i = json_object_iter_next(value, i)) {
		depth = depth_of(json_object_iter_value(i));
		deepest = MAX_OF(deepest, depth);
	}
	for (size_t i = 0; i < json_array_size(value); i++) {
		depth = depth_of(json_array_get(value, i));
		deepest = MAX_OF(deepest, depth);
	}
	return deepest + 1;
}

/* json_read takes what jansson takes and gives equal values. */
static void compare_with_jansson(const char *data, size_t size, const json_t *ours)
{
	_cleanup_(json_decrefp) json_t *theirs = NULL;
	json_error_t error;

	theirs = json_loadb(data, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (ours) {
		FUZZ_CHECK(theirs && json_equal(ours, theirs));
		return;
	}
	/* What ours alone refuses: deep nesting, and the NUL that jansson overlooks after a number. */
	FUZZ_CHECK(!theirs || depth_of(theirs) > JSON_DEPTH_MAX || memchr(data, '\0', size));
}

/* Any bytes at all become a JSON string, and valid ones come back as they were. */
static void write_and_read(const char *data, size_t size)
{
	_cleanup_(buffer_finish) struct buffer out = BUFFER_INIT, again = BUFFER_INIT;
	_cleanup_(json_decrefp) json_t *root = NULL;
	struct json_writer w = json_writer(&out);

	if (memchr(data, '\0', size))
		return;
	json_put_string_n(&w, NULL, data, size);
	FUZZ_CHECK(!out.failed);
	FUZZ_CHECK(json_read(out.data, out.length, &root, NULL) == 0);
	FUZZ_CHECK(json_is_string(root));
	w = json_writer(&again);
	json_put_string_n(&w, NULL, json_string_value(root), json_string_length(root));
	FUZZ_CHECK(again.length == out.length && memcmp(again.data, out.data, out.length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(json_decrefp) json_t *root = NULL;
	struct problem problem = {0};
	struct record record = {0};
	const char *field = NULL;
	int r;

	write_and_read(size > 0 ? (const char *)data : "", size);
	r = json_read((const char *)data, size, &root, &problem);
	compare_with_jansson((const char *)data, size, root);
	if (r < 0) {
		FUZZ_CHECK(problem.line > 0 && problem.column > 0);
		FUZZ_CHECK(!root && problem.text[0]);
		return 0;
	}
	FUZZ_CHECK(depth_of(root) <= JSON_DEPTH_MAX);
	r = json_fields(root, fields, ARRAY_LEN(fields), &record, &field, &problem);
	FUZZ_CHECK(r < 0 ? problem.text[0] != '\0' : record.name != NULL);
	return 0;
}
