/* SPDX-License-Identifier: MIT
 *
 * Which terminals did a session's front end give it? PAM_TTY does not say (sshd's is "ssh"), so the kernel is asked:
 * the controlling terminals of POSIX sessions that begin at the leader or at most two steps below it, as in place.h.
 * What a program of the person's opened for itself (tmux, script) is none of them.
 */
#pragma once

#include <stdint.h>

#include "session/session.h"

#define TERMINAL_KEY_STEP_SEC 8 /* how fine the kernel notes it */
#define TERMINAL_NAME_SIZE 20
#define SESSION_TERMINALS_MAX 16U /* several shells of one connection; more are not looked at */

/* Their device numbers, as in /proc/PID/stat, in no order; how many. None of a leader that is gone. */
unsigned session_terminals(const struct session *session, uint32_t ret_devices[SESSION_TERMINALS_MAX]);
/* Of several the one where a key was pressed last: there somebody reads what is said. 0: it has none. */
uint32_t session_main_terminal(const struct session *session);
/* "pts/3", as in /dev; false: of no kind that somebody signs in at. */
bool terminal_name(uint32_t device, char out[TERMINAL_NAME_SIZE]);
/* When somebody last pressed a key there: seconds since the epoch, the latest that it can be . -ENOENT: it is not in
 * /dev as this agent sees it; -EPERM: it is not `uid`'s. */
int terminal_last_key(uint32_t device, uint32_t uid, int64_t *ret);
