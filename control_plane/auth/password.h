/* SPDX-License-Identifier: MIT
 *
 * Passwords: yescrypt (libxcrypt), and which ones are taken.
 */
#pragma once

#include <stdbool.h>

#include "base/problem.h"

#define PASSWORD_BYTES_LEAST 12
#define PASSWORD_BYTES_MOST 256
/* yescrypt's cost: 16 MiB and some tens of milliseconds for each check, and twice that for each step up. */
#define PASSWORD_COST 6
#define PASSWORD_HASH_SIZE 128

/* What a person may not choose: their own names. NULL: not known. */
struct password_owner {
	const char *login, *email, *name;
};
/* 0; -EINVAL with the reason and remedy in the problem. */
int password_judge(const char *password, const struct password_owner *owner, struct problem *problem);
/* 0; -EBUSY: too many at once; -EIO. */
int password_hash(const char *password, char out[PASSWORD_HASH_SIZE]);
/* Is it this one? `hash` NULL or "" (nobody, or nobody who has a password): the same work, then no. 1, 0; -EBUSY: as
 * many are being checked as this machine shall check at once. */
int password_verify(const char *password, const char *hash);
