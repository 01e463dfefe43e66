/* SPDX-License-Identifier: MIT
 *
 * Where a process sits, by what the kernel shows and not by what anybody says: in which session, at which terminal.
 *
 * A session's processes are those below its leader, and those in its leader's own logind scope, which nobody but root
 * can move into. A process that is in neither sits nowhere. The terminal is the controlling one, together with the
 * POSIX session that owns it: a number of /dev/pts is given out again, such a pair is not.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "session/session.h"

struct place {
	const struct session *session; /* NULL: none; valid until it ends */
	struct session_terminal terminal;
	/* The terminal is the one that the session's front end gave: its owner is as near to the session's leader as a
	 * login shell is, and nothing between them has another. False for what a program opened for itself (script,
	 * tmux, a notebook), but for one that the person had sshd run instead of a shell. */
	bool given;
};

/* What a session that a process is found in means for it. */
enum place_rule {
	PLACE_COUNTS,
	PLACE_BARS,         /* it sits in none (su: somebody else's session around it) */
	PLACE_SEES_THROUGH, /* as if this one were not there (the person's service manager) */
};
typedef enum place_rule (*place_rule_fn)(const struct session *session);

/* Of a process that stands for `uid`. `pidfd` -1: there is none, and `pid` is believed. 0; -ESRCH: it is gone. */
int place_find(const struct session_table *table, pid_t pid, int pidfd, uint32_t uid, place_rule_fn rule,
	       struct place *ret);
