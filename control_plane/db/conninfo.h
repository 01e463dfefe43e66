/* SPDX-License-Identifier: MIT
 *
 * libpq's connection strings (both forms), read and changed.
 */
#pragma once

#include <stddef.h>

struct conninfo_part {
	const char *name, *value; /* value NULL: take it out */
};
/* With these parts instead of its own; in the form "name='value' …". malloc'd; -EINVAL, -ENOMEM. */
int conninfo_change(const char *dsn, const struct conninfo_part *parts, size_t count, char **ret);
/* What it says of `name`, malloc'd; NULL where it says nothing. -EINVAL, -ENOMEM. */
int conninfo_get(const char *dsn, const char *name, char **ret);
