/* SPDX-License-Identifier: MIT
 *
 * Operators' actions: which grants give them.
 */
#pragma once

#include <stdbool.h>

/* GRANT_IMPERSONATE gives no action here: what it is good for is on hosts. */
enum { GRANT_ADMIN = 1U << 0, GRANT_SUPPORT = 1U << 1, GRANT_HOSTS = 1U << 2, GRANT_IMPERSONATE = 1U << 3 };

struct operator_action {
	const char *action;
	unsigned grants;  /* any of these … */
	bool in_a_tenant; /* … also one that holds in a single tenant; else it must hold everywhere */
};
const struct operator_action *operator_action_find(const char *action); /* NULL: no such action */
unsigned operator_grant_bit(const char *role);                          /* 0: no such role */

/* A route's action that everybody of the tenant may take about what is their own: "self" (their keys), "self:<action>".
 * What a limited API key must be good for to be used there; NULL: the route's action is another one. */
const char *own_action_needs(const char *action);
