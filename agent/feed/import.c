/* SPDX-License-Identifier: MIT */
#include "feed/import.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "feed/feed.h"

/* Owned by root or us, and nobody else can change it. Symbolic links lead to where others may be the owners. */
static int check_folder(const char *path, struct problem *problem)
{
	struct stat st;

	problem_at(problem, path, 0, 0);
	if (lstat(path, &st) < 0)
		return problem_set(problem, errno, "%s", strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return problem_set(problem, ENOTDIR, "not a folder");
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || st.st_mode & (S_IWGRP | S_IWOTH)) {
		problem_remedy(problem, "chown it to root and take away the write permission of others");
		return problem_set(problem, EPERM, "the folder cannot be trusted");
	}
	return 0;
}

/* The origin is the head's second line, and the tenant's id what follows its last slash. The head is verified later:
 * this only says which feed to ask. */
static int read_tenant_id(const char *folder, char out[FEED_TENANT_ID_MAX], struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	char path[600], origin[FEED_ORIGIN_MAX];
	const char *line, *id;
	struct stat st;
	int r;

	snprintf(path, sizeof(path), "%s/head", folder);
	problem_at(problem, path, 0, 0);
	r = file_read(AT_FDCWD, path, NOTE_BYTES_MAX, FILE_TRUST_OWNER, geteuid(), &note, &st);
	if (r < 0) {
		if (r == -EPERM)
			problem_remedy(problem, "it must belong to root and be writable by root alone");
		return problem_set(problem, -r, "%s", strerror(-r));
	}
	line = buffer_text(&note) ? strchr(note.data, '\n') : NULL;
	if (!line ||
	    (size_t)snprintf(origin, sizeof(origin), "%.*s", (int)strcspn(line + 1, "\n"), line + 1) >= sizeof(origin))
		return problem_set(problem, EBADMSG, "this is not a feed's head");
	id = strrchr(origin, '/');
	if (!feed_origin_valid(origin) || !id || !text_is_id(id + 1) || strlen(id + 1) >= FEED_TENANT_ID_MAX)
		return problem_set(problem, EBADMSG, "this is not a feed's head");
	snprintf(out, FEED_TENANT_ID_MAX, "%s", id + 1);
	return 0;
}

static int is_folder_name(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void look_at(const char *directory, const char *name, struct import_folder *ret)
{
	if ((size_t)snprintf(ret->path, sizeof(ret->path), "%s/%s", directory, name) >= sizeof(ret->path)) {
		problem_set(&ret->problem, ENAMETOOLONG, "the folder's name is too long");
		return;
	}
	if (check_folder(ret->path, &ret->problem) == 0 &&
	    read_tenant_id(ret->path, ret->tenant_id, &ret->problem) == 0)
		ret->problem = (struct problem){0};
}

int import_scan(const char *directory, struct import_folder **ret, uint32_t *ret_count)
{
	struct dirent **names = NULL;
	struct problem problem = {0};
	int count;

	*ret = NULL;
	*ret_count = 0;
	count = scandir(directory, &names, is_folder_name, by_name);
	if (count < 0)
		return errno == ENOENT ? 0 : -errno;
	*ret = calloc(count ? (size_t)count : 1, sizeof(**ret));
	for (int i = 0; i < count; i++) {
		if (*ret && *ret_count < IMPORT_FOLDERS_MAX) {
			struct import_folder *folder = &(*ret)[(*ret_count)++];

			look_at(directory, names[i]->d_name, folder);
			/* Who may rename folders in here may put others in their place. */
			if (check_folder(directory, &problem) < 0) {
				folder->tenant_id[0] = '\0';
				folder->problem = problem;
			}
		}
		free(names[i]);
	}
	free(names);
	return *ret ? 0 : -ENOMEM;
}
