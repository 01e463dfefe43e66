/* SPDX-License-Identifier: MIT */
#include "feed/audit_receipt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

#define PURPOSE "audit-receipt"
#define PATH_SIZE 512U

static int path_of(const char *state_dir, char out[PATH_SIZE])
{
	return (size_t)snprintf(out, PATH_SIZE, "%s/audit.receipt", state_dir) < PATH_SIZE ? 0 : -ENAMETOOLONG;
}

int audit_receipt_load(const char *state_dir, const struct seal_key *key, const struct note_key *authority,
		       struct receipt *ret)
{
	_cleanup_(buffer_finish) struct buffer sealed = BUFFER_INIT, note = BUFFER_INIT;
	struct problem problem = {0};
	char path[PATH_SIZE];
	int r = path_of(state_dir, path);

	if (r == 0)
		r = file_read(AT_FDCWD, path, 2 * AUDIT_RECEIPT_BYTES_MAX, FILE_TRUST_OWNER, geteuid(), &sealed, NULL);
	if (r == 0)
		r = unseal(key, PURPOSE, sealed.data, sealed.length, &note);
	if (r < 0)
		return r;
	return receipt_read(note.data, note.length, authority, ret, &problem) < 0 ? -EBADMSG : 0;
}

int audit_receipt_store(const char *state_dir, const struct seal_key *key, const char *note)
{
	_cleanup_(buffer_finish) struct buffer sealed = BUFFER_INIT;
	char path[PATH_SIZE];
	int r = path_of(state_dir, path);

	if (r == 0)
		r = seal(key, PURPOSE, note, strlen(note), &sealed);
	return r < 0 ? r : file_replace(AT_FDCWD, path, sealed.data, sealed.length, 0600, NULL);
}

void audit_receipt_wipe(const char *state_dir)
{
	char path[PATH_SIZE];

	if (path_of(state_dir, path) == 0 && unlink(path) < 0 && errno != ENOENT)
		log_error("cannot remove %s: %s", path, strerrordesc_np(errno));
}
