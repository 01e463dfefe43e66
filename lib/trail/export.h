/* SPDX-License-Identifier: MIT
 *
 * Exports of a log (docs/audit-log.md, "Export"), checked line by line: memory does not grow with them.
 */
#pragma once

#include "base/problem.h"
#include "crypto/note.h"
#include "tlog/checkpoint.h"
#include "trail/leaf.h"

#define EXPORT_KEYS_MAX 16U
#define EXPORT_LINE_MAX (256U * 1024)

struct export_summary {
	struct checkpoint checkpoint;
	uint64_t from, to, entries, erased; /* erased: personal data whose key is gone */
	bool complete; /* every index from `from` to `to` was there, and their root was computed anew */
	bool own_keys; /* nobody gave keys: the file's own word was taken */
};
struct export_check;
/* `keys` NULL: those that the file names. `origin` NULL: any. `checkpoints`: notes that others kept (borrowed until the
 * end); one of a size within a complete export must have the root computed there, others must not contradict. */
int export_check_new(const char *origin, const struct note_key *keys, uint32_t key_count, struct export_check **ret);
int export_check_keep(struct export_check *check, const char *note, size_t length, struct problem *problem);
/* One line without its end. `event` (NULL: not wanted): the merged event, borrowed for the call. Negative: what is
 * wrong with it, with the line's number in the problem; then only free. */
int export_check_line(struct export_check *check, const char *line, size_t length,
		      void (*event)(void *context, uint64_t index, const struct leaf *leaf, json_t *event),
		      void *context, struct problem *problem);
int export_check_end(struct export_check *check, struct export_summary *ret, struct problem *problem);
void export_check_free(struct export_check *check); /* takes NULL */
