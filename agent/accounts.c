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

/* By name, or where that is NULL by number: 1 and the number; 0: there is none; -errno of the file. */
static int find(const char *passwd_path, const char *user, uint32_t uid, uint32_t *ret_uid)
{
	_cleanup_(file_closep) FILE *file = fopen(passwd_path, "re");
	char line[LINE_MAX_BYTES];
	struct passwd entry, *found;
	int result;

	if (!file)
		return -errno;
	while ((result = fgetpwent_r(file, &entry, line, sizeof(line), &found)) == 0) {
		if (user ? strcmp(entry.pw_name, user) == 0 : entry.pw_uid == uid) {
			*ret_uid = (uint32_t)entry.pw_uid;
			return 1;
		}
	}
	return result == ENOENT ? 0 : -result;
}

int account_uid(const char *passwd_path, const char *user, uint32_t *ret_uid)
{
	int result = find(passwd_path, user, 0, ret_uid);

	return result > 0 ? 0 : result == 0 ? -ENOENT : result;
}

int account_has_uid(const char *passwd_path, uint32_t uid)
{
	return find(passwd_path, NULL, uid, &uid);
}
