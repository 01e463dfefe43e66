/* SPDX-License-Identifier: MIT
 *
 * The end of everything that runs as a user: the user's slice (sessions, service manager) as cgroups, and what is
 * outside of it (at, cron, containers, other services) with the user's own rights (as_user.h), which reach all that
 * runs as the uid or as one of its subordinate ids, and nothing of anybody else's; what came out of a container with
 * such an id, with the rights of that id.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "helper/processes.h"
#include "helper/request.h"
#include "helper/strays.h"

/* SIGHUP and SIGCONT, once; the service manager gets SIGTERM. 0, or broken. */
int user_hang_up(const struct helper_request *request, unsigned slot, const struct pid_list *host);
/* SIGKILL, once. 0, or broken. */
int user_kill(const struct helper_request *request, unsigned slot);
/* Is anything left of it in the user's slice, also what is not their own (root's, of sudo)? Costs little. */
bool user_is_in_cgroups(const struct helper_request *request);
/* And elsewhere? `host`: read after user_kill. 0; -EBUSY, and *ret_left of them; others: broken. */
int user_left(const struct helper_request *request, unsigned slot, const struct pid_list *host, uint32_t *ret_left);
/* SIGKILL to those of the strays that are the user's. 0: none is; -EBUSY, and *ret_left of them; others: broken. */
int user_kill_strays(const struct helper_request *request, unsigned slot, const struct stray_list *strays,
		     uint32_t *ret_left);
