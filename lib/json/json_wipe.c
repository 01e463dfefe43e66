/* SPDX-License-Identifier: MIT */
#include "json/json_wipe.h"

#include <stdint.h>

#include "base/secret.h"

static void wipe(json_t *value) /* NOLINT(misc-no-recursion): json_read bounds the depth */
{
	json_t *item;
	const char *key;
	size_t i;

	if (json_is_string(value))
		secret_wipe((void *)(uintptr_t)json_string_value(value), json_string_length(value));
	json_array_foreach(value, i, item) wipe(item);
	json_object_foreach(value, key, item) wipe(item);
}

void json_forget(json_t **value)
{
	if (*value)
		wipe(*value);
	json_decref(*value);
}
