/* SPDX-License-Identifier: MIT
 *
 * An operator's account in a tenant: found again, or made.
 */
#pragma once

#include "control_plane/http/request.h"

struct impersonation_account {
	const char *user_id, *login;
};
/* In the tenant's scope, request->tenant_id set and its row held. 0; 1: a problem was set; -errno. */
int impersonation_account(struct request *request, const char *operator_id, const char *email,
			  struct impersonation_account *ret);
/* Brings the account's name and keys up to what the operator's row says, and publishes it. */
int impersonation_account_put(struct db_tx *tx, struct change *change, const char *tenant_id, const char *operator_id,
			      bool with_keys);
