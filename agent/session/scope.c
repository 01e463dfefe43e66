/* SPDX-License-Identifier: MIT */
#include "session/scope.h"

#include <string.h>

bool scope_name_is_valid(const char *name)
{
	size_t length = strspn(name, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

	return length > 0 && length < SESSION_SCOPE_SIZE && !name[length];
}
