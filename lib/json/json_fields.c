/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "json/json_read.h"

#define FIELDS_MAX 64U /* one bit each in `seen` */

static bool all_strings(const json_t *array)
{
	for (size_t i = 0; i < json_array_size(array); i++)
		if (!json_is_string(json_array_get(array, i)))
			return false;
	return true;
}

/* What the member should be, when it is not; NULL when it was stored. */
static const char *store(const struct json_field *field, json_t *value, void *out)
{
	void *to = (char *)out + field->offset;
	json_int_t number;

	switch (field->type) {
	case JSON_FIELD_STRING:
		if (!json_is_string(value))
			return "a string";
		*(const char **)to = json_string_value(value);
		return NULL;
	case JSON_FIELD_BOOL:
		if (!json_is_boolean(value))
			return "true or false";
		*(bool *)to = json_is_true(value);
		return NULL;
	case JSON_FIELD_U32:
		number = json_integer_value(value);
		if (!json_is_integer(value) || number < 0 || number > UINT32_MAX)
			return "a whole number from 0 to 4294967295";
		*(uint32_t *)to = (uint32_t)number;
		return NULL;
	case JSON_FIELD_U64:
		number = json_integer_value(value);
		if (!json_is_integer(value) || number < 0)
			return "a whole number, not negative";
		*(uint64_t *)to = (uint64_t)number;
		return NULL;
	case JSON_FIELD_I64:
		if (!json_is_integer(value))
			return "a whole number";
		*(int64_t *)to = json_integer_value(value);
		return NULL;
	case JSON_FIELD_OBJECT:
		if (!json_is_object(value))
			return "an object";
		*(json_t **)to = value;
		return NULL;
	case JSON_FIELD_ARRAY:
		if (!json_is_array(value))
			return "a list";
		*(json_t **)to = value;
		return NULL;
	case JSON_FIELD_STRINGS:
		if (!json_is_array(value) || !all_strings(value))
			return "a list of strings";
		*(json_t **)to = value;
		return NULL;
	}
	return "of a known type";
}

static const struct json_field *find_field(const struct json_field *fields, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	return NULL;
}

int json_fields(json_t *object, const struct json_field *fields, size_t count, void *out, const char **ret_field,
		struct problem *problem)
{
	uint64_t seen = 0;

	if (count > FIELDS_MAX || (object && !json_is_object(object)))
		return problem_set(problem, EINVAL, "not an object");
	for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i)) {
		const char *name = json_object_iter_key(i), *expected;
		json_t *value = json_object_iter_value(i);
		const struct json_field *field = find_field(fields, count, name);

		if (!field) {
			if (ret_field)
				*ret_field = name;
			return problem_set(problem, EINVAL, "field '%s' is not known", name);
		}
		if (json_is_null(value) && (field->flags & JSON_FIELD_NULLABLE))
			continue;
		expected = store(field, value, out);
		if (expected) {
			if (ret_field)
				*ret_field = field->name;
			return problem_set(problem, EINVAL, "field '%s' must be %s", name, expected);
		}
		seen |= UINT64_C(1) << (field - fields);
	}
	for (size_t i = 0; i < count; i++)
		if ((fields[i].flags & JSON_FIELD_REQUIRED) && !(seen >> i & 1)) {
			if (ret_field)
				*ret_field = fields[i].name;
			return problem_set(problem, EINVAL, "field '%s' is missing", fields[i].name);
		}
	return 0;
}
