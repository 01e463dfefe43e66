/* SPDX-License-Identifier: MIT
 *
 * Personal data beside a leaf: read, written, and merged into it.
 *
 * A patch tells more about what happened, never something else: the members by which events are found, counted and
 * chained are the leaf's alone, so that a reader sees the same event before an erasure and after it.
 */
#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "base/secret.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "trail/leaf.h"
#include "trail/leaf_internal.h"
#include "json/json_read.h"
#include "json/json_wipe.h"
#include "json/json_write.h"

#define COMMITMENT_PREFIX "tenantd-audit-personal/v1\n"

void personal_finish(struct personal_list *list)
{
	for (uint32_t i = 0; i < list->count; i++)
		secret_free_heap(list->items[i].patch);
	secret_wipe(list, sizeof(*list));
}

int personal_commitment(const uint8_t salt[SALT_BYTES], const char *patch, size_t length, uint8_t ret[SHA256_BYTES])
{
	_cleanup_(buffer_finish) struct buffer text = {.wipe = true};

	(void)buffer_add_text(&text, COMMITMENT_PREFIX);
	(void)buffer_add(&text, salt, SALT_BYTES);
	(void)buffer_add(&text, patch, length);
	return text.failed ? -ENOMEM : sha256(text.data, text.length, ret);
}

/* Members that no patch names; what they lie in may be patched as an object alone. */
static bool may_patch(const json_t *patch)
{
	static const char *const kept[][3] = {
		{"class_uid"},
		{"category_uid"},
		{"activity_id"},
		{"type_uid"},
		{"severity_id"},
		{"status_id"},
		{"time"},
		{"metadata"},
		{"user", "uid"},
		{"actor", "user", "uid"},
		{"device", "uid"},
		{"unmapped", "project_id"},
		{"unmapped", "chain"},
		{"unmapped", "boot"},
		{"unmapped", "seq"},
		{"unmapped", "prev"},
		{"unmapped", "personal"},
	};

	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		const json_t *at = patch;
		bool last = false;

		for (size_t j = 0; at && !last; j++) {
			if (!json_is_object(at))
				return false;
			at = json_object_get(at, kept[i][j]);
			last = j + 1 == ARRAY_LEN(kept[i]) || !kept[i][j + 1];
		}
		if (at)
			return false;
	}
	return true;
}

/* -EBADMSG: not an object, or one that would change what is not a patch's to change. */
static int read_patch(const char *text, size_t length, json_t **ret, struct problem *problem)
{
	_cleanup_(json_forget) json_t *patch = NULL;
	int r;

	if (length > PATCH_BYTES_MAX)
		return problem_set(problem, EBADMSG, "the personal data of one person are longer than %u bytes",
				   PATCH_BYTES_MAX);
	r = json_read(text, length, &patch, problem);
	if (r < 0)
		return r;
	/* Merged, its texts stand where those of the leaf do. */
	if (!text_is_printable(text, length) || (memchr(text, '\\', length) && !leaf_is_clean(patch)))
		return problem_set(problem, EBADMSG, "the personal data have control characters in a text");
	if (!may_patch(patch))
		return problem_set(problem, EBADMSG, "the personal data would change what the event itself says");
	*ret = TAKE_PTR(patch);
	return 0;
}

int personal_read_one(json_t *item, const struct leaf *leaf, uint32_t place, struct personal *ret,
		      struct problem *problem)
{
	static const struct json_field fields[] = {
		{"person", JSON_FIELD_STRING, 0, JSON_FIELD_REQUIRED},
		{"salt", JSON_FIELD_STRING, sizeof(char *), JSON_FIELD_REQUIRED},
		{"patch", JSON_FIELD_STRING, 2 * sizeof(char *), JSON_FIELD_REQUIRED},
	};
	_cleanup_(json_forget) json_t *patch = NULL;
	struct personal personal = {0};
	uint8_t commitment[SHA256_BYTES];
	const char *text[3], *field;
	int r;

