/* SPDX-License-Identifier: MIT */
#include "json/json_wipe.h"

#include <stdint.h>

#include "base/secret.h"

static void wipe(json_t *value) /* NOLINT(misc-no-recursion): json_read bounds the depth */
{
	if (json_is_string(value))
		secret_wipe((void *)(uintptr_t)json_string_value(value), json_string_length(value));
	for (size_t i = 0; i < json_array_size(value); i++)
		wipe(json_array_get(value, i));
	for (void *i = json_object_iter(value); i; i = json_object_iter_next(value, i))
		wipe(json_object_iter_value(i));
}

void json_forget(json_t **value)
{
	if (*value)
		wipe(*value);
	json_decref(*value);
}
