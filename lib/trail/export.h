/* SPDX-License-Identifier: MIT
 *
 * Exports of a log (docs/audit-log.md, "Export"), checked line by line: memory does not grow with them.
 *
 * Every entry's proof is verified against the export's checkpoint. From the proof of entry i also follows the root that
 * the log had at size i and i + 1, so that checkpoints which others kept are held against it, whatever part of the log
 * the export has.
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
	bool complete; /* every index from `from` to `to` was there; where `to` is the checkpoint's size, the root was
			* computed anew */
	bool own_keys; /* nobody gave keys: the file's own word was taken */
	/* Checkpoints that others kept: how many of this log, and how many of those could be held against this export.
	 * None contradicts. */
	uint32_t kept, compared;
};
struct export_check;
/* `keys` NULL: those that the file names. `origin` NULL: any. */
int export_check_new(const char *origin, const struct note_key *keys, uint32_t key_count, struct export_check **ret);
/* A note that somebody kept; before the first line. Borrowed until the end. One of another log (-EREMCHG), or that no
 * known key signed, is refused here, or, without keys, by the first line. */
int export_check_keep(struct export_check *check, const char *note, size_t length, struct problem *problem);
/* One line without its end. `event` (NULL: not wanted): the merged event, borrowed for the call. Negative: what is
 * wrong with it, with the line's number in the problem; then only free. -EBADMSG: it does not hold (also what the
 * readers of notes say); -ENOMEM, -EIO: it could not be checked. */
int export_check_line(struct export_check *check, const char *line, size_t length,
		      void (*event)(void *context, uint64_t index, const struct leaf *leaf, json_t *event),
		      void *context, struct problem *problem);
int export_check_end(struct export_check *check, struct export_summary *ret, struct problem *problem);
void export_check_free(struct export_check *check); /* takes NULL */
DEFINE_CLEANUP(struct export_check, export_check_free)
