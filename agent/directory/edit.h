/* SPDX-License-Identifier: MIT
 *
 * Changes records in the text of a directory file and leaves everything else as it was written: comments,
 * order, layout. What cannot be changed without harming them is refused (-EOPNOTSUPP), never guessed.
 * Before anything is written the new text is loaded, and must say exactly what was intended.
 *
 *     edit_open · edit_append, edit_update, edit_remove … · edit_finish · edit_write
 *
 * All offsets refer to the text as it was opened, so one record is updated at most once. Update the old
 * record before appending the new one where both go to the same list. Records given must live until
 * edit_finish.
 */
#pragma once

#include "directory/directory.h"

struct edit;

/* Takes the lock of a directory file and its drop-ins, waiting at most `seconds`: every tenantctl that edits takes
 * it. A descriptor for edit_unlock; -EWOULDBLOCK when another one is at work; -EPERM: the lock is somebody else's
 * file; or errno. */
int edit_lock(const char *path, unsigned seconds);
/* Gives the lock back and leaves nothing lying about. Takes -1. */
void edit_unlock(const char *path, int lock);

/* `unit` is what was loaded from the file. -ESTALE: the file changed since. */
int edit_open(const char *path, struct unit *unit, struct edit **ret, struct problem *problem);
/* The same on a text in memory that `unit` was loaded from; edit_write is not for it. */
int edit_open_text(const char *name, const void *data, size_t length, struct unit *unit, struct edit **ret);
void edit_free(struct edit *edit); /* takes NULL */
DEFINE_CLEANUP(struct edit, edit_free)

int edit_append(struct edit *edit, enum record_kind kind, const void *record, struct problem *problem);
int edit_update(struct edit *edit, enum record_kind kind, uint32_t index, const void *record, struct problem *problem);
int edit_remove(struct edit *edit, enum record_kind kind, uint32_t index, struct problem *problem);
/* Makes and checks the new text. Gives the unit that it loads as. */
int edit_finish(struct edit *edit, struct unit **ret, struct problem *problem);
const char *edit_text(const struct edit *edit); /* after edit_finish */
/* Replaces the file: temporary file, fsync, rename; owner and mode stay. 0 or errno. */
int edit_write(const struct edit *edit);