	if (!json_is_object(item))
		return problem_set(problem, EBADMSG, "personal data are not an object");
	r = json_fields(item, fields, ARRAY_LEN(fields), text, &field, problem);
	if (r < 0)
		return r == -EINVAL ? -EBADMSG : r;
	if (place >= leaf->person_count || strcmp(text[0], leaf->persons[place].person) != 0)
		return problem_set(problem, EBADMSG, "personal data are not those of the person in the event");
	if (text_from_hex(text[1], personal.salt, SALT_BYTES) < 0)
		return problem_set(problem, EBADMSG, "the salt of personal data is not of its form");
	r = personal_commitment(personal.salt, text[2], strlen(text[2]), commitment);
	if (r == 0 && memcmp(commitment, leaf->persons[place].commitment, SHA256_BYTES) != 0)
		r = problem_set(problem, EBADMSG, "personal data are not what the event is bound to");
	if (r == 0)
		r = read_patch(text[2], strlen(text[2]), &patch, problem);
	if (r == 0) {
		memcpy(personal.person, text[0], strlen(text[0]) + 1);
		personal.patch = strdup(text[2]);
		r = personal.patch ? 0 : -ENOMEM;
	}
	if (r == 0)
		*ret = personal;
	secret_wipe(&personal, sizeof(personal));
	return r;
}

int personal_read(const char *text, size_t length, const struct leaf *leaf, struct personal_list *ret,
		  struct problem *problem)
{
	_cleanup_(personal_finish) struct personal_list list = {0};
	_cleanup_(json_forget) json_t *array = NULL;
	int r;

	if (length > PERSONAL_BYTES_MAX)
		return problem_set(problem, EBADMSG, "the personal data are longer than %u bytes", PERSONAL_BYTES_MAX);
	if (length > 0 && memchr(text, '\n', length))
		return problem_set(problem, EBADMSG, "the personal data are not one line");
	r = json_read(text, length, &array, problem);
	if (r < 0)
		return r;
	if (!json_is_array(array) || json_array_size(array) != leaf->person_count)
		return problem_set(problem, EBADMSG, "the personal data are not those of %u persons",
				   leaf->person_count);
	while (list.count < leaf->person_count) {
		r = personal_read_one(json_array_get(array, list.count), leaf, list.count, &list.items[list.count],
				      problem);
		if (r < 0)
			return r;
		list.count++;
	}
	*ret = list;
	list.count = 0;
	return 0;
}

int personal_write(const struct personal_list *list, struct buffer *ret)
{
	struct json_writer w = json_writer(ret);
	char salt[2 * SALT_BYTES + 1];

	json_begin(&w, NULL, '[');
	for (uint32_t i = 0; i < list->count; i++) {
		text_to_hex(list->items[i].salt, SALT_BYTES, salt);
		json_begin(&w, NULL, '{');
		json_put_string(&w, "person", list->items[i].person);
		json_put_string(&w, "salt", salt);
		json_put_string(&w, "patch", list->items[i].patch);
		json_end(&w, '}');
	}
	json_end(&w, ']');
	secret_wipe(salt, sizeof(salt));
	return ret->failed ? -ENOMEM : 0;
}

/* RFC 7396. What is merged is shared with the patch. */
static int merge(json_t *target, json_t *patch) /* NOLINT(misc-no-recursion): json_read bounds the depth */
{
	const char *name;
	json_t *value;

	json_object_foreach(patch, name, value)
	{
		json_t *at = json_object_get(target, name);
		int r;

		if (json_is_null(value)) {
			(void)json_object_del(target, name);
			continue;
		}
		if (!json_is_object(value)) {
			if (json_object_set(target, name, value) < 0)
				return -ENOMEM;
			continue;
		}
		/* Into a new object where there is none, since the patch's own nulls must not come along. */
		if (!json_is_object(at)) {
			at = json_object();
			if (json_object_set_new(target, name, at) < 0)
				return -ENOMEM;
		}
		r = merge(at, value);
		if (r < 0)
			return r;
	}
	return 0;
}

json_t *leaf_merge(const char *text, size_t length, const struct personal_list *list)
{
	_cleanup_(json_forget) json_t *event = NULL;

	if (json_read(text, length, &event, NULL) < 0 || !json_is_object(event))
		return NULL;
	for (uint32_t i = 0; i < list->count; i++) {
		_cleanup_(json_decrefp) json_t *patch = NULL;

		if (read_patch(list->items[i].patch, strlen(list->items[i].patch), &patch, NULL) < 0 ||
		    merge(event, patch) < 0)
			return NULL;
	}
	return TAKE_PTR(event);
}
