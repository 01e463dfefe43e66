/* SPDX-License-Identifier: MIT
 *
 * One session's end. It is its logind scope where it has one, with all that is in it, also what sudo runs there as
 * root; else (cron, services, hosts without logind) what descends from the leader and runs as this user.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "helper/request.h"

struct session_aim {
	uint32_t uid;
	int leader;   /* pidfd, -1: it is gone, or none was named */
	pid_t number; /* of the leader, while `leader` is held; 0 */
	int scope;    /* folder of the scope, -1: none */
	char name[HELPER_SCOPE_MAX];
};
#define SESSION_AIM_NONE                  \
	{                                 \
		.leader = -1, .scope = -1 \
	}
void session_aim_finish(struct session_aim *aim);

/* Finds what a sound request (request_check) means. 0; -ESRCH: nothing of it is there (and *ret_why is set when that
 * is since the leader's number is another process's by now); -EINVAL: refused, *ret_why says why; others: broken. */
int session_aim_find(const struct helper_request *request, struct session_aim *ret, const char **ret_why);

/* SIGHUP and SIGCONT, once, by itself or with all of the user's. 0; -ESRCH: nothing descends from the leader and runs
 * as the user; others: broken. */
int session_hang_up(struct session_aim *aim, bool of_user);
/* SIGKILL, once. 0: nothing is left; -EBUSY: something is, *ret_left of them where they were counted: look again soon.
 */
int session_kill(struct session_aim *aim, uint32_t *ret_left);
