/* SPDX-License-Identifier: MIT
 *
 * Up from the process to the first leader of a session; where that chain is broken (a daemon, tmux), by the scope.
 */
#include "session/place.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "session/process.h"
#include "session/scope.h"

#define ANCESTORS_MAX 128
/* From a session's leader to the shell at the terminal that it gave: sshd's leader has an unprivileged half of itself
 * between them, login has nothing. Whoever is further down was started by the person. */
#define GIVEN_STEPS_MAX 2U

static bool is_gone(int pidfd)
{
	struct pollfd wait = {.fd = pidfd, .events = POLLIN};

	return pidfd >= 0 && poll(&wait, 1, 0) != 0;
}

/* The session that this process leads; of several with one leader (a program that opens one after another) the one
 * of `uid`. */
static const struct session *led_by(const struct session_table *table, pid_t pid, uint64_t start, uint32_t uid)
{
	const struct session *session, *found = NULL;
	uint32_t cursor = 0;

	while ((session = session_next_led(table, pid, &cursor)))
		if (session->leader_start == start && (!found || session->uid == uid))
			found = session;
	return found;
}

/* The parent, read so that a pid which was given to another process meanwhile is noticed: had the parent died, the
 * child would have another one now. */
static int read_parent(pid_t pid, const struct process_stat *self, struct process_stat *ret)
{
	struct process_stat again;
	int r = process_stat(self->parent, ret);

	if (r < 0)
		return r;
	r = process_stat(pid, &again);
	if (r < 0)
		return r;
	return again.parent == self->parent && again.start == self->start && ret->start <= self->start ? 0 : -ESRCH;
}

/* Climbs. True: decided (ret->session, or none); false: the chain ends without a session that says anything. */
static bool climb(const struct session_table *table, pid_t pid, const struct process_stat *self, uint32_t uid,
		  place_rule_fn rule, struct place *ret)
{
	struct process_stat at = *self, parent;
	uint32_t top_terminal = 0;
	unsigned steps = ANCESTORS_MAX; /* above the owner of the terminal */
	pid_t top_owner = 0;

	for (int i = 0; i < ANCESTORS_MAX && pid > 1; i++) {
		const struct session *session = led_by(table, pid, at.start, uid);
		enum place_rule what = session ? rule(session) : PLACE_SEES_THROUGH;

		if (session && what != PLACE_SEES_THROUGH) {
			if (what == PLACE_BARS || session->uid != uid || session->left_behind)
				return true;
			ret->session = session;
			/* The leader's own terminal is a console's, where it is one at all. */
			ret->given = ret->terminal.device && top_terminal == ret->terminal.device &&
				     top_owner == ret->terminal.owner && steps <= GIVEN_STEPS_MAX;
			return true;
		}
		if (pid == ret->terminal.owner)
			steps = 0;
		steps++;
		if (at.terminal) {
			top_terminal = at.terminal;
			top_owner = at.session;
		}
		if (read_parent(pid, &at, &parent) < 0)
			return false;
		pid = at.parent;
		at = parent;
	}
	return false;
}

static void search_scope(const struct session_table *table, pid_t pid, uint32_t uid, place_rule_fn rule,
			 struct place *ret)
{
	char own[SESSION_SCOPE_SIZE];
	const struct session *session;
	uint32_t cursor = 0;
	uint64_t start;

	if (scope_of_process(pid, uid, own) < 0)
		return;
	while ((session = session_next(table, &cursor))) {
		if (session->uid != uid || strcmp(session->scope, own) != 0 || session->left_behind ||
		    rule(session) != PLACE_COUNTS)
			continue;
		/* While the leader is there, the name cannot be another scope's. */
		if (process_start(session->leader, &start) < 0 || start != session->leader_start)
			continue;
		ret->session = session;
		return;
	}
}

int place_find(const struct session_table *table, pid_t pid, int pidfd, uint32_t uid, place_rule_fn rule,
	       struct place *ret)
{
	struct process_stat self, owner;
	struct place place = {0};
	int r = process_stat(pid, &self);

	if (r < 0)
		return r;
	/* Without its owner a terminal cannot be told from the next of that number. */
	if (self.terminal && process_stat(self.session, &owner) == 0 && owner.terminal == self.terminal &&
	    owner.session == self.session)
		place.terminal = (struct session_terminal){
			.device = self.terminal, .owner = self.session, .owner_start = owner.start};
	if (!climb(table, pid, &self, uid, rule, &place))
		search_scope(table, pid, uid, rule, &place);
	if (is_gone(pidfd)) /* what was read may be of its successor */
		return -ESRCH;
	*ret = place;
	return 0;
}
