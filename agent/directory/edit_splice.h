/* SPDX-License-Identifier: MIT
 *
 * Inside edit.c's session: the text, the pieces to change, and where they may be changed.
 */
#pragma once

#include <sys/stat.h>

#include "directory/edit.h"
#include "directory/edit_render.h"
#include "directory/edit_tree.h"

#define EDIT_CHANGES_MAX 64U

struct splice {
	size_t at, remove;
	char *insert;
};
struct expectation {
	enum { EXPECT_APPENDED, EXPECT_UPDATED, EXPECT_REMOVED } what;
	enum record_kind kind;
	uint32_t index;
	const void *record;
};
struct edit {
	char *path;
	struct stat st;
	struct unit *unit;
	struct buffer old, new;
	const char *newline;
	struct splice splices[EDIT_CHANGES_MAX];
	uint32_t splice_count;
	struct expectation expectations[EDIT_CHANGES_MAX];
	uint32_t expectation_count;
};

/* -EOPNOTSUPP with the place (an offset into the text). */
int edit_refuse(const struct edit *edit, size_t at, struct problem *problem, const char *format, ...) _printf_(4, 5);
int edit_splice(struct edit *edit, size_t at, size_t remove, const char *insert);
/* Start of the line that `at` is on; start of the line after the one on which [..., end) ends. */
size_t edit_line_start(const struct edit *edit, size_t at);
size_t edit_line_after(const struct edit *edit, size_t end);
bool edit_is_blank(const struct edit *edit, size_t from, size_t to);
/* Is there a comment in the range, outside the scalars of `node`? */
bool edit_has_comment(const struct edit *edit, size_t from, size_t to, const struct edit_node *node);
/* What stands before a list item on its line ("  - "), or NULL when there is more; malloc'd. */
char *edit_item_prefix(const struct edit *edit, size_t item_start);

/* Makes a map that stood for `old` stand for `now`. (edit_map.c) */
int edit_map_update(struct edit *edit, const struct edit_node *map, const struct edit_pairs *old,
		    const struct edit_pairs *now, struct problem *problem);
/* Makes a host's rules those of `now`: they may differ, more may follow, or one may be gone. (edit_rules.c) */
int edit_rules_update(struct edit *edit, const struct edit_node *host, const struct host_record *old,
		      const struct host_record *now, struct problem *problem);
