/* SPDX-License-Identifier: MIT
 *
 * Ends a session: SIGHUP to all of its processes, a moment later SIGKILL to those that are left.
 *
 * The session is the leader's logind scope when that is one of this very user; else (cron, services that
 * open sessions outside logind) only what descends from the leader and runs as this user, never the leader's
 * own service.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "helper/request.h"

#define END_GRACE_SECONDS 5U

/* Is it sound, and the leader still the process that was meant? 0; -EINVAL, -EPERM (not a managed id), -ESRCH. */
int end_session_check(const struct helper_request *request);
/* Checks again and does it, which takes up to END_GRACE_SECONDS. */
int end_session_run(const struct helper_request *request);

/* From the text of /proc/PID/cgroup: "/user.slice/user-<uid>.slice/session-<id>.scope" of exactly this uid,
 * terminated in `out`; false for any other cgroup. For tests, too. */
bool end_session_scope(const char *text, uint32_t uid, char *out, size_t size);
