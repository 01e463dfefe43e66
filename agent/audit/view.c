/* SPDX-License-Identifier: MIT */
#include "audit/view.h"

struct view view_of(struct buffer *buffer, int part)
{
	return (struct view){.writer = json_writer(buffer), .part = part};
}

void view_begin(struct view *view, const char *key)
{
	if (view->depth == VIEW_DEPTH) {
		view->writer.buffer->failed = true; /* a mistake of ours: no event is that deep */
		return;
	}
	view->keys[view->depth++] = key;
}

void view_end(struct view *view)
{
	if (view->depth == 0)
		return;
	if (view->written == view->depth) {
		json_end(&view->writer, '}');
		view->written--;
	}
	view->depth--;
}

bool view_shows(struct view *view, int part)
{
	if (view->part != VIEW_ALL && view->part != part)
		return false;
	while (view->written < view->depth)
		json_begin(&view->writer, view->keys[view->written++], '{');
	return true;
}

void view_text(struct view *view, int part, const char *key, const char *value)
{
	if (value && *value && view_shows(view, part))
		json_put_string(&view->writer, key, value);
}

void view_number(struct view *view, int part, const char *key, uint64_t value)
{
	if (view_shows(view, part))
		json_put_u64(&view->writer, key, value);
}
