/* SPDX-License-Identifier: MIT
 *
 * Checks of one record against the whole part. 0, or -EINVAL with place and remedy in the problem.
 */
#pragma once

#include "directory/part.h"

struct check {
	const struct part *part;
	struct problem *problem;
};

/* Fills the place and returns -EINVAL, for `return`. */
int check_fail(const struct check *check, enum record_kind kind, const void *record, const char *remedy,
	       const char *format, ...) _printf_(5, 6);

int check_tenant(const struct check *check, const struct tenant_record *tenant);
int check_project(const struct check *check, const struct project_record *project);
int check_user(const struct check *check, const struct user_record *user);
int check_member(const struct check *check, const struct member_record *member);
/* Number and uniqueness of all of one user's memberships. */
int check_memberships(const struct check *check, const char *user_id);
int check_key(const struct check *check, const struct key_record *key);
int check_idp(const struct check *check, const struct idp_record *idp);
int check_grant(const struct check *check, const struct grant_record *grant);
int check_host(const struct check *check, const struct host_record *host);
/* Is the key that `key` names as its successor there, and the same owner's? */
int check_successor(const struct check *check, const struct key_record *key);
