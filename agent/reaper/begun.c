/* SPDX-License-Identifier: MIT
 *
 * On a file system that a reboot empties, as all is that could be running.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/parse.h"
#include "reaper/internal.h"

#define NAME_SIZE 16
#define WORD_SIZE 32

int begun_open(const char *path)
{
	int fd;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

int begun_write(int dirfd, uint32_t uid, enum end_cause cause)
{
	const char *word = end_cause_word(cause);
	char name[NAME_SIZE];

	(void)snprintf(name, sizeof(name), "%u", uid);
	return file_replace(dirfd, name, word, strlen(word), 0600, NULL);
}

void begun_remove(int dirfd, uint32_t uid)
{
	char name[NAME_SIZE];

	(void)snprintf(name, sizeof(name), "%u", uid);
	(void)unlinkat(dirfd, name, 0); /* left over it is only done once more */
}

static enum end_cause read_cause(int dirfd, const char *name)
{
	_cleanup_(closep) int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char word[WORD_SIZE];
	ssize_t length = fd < 0 ? -1 : read(fd, word, sizeof(word) - 1);

	if (length < 0)
		return END_NONE;
	word[length] = '\0';
	return end_cause_from_word(word);
}

int begun_read(int dirfd, begun_fn found, void *context)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	DIR *dir;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		int r = -errno;

		close(fd);
		return r;
	}
	while ((entry = readdir(dir))) {
		enum end_cause cause;
		uint32_t uid;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		cause = read_cause(dirfd, entry->d_name);
		if (parse_u32(entry->d_name, &uid) == 0 && uid >= MANAGED_ID_FIRST && uid <= MANAGED_ID_TENANT_LAST &&
		    cause != END_NONE) {
			found(context, uid, cause);
			continue;
		}
		log_warning("an end that was begun cannot be read: %.64s", entry->d_name);
		(void)unlinkat(dirfd, entry->d_name, 0);
	}
	closedir(dir);
	return 0;
}
