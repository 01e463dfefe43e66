/* SPDX-License-Identifier: MIT
 *
 * Files that are read whole or replaced whole. Writers: temporary file in the same directory, every
 * write checked, fsync, rename, fsync of the directory; on any failure the old file stays.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/buffer.h"

/* Who may own and write a file that we trust: owner root or the given uid, regular, not writable by
 * group or others, and not reached by a symbolic link (-ELOOP). FILE_TRUST_ANY checks only that it is
 * regular. */
enum file_trust { FILE_TRUST_ANY, FILE_TRUST_OWNER };

/* Reads the whole file (at most `limit` bytes) into `ret` (appended) and the stat of what was read.
 * -EFBIG past the limit, -EPERM when not trusted, -EINVAL when not a regular file, or errno. */
int file_read(int dirfd, const char *path, size_t limit, enum file_trust trust, uid_t owner, struct buffer *ret,
	      struct stat *ret_stat);
/* Replaces `path` with data. `like` (may be NULL) gives owner and mode to keep; else `mode`. A caller that
 * may not give the file to that owner fails with -EPERM.
 * The last step is to make the new name durable: when that alone fails (-EIO), the new file is in place. */
int file_replace(int dirfd, const char *path, const void *data, size_t length, mode_t mode, const struct stat *like);
/* Takes an exclusive lock on `path` (created 0600 when absent), waiting at most `seconds`.
 * Returns the descriptor that holds it (close to release), -EWOULDBLOCK when the wait ends. */
int file_lock(const char *path, unsigned seconds);
int fd_write_all(int fd, const void *data, size_t length); /* retries EINTR and short writes */
