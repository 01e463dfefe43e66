/* SPDX-License-Identifier: MIT
 *
 * Is a login name one of ours? Answered by NSS alone, before anything that can fail, so that root and
 * local people never depend on the agent or on this module's arguments.
 */
#pragma once

#include <sys/types.h>

enum identity {
	IDENTITY_NOT_OURS, /* root, a local account, or nobody */
	IDENTITY_OURS,     /* an id within the managed range */
	IDENTITY_UNCLEAR,  /* the look-up itself failed: could be either */
};

/* `user` NULL: nobody. *ret_uid: what NSS gives for the name, 0 where it gives none (or root, who is not looked
 * up). */
enum identity identity_of(const char *user, uid_t *ret_uid);
