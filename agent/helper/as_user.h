/* SPDX-License-Identifier: MIT
 *
 * Does something with a user's own rights, in a child that has no others: signals reach what the kernel lets this user
 * signal, so neither a wrong number nor a pid that was reused can make them reach root's or anybody else's processes.
 *
 * The child's effective uid alone is the user's. Its real and saved uid are a number of the managed range that no
 * account has, and one for each worker, so that the user's processes may not signal, trace or look into it, and two
 * such children do not hit each other by kill(-1). It has no groups, no capabilities, and no descriptor but a pipe.
 *
 * What the user may signal: what runs under their uid (real or saved), and everything in user namespaces that they own,
 * which is what runs under their subordinate ids, however those were given out; but not what left these with such an id
 * (strays.h), which the same is done to with that id's rights.
 */
#pragma once

#include <stdint.h>

#include "records/records.h"

#define AS_USER_SLOTS 16U /* of the children of so many workers at once */
#define AS_USER_GUARD_FIRST (MANAGED_ID_TENANT_LAST + 1)

/* Runs in the child. `count` is handed to the parent with the result. */
typedef int (*as_user_fn)(void *data, uint32_t *count);

/* Waits for the child for so long at most, then ends it. What `run` returned; -EPERM: the uid is none of the tenants';
 * -ETIMEDOUT; -EIO: it was ended by somebody, or could not take on the user's rights. ret_count may be NULL. */
int as_user(uint32_t uid, unsigned slot, unsigned wait_msec, as_user_fn run, void *data, uint32_t *ret_count);
/* The same with the rights of one of the user's subordinate ids; -EPERM: it is none of theirs. */
int as_subordinate(uint32_t uid, uint32_t id, unsigned slot, unsigned wait_msec, as_user_fn run, void *data,
		   uint32_t *ret_count);
