/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "json/json_read.h"

#define FIELDS_MAX 64U /* one bit each in `seen` */

static const char *const wanted[] = {
	[JSON_FIELD_STRING] = "a string",
	[JSON_FIELD_BOOL] = "true or false",
	[JSON_FIELD_U32] = "a whole number from 0 to 4294967295",
	[JSON_FIELD_U64] = "a whole number, not negative",
	[JSON_FIELD_I64] = "a whole number",
	[JSON_FIELD_OBJECT] = "an object",
	[JSON_FIELD_ARRAY] = "a list",
	[JSON_FIELD_STRINGS] = "a list of strings",
	[JSON_FIELD_VIEW] = "an object",
};

/* One object's way into a struct. */
struct filling {
	const struct json_field *fields;
	size_t count, next; /* next: the field after the last one that was found */
	void *out;
	uint64_t seen;
	const char **ret_field;
	struct problem *problem;
};

static bool all_strings(const json_t *array)
{
	for (size_t i = 0; i < json_array_size(array); i++)
		if (!json_is_string(json_array_get(array, i)))
			return false;
	return true;
}

/* All of these return false, and store nothing, when the member is not what the field should be. */

static bool store_number(const struct json_field *field, json_int_t number, void *to)
{
	switch ((int)field->type) {
	case JSON_FIELD_U32:
		if (number < 0 || number > UINT32_MAX)
			return false;
		*(uint32_t *)to = (uint32_t)number;
		return true;
	case JSON_FIELD_U64:
		if (number < 0)
			return false;
		*(uint64_t *)to = (uint64_t)number;
		return true;
	case JSON_FIELD_I64:
		*(int64_t *)to = number;
		return true;
	default:
		return false;
	}
}

static bool store(const struct json_field *field, json_t *value, void *to)
{
	switch (field->type) {
	case JSON_FIELD_STRING:
		if (!json_is_string(value))
			return false;
		*(const char **)to = json_string_value(value);
		return true;
	case JSON_FIELD_BOOL:
		if (!json_is_boolean(value))
			return false;
		*(bool *)to = json_is_true(value);
		return true;
	case JSON_FIELD_U32:
	case JSON_FIELD_U64:
	case JSON_FIELD_I64:
		return json_is_integer(value) && store_number(field, json_integer_value(value), to);
	case JSON_FIELD_OBJECT:
		if (!json_is_object(value))
			return false;
		*(json_t **)to = value;
		return true;
	case JSON_FIELD_ARRAY:
	case JSON_FIELD_STRINGS:
		if (!json_is_array(value) || (field->type == JSON_FIELD_STRINGS && !all_strings(value)))
			return false;
		*(json_t **)to = value;
		return true;
	case JSON_FIELD_VIEW:
		if (!json_is_object(value))
			return false;
		*(struct json_view *)to = json_view(value);
		return true;
	}
	return false;
}

static bool store_flat(const struct json_field *field, const struct json_flat_member *member, void *to)
{
	switch ((int)member->type) {
	case JSON_STRING:
		if (field->type != JSON_FIELD_STRING)
			return false;
		*(const char **)to = member->text;
		return true;
	case JSON_INTEGER:
		return store_number(field, member->number, to);
	case JSON_OBJECT:
		if (field->type != JSON_FIELD_VIEW)
			return false;
		*(struct json_view *)to = (struct json_view){.flat = member->object};
		return true;
	default: /* JSON_TRUE, JSON_FALSE */
		if (field->type != JSON_FIELD_BOOL)
			return false;
		*(bool *)to = member->type == JSON_TRUE;
		return true;
	}
}

/* Members mostly come in the order of the fields. NULL: refused. */
static const struct json_field *find_field(struct filling *f, const char *name)
{
	for (size_t i = f->next; i < f->next + f->count; i++) {
		const struct json_field *field = &f->fields[i < f->count ? i : i - f->count];

		if (strcmp(field->name, name) == 0) {
			f->next = (size_t)(field - f->fields) + 1;
			return field;
		}
	}
	if (f->ret_field)
		*f->ret_field = name;
	(void)problem_set(f->problem, EINVAL, "field '%s' is not known", name);
	return NULL;
}

static int take(struct filling *f, const struct json_field *field, bool stored)
{
	if (stored) {
		f->seen |= UINT64_C(1) << (field - f->fields);
		return 0;
	}
	if (f->ret_field)
		*f->ret_field = field->name;
	return problem_set(f->problem, EINVAL, "field '%s' must be %s", field->name, wanted[field->type]);
}

static int end(const struct filling *f)
{
	for (size_t i = 0; i < f->count; i++)
		if ((f->fields[i].flags & JSON_FIELD_REQUIRED) && !(f->seen >> i & 1)) {
			if (f->ret_field)
				*f->ret_field = f->fields[i].name;
			return problem_set(f->problem, EINVAL, "field '%s' is missing", f->fields[i].name);
		}
	return 0;
}

static void *place_of(const struct filling *f, const struct json_field *field)
{
	return (char *)f->out + field->offset;
}

static int fill_from_tree(struct filling *f, json_t *object)
{
	int r = 0;

	for (void *i = json_object_iter(object); r == 0 && i; i = json_object_iter_next(object, i)) {
		json_t *value = json_object_iter_value(i);
		const struct json_field *field = find_field(f, json_object_iter_key(i));

		if (!field)
			return -EINVAL;
		if (!json_is_null(value) || !(field->flags & JSON_FIELD_NULLABLE))
			r = take(f, field, store(field, value, place_of(f, field)));
	}
	return r;
}

static int fill_from_flat(struct filling *f, const struct json_flat_object *object)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < object->count; i++) {
		const struct json_field *field = find_field(f, object->members[i].name);

		if (!field)
			return -EINVAL;
		r = take(f, field, store_flat(field, &object->members[i], place_of(f, field)));
	}
	return r;
}

int json_view_fields(struct json_view view, const struct json_field *fields, size_t count, void *out,
		     const char **ret_field, struct problem *problem)
{
	struct filling f = {.fields = fields, .count = count, .out = out, .ret_field = ret_field, .problem = problem};
	int r;

	if (count > FIELDS_MAX || (view.tree && !json_is_object(view.tree)))
		return problem_set(problem, EINVAL, "not an object");
	r = view.flat ? fill_from_flat(&f, view.flat) : fill_from_tree(&f, view.tree);
	return r < 0 ? r : end(&f);
}

int json_fields(json_t *object, const struct json_field *fields, size_t count, void *out, const char **ret_field,
		struct problem *problem)
{
	return json_view_fields(json_view(object), fields, count, out, ret_field, problem);
}
