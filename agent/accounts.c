/* SPDX-License-Identifier: MIT */
#include "accounts.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"

#define LINE_MAX_BYTES 4096

static void file_closep(FILE **file)
{
	if (*file)
		fclose(*file);
}

int account_uid(const char *passwd_path, const char *user, uint32_t *ret_uid)
{
	_cleanup_(file_closep) FILE *file = fopen(passwd_path, "re");
	char line[LINE_MAX_BYTES];
	struct passwd entry, *found;
	int result;

	if (!file)
		return -errno;
	while ((result = fgetpwent_r(file, &entry, line, sizeof(line), &found)) == 0) {
		if (strcmp(entry.pw_name, user) == 0) {
			*ret_uid = (uint32_t)entry.pw_uid;
			return 0;
		}
	}
	return result == ENOENT ? -ENOENT : -result;
}

int account_has_uid(const char *passwd_path, uint32_t uid)
{
	_cleanup_(file_closep) FILE *file = fopen(passwd_path, "re");
	char line[LINE_MAX_BYTES];
	struct passwd entry, *found;
	int result;

	if (!file)
		return -errno;
	while ((result = fgetpwent_r(file, &entry, line, sizeof(line), &found)) == 0)
		if (entry.pw_uid == uid)
			return 1;
	return result == ENOENT ? 0 : -result;
}
