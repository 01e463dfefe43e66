/* SPDX-License-Identifier: MIT
 *
 * Who a user is at identity providers: by issuer and subject, which in a tenant are one user's alone.
 */
#pragma once

#include "control_plane/api/record.h"

/* These and no others; `identities` NULL: nothing is said, nothing is done. The user's row is locked, and its body has
 * to be read after this. With its event. 0; 1: a problem was set; -EEXIST: one is another user's; -errno. */
int user_identities_put(struct request *request, const char *user_id, json_t *identities);
