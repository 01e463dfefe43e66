/* SPDX-License-Identifier: MIT
 *
 * Who an event is about, in the same fields wherever a user's record is at hand.
 */
#pragma once

#include "audit/audit.h"

/* Name, id, uid and tenant; of an operator's account also who it is, by which grant and why, whether the grant is in
 * force or over. Strings are borrowed from the directory. `user` NULL: nothing is set. */
void audit_about_user(struct audit_event *event, const struct directory *d, const struct user_record *user);
/* It is about whoever asked to become somebody else, of whom there is a name alone; the tenant stays. */
void audit_asked_by(struct audit_event *event, const struct directory *d, const char *login);
/* Slug and id of one; NULL: none. */
void audit_about_project(struct audit_event *event, const struct project_record *project);
/* Who asked on the socket, by the kernel's word; where the directory (may be NULL) has them, their id, too. */
void audit_about_caller(struct audit_event *event, const struct directory *d, uint32_t uid, uint32_t pid);
/* Only what an operator's account has beside. */
void audit_about_grant(struct audit_event *event, const struct grant_record *grant);
