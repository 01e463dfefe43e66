/* SPDX-License-Identifier: MIT
 *
 * An export that is being checked.
 */
#pragma once

#include "trail/export.h"

#define KEPT_MAX 4096U /* checkpoints beside one export */

/* A checkpoint that somebody kept. */
struct kept {
	const char *note; /* borrowed */
	size_t length;
	struct checkpoint checkpoint; /* once it is read */
	bool compared;
};

enum export_stage { EXPORT_HEADER, EXPORT_ENTRIES, EXPORT_ENDED, EXPORT_REFUSED };

struct export_check {
	char origin[CHECKPOINT_ORIGIN_MAX]; /* "": any, until the first line */
	struct note_key keys[EXPORT_KEYS_MAX];
	uint32_t key_count;
	bool own_keys;
	struct kept *kept; /* owned; ascending by size once the header is read */
	uint32_t kept_count, kept_capacity;

	enum export_stage stage;
	unsigned line;
	struct checkpoint checkpoint;
	uint64_t from, to, entries, erased;
	uint64_t next;                 /* the least index that may come */
	struct tlog_frontier frontier; /* of all before `next`, as long as none is missing */
	bool gap;
};

/* ---- export_kept.c ---------------------------------------------------------------------------- */
int kept_read(struct export_check *check, struct kept *kept, struct problem *problem);
/* All of them, with the export's own, against each other: two of one size say the same. Sorts. */
int kept_compare(struct export_check *check, struct problem *problem);
/* Those of the frontier's size against it. */
int kept_hold(struct export_check *check, const struct tlog_frontier *frontier, struct problem *problem);

/* ---- export_header.c -------------------------------------------------------------------------- */
int export_header(struct export_check *check, json_t *line, struct problem *problem);
