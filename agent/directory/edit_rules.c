/* SPDX-License-Identifier: MIT
 *
 * Changing the rules of one host.
 */
#include <errno.h>
#include <string.h>

#include "directory/edit_splice.h"

static int append_rule(struct edit *edit, const struct edit_node *list, const struct edit_pairs *rule,
		       struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	_cleanup_(freep) char *prefix = NULL;

	if (list->flow) {
		buffer_add_text(&text, list->last ? ", " : "");
		edit_pairs_flow(rule, &text);
		return text.failed ? -ENOMEM
				   : edit_splice(edit, list->last ? list->last->end : list->start + 1, 0,
						 buffer_text(&text));
	}
	prefix = edit_item_prefix(edit, list->last->start);
	if (!prefix)
		return edit_refuse(edit, list->last->start, problem,
				   "the list of rules has a layout that cannot be continued");
	buffer_add_text(&text, prefix);
	edit_pairs_flow(rule, &text);
	buffer_add_text(&text, edit->newline);
	return text.failed ? -ENOMEM : edit_splice(edit, edit_line_after(edit, list->last->end), 0, buffer_text(&text));
}

static int remove_rule(struct edit *edit, const struct edit_node *host, uint32_t index, struct problem *problem)
{
	struct edit_node *key, *list = edit_map_get(host, "serves", &key, NULL), *before = NULL, *rule = list->first;
	_cleanup_(freep) char *prefix = NULL;
	size_t from, to;
	int r = 0;

	for (uint32_t i = 0; i < index; i++) {
		before = rule;
		rule = rule->next;
	}
	from = rule->start;
	to = rule->end;
	if (list->flow && before) {
		from = before->end;
	} else if (list->flow && rule->next) {
		to = rule->next->start;
	} else if (!list->flow) {
		prefix = edit_item_prefix(edit, from);
		if (!prefix)
			return edit_refuse(edit, from, problem, "the rule shares its line with something else");
		from = edit_line_start(edit, from);
		to = edit_line_after(edit, to);
	}
	if (edit_has_comment(edit, from, to, rule))
		return edit_refuse(edit, from, problem, "a comment would go together with the rule");
	if (list->count == 1 && !list->flow) {
		if (edit->old.data[key->end] != ':')
			return edit_refuse(edit, key->start, problem,
					   "the key \"serves\" is written in an unusual way");
		r = edit_splice(edit, key->end + 1, 0, " []");
	}
	return r < 0 ? r : edit_splice(edit, from, to - from, "");
}

/* The one of the old rules that is not among the new ones: the first whose project differs. */
static uint32_t find_gone(const struct host_record *old, const struct host_record *now)
{
	uint32_t i = 0;

	while (i < now->rule_count && strcmp(old->rules[i].project_id, now->rules[i].project_id) == 0)
		i++;
	return i;
}

int edit_rules_update(struct edit *edit, const struct edit_node *host, const struct host_record *old,
		      const struct host_record *now, struct problem *problem)
{
	const struct edit_node *list = edit_map_get(host, "serves", NULL, NULL), *node;
	int r = 0;

	if (!list || list->type != EDIT_LIST || list->count != old->rule_count || now->rule_count + 1 < old->rule_count)
		return -EINVAL;
	/* That the others are as they were is seen when the new text is loaded. */
	if (now->rule_count < old->rule_count)
		return remove_rule(edit, host, find_gone(old, now), problem);
	node = list->first;
	for (uint32_t i = 0; r == 0 && i < now->rule_count; i++) {
		struct edit_pairs was = {0}, is;

		edit_render_rule(&now->rules[i], &is);
		if (i < old->rule_count)
			edit_render_rule(&old->rules[i], &was);
		if (is.failed || was.failed)
			r = -ENOMEM;
		else if (i < old->rule_count)
			r = edit_map_update(edit, node, &was, &is, problem);
		else
			r = append_rule(edit, list, &is, problem);
		if (node)
			node = node->next;
		edit_pairs_finish(&was);
		edit_pairs_finish(&is);
	}
	return r;
}
