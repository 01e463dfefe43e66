/* SPDX-License-Identifier: MIT
 *
 * What the gate cannot know from a route: nobody gives a role above their own or acts on somebody above them, and a
 * tenant always keeps an owner. All take the route's tenant and return 0; 1: a problem was set; -errno.
 */
#pragma once

#include "control_plane/http/router.h"

/* The user is there, no operator's account, and holds nothing in the tenant that the caller does not hold. Themselves:
 * always. */
int rights_over_user(struct request *request, const char *user_id);
/* And nothing in a project either, unless the caller gives such roles all over the tenant: what they ask for lets them
 * act as this user (a key, a password, the SSH keys and address of somebody else). */
int rights_as_user(struct request *request, const char *user_id);
/* The caller does not come with an API key that is limited: what they ask for would give whoever has the key more. */
int rights_unlimited(struct request *request);
/* What they ask for lets them act as anybody in the tenant: for its owners, and operators. Not with a limited key. */
int rights_as_anybody(struct request *request);
/* A role of the tenant that gives nothing that the caller does not hold. */
int rights_to_give_in_tenant(struct request *request, const char *role);
/* A project role for a user: nobody raises their own, and who manages only this project gives nothing beyond their own.
 */
int rights_to_give_in_project(struct request *request, const char *user_id, const char *role);
/* Before somebody stops being an owner: *ret_owner says whether they are one now, and counts. Two who take each other's
 * role away at once would leave none, so they come one after the other. */
int rights_lock_owners(struct request *request, const char *user_id, bool *ret_owner);
/* After they stopped. A tenant that never had an owner keeps none. */
int rights_check_owners(struct request *request, bool was_owner);
