/* SPDX-License-Identifier: MIT
 *
 * One walk over an event writes any part of it: what everybody may see for ever (the leaf), what is about one person,
 * or all of it. So the leaf with all personal data patched in is the whole event, by how it is made.
 *
 * Only files of agent/audit include it.
 */
#pragma once

#include "json/json_write.h"

enum view_part {
	VIEW_ALL = -2,
	VIEW_LEAF = -1,
	/* From 0 on: of the person with this number (people.h). */
};
#define VIEW_DEPTH 8U

struct view {
	struct json_writer writer;
	int part;
	/* Objects that were begun: an object is written when its first member is, so that of a person nothing is said
	 * but what is theirs, and no object is empty. */
	const char *keys[VIEW_DEPTH];
	unsigned depth, written;
};
struct view view_of(struct buffer *buffer, int part);
void view_begin(struct view *view, const char *key); /* NULL: the outermost one */
void view_end(struct view *view);
/* Does what is said next belong to what this view shows? What it is within is begun then, and the caller writes it. */
bool view_shows(struct view *view, int part);
/* Left out when value is NULL or "". */
void view_text(struct view *view, int part, const char *key, const char *value);
void view_number(struct view *view, int part, const char *key, uint64_t value);
