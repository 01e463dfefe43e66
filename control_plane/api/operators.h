/* SPDX-License-Identifier: MIT
 *
 * Operators, for their grants.
 */
#pragma once

#include "control_plane/http/router.h"

/* The row of {operator}, an id or an e-mail address, locked. Nobody changes what they themselves may do: `others`
 * refuses the caller's own. 0; 1: a problem was set; -errno. */
int operators_lock(struct request *request, bool others, const char **ret_id, int64_t *ret_version);
