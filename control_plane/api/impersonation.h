/* SPDX-License-Identifier: MIT
 *
 * Operators who look into a tenant. A grant of the role "impersonate" gives the operator an account of their own there:
 * a user of kind "operator" with the operator's SSH keys, viewer of the tenant's projects, for as long as the grant
 * lasts. All of it goes into the tenant's feed, and out of it, in the transaction that writes the grant. The account's
 * uid and login name stay the operator's for good, without keys and memberships; hosts let nobody in by it then.
 *
 * Transactions have the platform's scope; these functions take them into the tenant's. The tenant's row is held from
 * the beginning to the commit, after the operator's: one grant after the other, in the order of tenants' ids.
 */
#pragma once

#include "control_plane/http/request.h"

#define IMPERSONATE "impersonate"

struct impersonation {
	const char *grant_id, *operator_id, *tenant_id;
	const char *reason;
	const json_t *projects; /* ids or slugs; NULL or empty: all that the tenant has or gets */
	int64_t not_after;
};
/* The account and all that it needs, and the grant's row; request->change is the tenant's afterwards. 0 with the row's
 * version and view (OPERATOR_GRANT_VIEW_SQL); 1: a problem was set; -errno: of the grant's row. */
int impersonation_begin(struct request *request, const struct impersonation *wanted, struct db_rows **ret);

/* One that is over. Texts live as long as `rows`. */
struct impersonation_end {
	struct db_rows *rows; /* owned */
	const char *operator_id, *operator_name, *user_id, *login;
};
void impersonation_end_finish(struct impersonation_end *end);
/* Takes the grant back: keys, memberships and the grant go out of the tenant's feed. 0; -ENOENT: it is gone already;
 * -errno. */
int impersonation_end(struct db_tx *tx, struct change *change, const char *tenant_id, const char *grant_id,
		      struct impersonation_end *ret);
/* What the tenant reads about it; `why`: "withdrawn", "expired" … Its reference is the caller's. */
json_t *impersonation_end_data(const struct impersonation_end *end, const char *why);

/* The same on somebody's request, told in the tenant's events. That it is gone already is no fault. */
int impersonation_withdraw(struct request *request, struct change *change, const char *tenant_id, const char *grant_id,
			   const char *why);

/* After a change of the operator's own row, which is locked: accounts with a grant in force get the new name and keys;
 * those of an operator who is suspended end. */
int impersonation_follow(struct request *request, const char *operator_id);
/* Before the operator's row goes: their accounts go, too, in all tenants. */
int impersonation_remove(struct request *request, const char *operator_id);

/* The sweeper's: grants whose time is over. */
int impersonation_sweep(struct app *app);

/* ---- parts ----------------------------------------------------------------------------------------------------------
 */

/* The transaction is the tenant's from here on, whose row is held. Queued. */
int impersonation_enter(struct db_tx *tx, const char *tenant_id);
/* The grant's record, into the feed. */
int impersonation_put_grant(struct db_tx *tx, struct change *change, const char *tenant_id, const char *operator_id);
int impersonation_leave_projects(struct db_tx *tx, struct change *change, const char *tenant_id, const char *user_id);

/* A project that is new: who looks in everywhere looks in there, too. Asked in the tenant's scope, its row held. */
int impersonation_of_new_project(struct request *request, const char *project_id);
