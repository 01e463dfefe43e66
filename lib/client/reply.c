/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "client/handle.h"

/* The member, or NULL where it is absent or null. */
static json_t *member(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return json_is_null(value) ? NULL : value;
}

int reply_text(json_t *object, const char *key, bool required, const char **ret)
{
	json_t *value = member(object, key);

	if (!value)
		return required ? -EPROTO : 0;
	if (!json_is_string(value))
		return -EPROTO;
	*ret = json_string_value(value);
	return 0;
}

int reply_integer(json_t *object, const char *key, bool required, int64_t low, int64_t high, int64_t *ret)
{
	json_t *value = member(object, key);

	if (!value)
		return required ? -EPROTO : 0;
	if (!json_is_integer(value) || json_integer_value(value) < low || json_integer_value(value) > high)
		return -EPROTO;
	*ret = json_integer_value(value);
	return 0;
}

int reply_flag(json_t *object, const char *key, bool *ret)
{
	json_t *value = member(object, key);

	if (!value)
		return 0;
	if (!json_is_boolean(value))
		return -EPROTO;
	*ret = json_is_true(value);
	return 0;
}

int reply_uid(json_t *object, const char *key, uid_t *ret)
{
	int64_t value;

	if (reply_integer(object, key, true, 0, (int64_t)UINT32_MAX - 1, &value) < 0)
		return -EPROTO;
	*ret = (uid_t)value;
	return 0;
}

int reply_object(json_t *object, const char *key, bool required, json_t **ret)
{
	json_t *value = member(object, key);

	if (!value)
		return required ? -EPROTO : 0;
	if (!json_is_object(value))
		return -EPROTO;
	*ret = value;
	return 0;
}

int reply_array(json_t *object, const char *key, bool required, json_t **ret)
{
	json_t *value = member(object, key);

	if (!value)
		return required ? -EPROTO : 0;
	if (!json_is_array(value))
		return -EPROTO;
	*ret = value;
	return 0;
}

int reply_texts(json_t *object, const char *key, const char *const **ret)
{
	json_t *array = NULL, *value;
	const char **texts;
	size_t i;
	int r;

	r = reply_array(object, key, false, &array);
	if (r < 0 || !array)
		return r;
	texts = calloc(json_array_size(array) + 1, sizeof(*texts));
	if (!texts)
		return -ENOMEM;
	json_array_foreach(array, i, value)
	{
		if (!json_is_string(value)) {
			free(texts);
			return -EPROTO;
		}
		texts[i] = json_string_value(value);
	}
	*ret = (const char *const *)texts;
	return 0;
}

int reply_kind(const char *kind, int *ret_is_service)
{
	*ret_is_service = strcmp(kind, "service") == 0;
	return *ret_is_service || strcmp(kind, "person") == 0 || strcmp(kind, "operator") == 0 ? 0 : -EPROTO;
}

int reply_decision(json_t *parameters, enum tenant_decision *ret, const char **ret_reason, const char **ret_message)
{
	static const struct {
		const char *word;
		enum tenant_decision decision;
	} decisions[] = {{"allowed", TENANT_ALLOWED}, {"denied", TENANT_DENIED}, {"broken", TENANT_BROKEN}};
	const char *word, *reason, *message;
	json_t *decision;
	size_t i;

	if (reply_object(parameters, "decision", true, &decision) < 0 ||
	    reply_text(decision, "decision", true, &word) < 0 || reply_text(decision, "reason", true, &reason) < 0 ||
	    reply_text(decision, "message", true, &message) < 0)
		return -EPROTO;
	for (i = 0; i < ARRAY_LEN(decisions); i++)
		if (strcmp(word, decisions[i].word) == 0) {
			*ret = decisions[i].decision;
			*ret_reason = reason;
			*ret_message = message;
			return 0;
		}
	return -EPROTO;
}
