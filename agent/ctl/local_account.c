/* SPDX-License-Identifier: MIT */
#include "ctl/local_account.h"

#include <pwd.h>
#include <stddef.h>

#include "records/records.h"

#define PASSWD_BYTES 4096

bool is_local_account(const char *name)
{
	char buffer[PASSWD_BYTES];
	struct passwd entry, *found = NULL;

	return getpwnam_r(name, &entry, buffer, sizeof(buffer), &found) == 0 && found &&
	       (found->pw_uid < MANAGED_ID_FIRST || found->pw_uid > MANAGED_ID_LAST);
}
