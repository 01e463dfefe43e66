/* SPDX-License-Identifier: MIT
 *
 * Changing single keys of one record.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "directory/edit_splice.h"

#define OUTER_SIZE 32U

/* Spaces up to the column of `at`. */
static int add_indent(const struct edit *edit, size_t at, struct buffer *ret)
{
	for (size_t i = edit_line_start(edit, at); i < at; i++)
		buffer_add_char(ret, ' ');
	return ret->failed ? -ENOMEM : 0;
}

static int insert_member(struct edit *edit, const struct edit_node *map, const char *member, struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	size_t at;

	if (map->flow) {
		buffer_printf(&text, "%s%s", map->last ? ", " : "", member);
		return text.failed
			       ? -ENOMEM
			       : edit_splice(edit, map->last ? map->last->end : map->start + 1, 0, buffer_text(&text));
	}
	if (!map->last)
		return edit_refuse(edit, map->start, problem, "a mapping without keys cannot be extended");
	at = edit_line_after(edit, map->last->end);
	add_indent(edit, map->first->start, &text);
	buffer_printf(&text, "%s%s", member, edit->newline);
	return text.failed ? -ENOMEM : edit_splice(edit, at, 0, buffer_text(&text));
}

static int set_value(struct edit *edit, const struct edit_node *map, const char *key, const char *value,
		     struct problem *problem)
{
	const struct edit_node *node = edit_map_get(map, key, NULL, NULL);
	_cleanup_(buffer_finish) struct buffer member = BUFFER_INIT;

	if (node && node->type != EDIT_SCALAR && !node->flow)
		return edit_refuse(edit, node->start, problem, "the value of \"%s\" is written over several lines",
				   key);
	if (node && edit_has_comment(edit, node->start, node->end, node))
		return edit_refuse(edit, node->start, problem, "there is a comment inside the value of \"%s\"", key);
	if (node)
		return edit_splice(edit, node->start, node->end - node->start, value);
	if (buffer_printf(&member, "%s: %s", key, value) < 0)
		return -ENOMEM;
	return insert_member(edit, map, buffer_text(&member), problem);
}

static int unset_value(struct edit *edit, const struct edit_node *map, const char *key, struct problem *problem)
{
	struct edit_node *key_node, *before, *node = edit_map_get(map, key, &key_node, &before);
	size_t from, to;

	if (!node)
		return -EINVAL;
	if (map->flow && before) {
		from = before->end;
		to = node->end;
	} else if (map->flow) {
		from = key_node->start;
		to = node->next ? node->next->start : node->end;
	} else {
		from = edit_line_start(edit, key_node->start);
		to = edit_line_after(edit, node->end);
		if (!edit_is_blank(edit, from, key_node->start))
			return edit_refuse(edit, from, problem,
					   "\"%s\" shares its line with the beginning of the record", key);
	}
	if (edit_has_comment(edit, from, to, map))
		return edit_refuse(edit, from, problem, "a comment would go together with \"%s\"", key);
	return edit_splice(edit, from, to - from, "");
}

/* Is there a pair whose key begins as `key` does, `length` bytes long ("sudo."), among the first `count`? */
static bool has_outer(const struct edit_pairs *pairs, uint32_t count, const char *key, size_t length)
{
	for (uint32_t i = 0; i < count; i++)
		if (strncmp(pairs->pairs[i].key, key, length) == 0)
			return true;
	return false;
}

/* Of a dotted key the mapping that its part from `skip` on names, before the dot. */
static const struct edit_node *find_inner(const struct edit_node *map, const char *key, size_t skip, const char *dot,
					  char outer[OUTER_SIZE])
{
	snprintf(outer, OUTER_SIZE, "%.*s", (int)(dot - key - (ptrdiff_t)skip), key + skip);
	return edit_map_get(map, outer, NULL, NULL);
}

/* `map` is where the key's part from `skip` on belongs. */
static int update_pair(struct edit *edit, const struct edit_node *map, const struct edit_pairs *now, uint32_t i,
		       size_t skip, struct problem *problem)
{
	const char *key = now->pairs[i].key, *dot = strchr(key + skip, '.');
	_cleanup_(buffer_finish) struct buffer member = BUFFER_INIT;
	const struct edit_node *inner;
	char outer[OUTER_SIZE];

	if (!dot)
		return set_value(edit, map, key + skip, now->pairs[i].value, problem);
	inner = find_inner(map, key, skip, dot, outer);
	if (inner)
		return update_pair(edit, inner, now, i, (size_t)(dot - key) + 1, problem);
	/* Once for all of them, with the first. */
	if (has_outer(now, i, key, (size_t)(dot - key) + 1))
		return 0;
	edit_pairs_member(now, i, skip, &member);
	return member.failed ? -ENOMEM : insert_member(edit, map, buffer_text(&member), problem);
}

/* The i-th of the old pairs, which is no more. */
static int remove_pair(struct edit *edit, const struct edit_node *map, const struct edit_pairs *old, uint32_t i,
		       size_t skip, const struct edit_pairs *now, struct problem *problem)
{
	const char *key = old->pairs[i].key, *dot = strchr(key + skip, '.');
	const struct edit_node *inner;
	char outer[OUTER_SIZE];
	size_t length;

	if (strcmp(key, "status") == 0)
		return set_value(edit, map, key, "active", problem); /* what leaving it out means */
	if (!dot)
		return unset_value(edit, map, key + skip, problem);
	length = (size_t)(dot - key) + 1;
	inner = find_inner(map, key, skip, dot, outer);
	if (!has_outer(now, now->count, key, length)) /* all of it goes, once */
		return has_outer(old, i, key, length) ? 0 : unset_value(edit, map, outer, problem);
	return inner ? remove_pair(edit, inner, old, i, length, now, problem) : -EINVAL;
}

int edit_map_update(struct edit *edit, const struct edit_node *map, const struct edit_pairs *old,
		    const struct edit_pairs *now, struct problem *problem)
{
	int r = 0;

	if (map->type != EDIT_MAP)
		return -EINVAL;
	for (uint32_t i = 0; r == 0 && i < old->count; i++)
		if (!edit_pairs_get(now, old->pairs[i].key))
			r = remove_pair(edit, map, old, i, 0, now, problem);
	for (uint32_t i = 0; r == 0 && i < now->count; i++) {
		const struct edit_pair *was = edit_pairs_get(old, now->pairs[i].key);

		if (!was || strcmp(was->value, now->pairs[i].value) != 0)
			r = update_pair(edit, map, now, i, 0, problem);
	}
	return r;
}
