/* SPDX-License-Identifier: MIT
 *
 * The permission matrix: which action each shipped role may do. One table serves host and control
 * plane. Tenants add roles of their own (struct role_record).
 */
#pragma once

#include <stdbool.h>

#include "records/records.h"

/* Actions are words such as "project.view"; the shipped ones are listed in matrix.c. */
bool matrix_knows_action(const char *action);
bool matrix_knows_project_role(const char *role);
bool matrix_knows_tenant_role(const char *role);
/* The shipped ones, and those that a role of this tenant names. */
bool matrix_tenant_knows_action(const struct tenant_record *tenant, const char *action);
/* About the host itself (host.*): only project roles give it, and the host's rules have the last word. */
bool matrix_action_is_host(const char *action);
/* All shipped actions, for messages and suggestions. */
const char *const *matrix_actions(unsigned *ret_count);

/* May a holder of the role do it? `tenant` gives its own roles; an unknown role may nothing.
 * host.login for viewers and host.sudo for owners are "host decides" (MATRIX_HOST). A shipped name
 * always means the shipped role; tenant roles never give host.*. */
enum matrix_answer { MATRIX_NO, MATRIX_YES, MATRIX_HOST };
enum matrix_answer matrix_project_role(const struct tenant_record *tenant, const char *role, const char *action);
/* What a role gives without asking the host (MATRIX_YES), one action after the other, in the order of the
 * table or of the tenant's own role; NULL at the end. `role` NULL: nothing. */
struct matrix_walk {
	const struct role_record *own;
	int shipped;
	bool tenant_wide;
	uint32_t next;
};
struct matrix_walk matrix_walk_project(const struct tenant_record *tenant, const char *role);
struct matrix_walk matrix_walk_tenant(const struct tenant_record *tenant, const char *role);
const char *matrix_walk_next(struct matrix_walk *walk);
enum matrix_answer matrix_tenant_role(const struct tenant_record *tenant, const char *role, const char *action);
/* Whose Unix groups the role's holders get; GROUP_LEVEL_ALL for none beyond membership. */
enum group_level matrix_group_level(const struct tenant_record *tenant, const char *role);
