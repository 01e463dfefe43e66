/* SPDX-License-Identifier: MIT
 *
 * What a new API key may be limited to, and by whom.
 */
#pragma once

#include "control_plane/api/record.h"

struct key_scopes {
	json_t *projects, *actions, *services, *from; /* lists of texts, or NULL */
	int64_t not_after;                            /* 0: none */
};
/* Projects are the tenant's and stay until the end of the transaction, actions are known, and whoever comes with a
 * limited key makes none that may do more. 0; 1: a problem was set; -errno. */
int key_scopes_check(struct request *request, const struct key_scopes *scopes);
