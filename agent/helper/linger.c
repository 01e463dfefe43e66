/* SPDX-License-Identifier: MIT
 *
 * The files have names of people, and what is given is a number. Who that is says logind, which keeps a file for each
 * user that it looks after: all who linger and whose manager could be started are among them, also when the directory
 * has forgotten them. (logind itself is not asked: it would need D-Bus, and to find the person.) It looks for the
 * person's file again when their last process has ended, so taking it away is enough.
 */
#include "helper/linger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "accounts.h"
#include "base/file.h"
#include "base/macros.h"
#include "base/text.h"

#define LINGER_DIR "/var/lib/systemd/linger"
#define USER_FILE_MAX 65536

/* -ENOENT: logind does not know the user, or there is no logind. */
static int read_name(uint32_t uid, char *out, size_t size)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	char path[64];
	struct stat st;
	const char *line;
	size_t length;
	int r;

	snprintf(path, sizeof(path), "/run/systemd/users/%u", uid);
	r = file_read(AT_FDCWD, path, USER_FILE_MAX, FILE_TRUST_OWNER, 0, &text, &st);
	if (r < 0)
		return r;
	line = buffer_text(&text);
	if (!line)
		return -ENOMEM;
	line = strncmp(line, "NAME=", 5) == 0 ? line : strstr(line, "\nNAME=");
	if (!line)
		return -ENOENT;
	line = strchr(line, '=') + 1;
	length = strcspn(line, "\n");
	if (length >= size)
		return -EINVAL;
	memcpy(out, line, length);
	out[length] = '\0';
	/* As a file's name: no part of a path, whatever stood there. */
	return text_is_login_name(out) ? 0 : -EINVAL;
}

int linger_off(uint32_t uid)
{
	_cleanup_(closep) int folder = -1;
	char name[NAME_MAX_BYTES + 1];
	uint32_t local;
	struct stat st;
	int r = read_name(uid, name, sizeof(name));

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = account_uid("/etc/passwd", name, &local);
	if (r != -ENOENT)
		return r < 0 ? r : -EPERM;
	folder = open(LINGER_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return unlinkat(folder, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}
