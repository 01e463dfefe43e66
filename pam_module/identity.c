/* SPDX-License-Identifier: MIT */
#include "identity.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <tenant/login.h>
#include <tenant/nss_map.h>

_Static_assert(TENANT_MANAGED_ID_FIRST == NSS_MAP_ID_FIRST && TENANT_MANAGED_ID_LAST == NSS_MAP_ID_LAST,
	       "who is ours to PAM is who NSS may speak of");

#define RECORD_BYTES_FIRST ((size_t)1024)
#define RECORD_BYTES_MAX ((size_t)1024 * 1024)

/* Always the reentrant call: the program's own static passwd buffer stays as it is. 0 and whether there
 * is such a record; ERANGE; another errno. */
static int look_up(const char *user, char *buffer, size_t size, enum identity *ret, uid_t *ret_uid)
{
	struct passwd record, *found = NULL;
	int r;

	do
		r = getpwnam_r(user, &record, buffer, size, &found);
	while (r == EINTR);
	/* Some NSS modules say "no such user" this way, which getpwnam(3) allows. */
	if (r == ENOENT || r == ESRCH)
		r = 0;
	if (r != 0)
		return r;
	if (found && found->pw_uid >= TENANT_MANAGED_ID_FIRST && found->pw_uid <= TENANT_MANAGED_ID_LAST)
		*ret = IDENTITY_OURS;
	else
		*ret = IDENTITY_NOT_OURS;
	*ret_uid = found ? found->pw_uid : 0;
	return 0;
}

enum identity identity_of(const char *user, uid_t *ret_uid)
{
	enum identity identity = IDENTITY_UNCLEAR;
	char first[RECORD_BYTES_FIRST];
	size_t size;
	int r;

	*ret_uid = 0;
	if (!user || !user[0] || strcmp(user, "root") == 0)
		return IDENTITY_NOT_OURS;
	r = look_up(user, first, sizeof(first), &identity, ret_uid);
	for (size = 4 * sizeof(first); r == ERANGE && size <= RECORD_BYTES_MAX; size *= 4) {
		char *buffer = malloc(size);

		if (!buffer)
			return IDENTITY_UNCLEAR;
		r = look_up(user, buffer, size, &identity, ret_uid);
		free(buffer);
	}
	return identity;
}
