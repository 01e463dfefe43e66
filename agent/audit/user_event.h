/* SPDX-License-Identifier: MIT
 *
 * Who an event is about, in the same fields wherever a user's record is at hand.
 */
#pragma once

#include "audit/audit.h"

/* Name, id, uid and tenant; of an operator's account also who it is, by which grant and why, whether the grant is in
 * force or over. Strings are borrowed from the directory. `user` NULL: nothing is set. */
void audit_about_user(struct audit_event *event, const struct directory *d, const struct user_record *user);
/* Only what an operator's account has beside. */
void audit_about_grant(struct audit_event *event, const struct grant_record *grant);
