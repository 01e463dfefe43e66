/* SPDX-License-Identifier: MIT */
#include "control_plane/db/conninfo.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <string.h>

#include "base/buffer.h"

static void add_part(struct buffer *out, const char *name, const char *value)
{
	(void)buffer_printf(out, "%s%s='", out->length > 0 ? " " : "", name);
	for (; *value; value++) {
		if (*value == '\'' || *value == '\\')
			(void)buffer_add_char(out, '\\');
		(void)buffer_add_char(out, *value);
	}
	(void)buffer_add_char(out, '\'');
}

static bool is_changed(const char *name, const struct conninfo_part *parts, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(parts[i].name, name) == 0)
			return true;
	return false;
}

int conninfo_change(const char *dsn, const struct conninfo_part *parts, size_t count, char **ret)
{
	_cleanup_(buffer_finish) struct buffer out = {.wipe = true}; /* it may hold a password */
	PQconninfoOption *options = PQconninfoParse(dsn, NULL);

	if (!options)
		return -EINVAL;
	for (const PQconninfoOption *option = options; option->keyword; option++)
		if (option->val && !is_changed(option->keyword, parts, count))
			add_part(&out, option->keyword, option->val);
	PQconninfoFree(options);
	for (size_t i = 0; i < count; i++)
		if (parts[i].value)
			add_part(&out, parts[i].name, parts[i].value);
	if (!buffer_text(&out))
		return -ENOMEM;
	*ret = strdup(out.data);
	return *ret ? 0 : -ENOMEM;
}

int conninfo_get(const char *dsn, const char *name, char **ret)
{
	PQconninfoOption *options = PQconninfoParse(dsn, NULL);
	int result = 0;

	if (!options)
		return -EINVAL;
	*ret = NULL;
	for (const PQconninfoOption *option = options; option->keyword; option++)
		if (strcmp(option->keyword, name) == 0 && option->val) {
			*ret = strdup(option->val);
			result = *ret ? 0 : -ENOMEM;
		}
	PQconninfoFree(options);
	return result;
}
