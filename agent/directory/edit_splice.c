/* SPDX-License-Identifier: MIT */
#include "directory/edit_splice.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int edit_refuse(const struct edit *edit, size_t at, struct problem *problem, const char *format, ...)
{
	char text[PROBLEM_TEXT_MAX];
	unsigned line = 1;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (size_t i = 0; i < at && i < edit->old.length; i++)
		line += edit->old.data[i] == '\n';
	problem_at(problem, edit->path, line, 0);
	problem_set(problem, EOPNOTSUPP, "%s", text);
	problem_remedy(problem, "nothing was changed; make this edit by hand, then run `tenantctl directory check`");
	return -EOPNOTSUPP;
}

int edit_splice(struct edit *edit, size_t at, size_t remove, const char *insert)
{
	char *copy = strdup(insert);

	if (!copy)
		return -ENOMEM;
	if (edit->splice_count == EDIT_CHANGES_MAX) {
		free(copy);
		return -E2BIG;
	}
	edit->splices[edit->splice_count++] = (struct splice){.at = at, .remove = remove, .insert = copy};
	return 0;
}

size_t edit_line_start(const struct edit *edit, size_t at)
{
	while (at > 0 && edit->old.data[at - 1] != '\n')
		at--;
	return at;
}

size_t edit_line_after(const struct edit *edit, size_t end)
{
	if (end > 0 && edit->old.data[end - 1] == '\n')
		return end; /* block scalars end behind their newline */
	while (end < edit->old.length && edit->old.data[end] != '\n')
		end++;
	return end < edit->old.length ? end + 1 : end;
}

bool edit_is_blank(const struct edit *edit, size_t from, size_t to)
{
	for (; from < to; from++)
		if (!strchr(" \t\r\n", edit->old.data[from]))
			return false;
	return true;
}

static bool has_hash(const struct edit *edit, size_t from, size_t to)
{
	return from < to && memchr(edit->old.data + from, '#', to - from);
}

/* Looks at what lies between *at and the next scalars; moves *at behind them. */
static bool scan_comment(const struct edit *edit, size_t *at, size_t to, const struct edit_node *node)
{
	if (node->type == EDIT_SCALAR) {
		size_t start = MIN_OF(node->start, to);

		if (node->end <= *at)
			return false;
		if (has_hash(edit, *at, start))
			return true;
		*at = MAX_OF(*at, node->end);
		return false;
	}
	for (const struct edit_node *child = node->first; child; child = child->next)
		if (scan_comment(edit, at, to, child))
			return true;
	return false;
}

bool edit_has_comment(const struct edit *edit, size_t from, size_t to, const struct edit_node *node)
{
	return scan_comment(edit, &from, to, node) || has_hash(edit, from, to);
}

char *edit_item_prefix(const struct edit *edit, size_t item_start)
{
	size_t start = edit_line_start(edit, item_start), at = start;

	while (at < item_start && edit->old.data[at] == ' ')
		at++;
	if (at == item_start || edit->old.data[at] != '-')
		return NULL;
	for (at++; at < item_start; at++)
		if (edit->old.data[at] != ' ')
			return NULL;
	return strndup(edit->old.data + start, item_start - start);
}
