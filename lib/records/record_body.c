/* SPDX-License-Identifier: MIT */
#include "records/record_body.h"

#include <errno.h>
#include <string.h>

int body_keep(const struct reading *in, const char *text, const char **ret)
{
	*ret = *text ? in->store->text(in->store->context, text, strlen(text)) : "";
	return *ret ? 0 : -ENOMEM;
}

int body_text(const struct reading *in, const char *field, enum value_kind kind, const char *text, const char **ret)
{
	struct value_fault fault;

	if (text && value_check(kind, text, strlen(text), &fault) < 0)
		return value_refuse(in->problem, field, text, strlen(text), &fault);
	return body_keep(in, text ? text : "", ret);
}

int body_secret(const struct reading *in, const char *field, enum value_kind kind, const char *text, const char **ret)
{
	const struct record_store *store = in->store;
	struct value_fault fault;

	if (text && value_check(kind, text, strlen(text), &fault) < 0)
		return value_refuse(in->problem, field, NULL, 0, &fault);
	*ret = text ? (store->secret ? store->secret : store->text)(store->context, text, strlen(text)) : "";
	return *ret ? 0 : -ENOMEM;
}

int body_choice(const struct reading *in, const char *field, const char *const *words, const char *text, uint32_t *ret)
{
	struct value_fault fault;

	if (text && value_choice(text, words, ret, &fault) < 0)
		return value_refuse(in->problem, field, text, strlen(text), &fault);
	return 0;
}

int body_wrong(const struct reading *in, const char *field, const char *what, const char *remedy)
{
	problem_set(in->problem, EINVAL, "\"%s\" is %s", field, what);
	problem_remedy(in->problem, "%s", remedy);
	return -EINVAL;
}

int body_managed_id(const struct reading *in, const char *field, uint32_t value)
{
	struct value_fault fault;

	return value_managed_id(value, &fault) < 0 ? value_refuse(in->problem, field, NULL, 0, &fault) : 0;
}

/* 0 means "none" to everybody else, so it is no time that a body may say. */
int body_time(const struct reading *in, const char *field, int64_t time, int64_t *ret)
{
	if (time == TIME_LEFT_OUT)
		return 0;
	if (time <= 0)
		return body_wrong(in, field, "not after 1970-01-01T00:00:00Z",
				  "say when it was or will be, in seconds, or leave the field out");
	*ret = time;
	return 0;
}

int body_room(const struct reading *in, const char *field, size_t count, size_t size, void *ret_items)
{
	void *items;

	if (count > VALUE_LIST_MAX)
		return body_wrong(in, field, "too long a list", "4096 items are the most");
	items = count ? in->store->room(in->store->context, count * size) : NULL;
	if (count && !items)
		return -ENOMEM;
	memcpy(ret_items, &items, sizeof(items));
	return 0;
}

int body_texts(const struct reading *in, const char *field, enum value_kind kind, json_t *array,
	       struct string_list *ret)
{
	size_t count = json_array_size(array);
	const char **items;
	int r = body_room(in, field, count, sizeof(*items), &items);

	for (size_t i = 0; r == 0 && i < count; i++)
		r = body_text(in, field, kind, json_string_value(json_array_get(array, i)), &items[i]);
	if (r == 0)
		*ret = (struct string_list){.items = items, .count = (uint32_t)count};
	return r;
}

int body_cidrs(const struct reading *in, const char *field, json_t *array, struct cidr_list *ret)
{
	size_t count = json_array_size(array);
	struct cidr *items;
	int r = body_room(in, field, count, sizeof(*items), &items);

	for (size_t i = 0; r == 0 && i < count; i++) {
		const char *text = json_string_value(json_array_get(array, i));
		struct value_fault fault;

		if (value_cidr(text, &items[i], &fault) < 0)
			r = value_refuse(in->problem, field, text, strlen(text), &fault);
	}
	if (r == 0)
		*ret = (struct cidr_list){.items = items, .count = (uint32_t)count};
	return r;
}

int body_fields(const struct reading *in, struct json_view object, const struct json_field *fields, size_t count,
		void *out)
{
	bool there = object.tree || object.flat;
	int r = there ? json_view_fields(object, fields, count, out, NULL, in->problem) : -EINVAL;

	if (!there)
		problem_set(in->problem, EINVAL, "there is no body");
	if (r < 0)
		problem_remedy(in->problem, "fields of each kind are listed in docs/feed.md");
	return r;
}
