/* SPDX-License-Identifier: MIT
 *
 * What is in a scope without its leader. Nothing is asked again and again: the kernel tells when the last process has
 * gone (cgroup.events), and when the cgroup has: the first may be lost when the second follows at once.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>

#include "session/scope.h"
#include "session/state.h"
#include "session/table.h"

/* Most of what a leader leaves is on its way out as well: shells that were hung up, sshd after PAM closed. Whatever is
 * there after so long is left behind. */
#define SETTLE_USEC (1000U * 1000U)
/* Only where the kernel's watches are used up: what is not told must be asked for. */
#define ASK_USEC (30U * 1000U * 1000U)
#define ACCURACY_USEC (100U * 1000U)

/* True: it has ended, and the slot is gone. */
static bool is_over(struct slot *slot)
{
	const struct session *session = &slot->session;

	if (!*session->scope) {
		table_end(slot->table, slot, slot->closed ? "closed" : "process-ended");
		return true;
	}
	/* A leader that lives on after it had PAM close the session may be alone in the scope for ever: it does not
	 * count. */
	if ((slot->leader ? scope_has_others(session->uid, session->scope, session->scope_inode, session->leader)
			  : scope_is_populated(session->uid, session->scope, session->scope_inode)) != 0)
		return false;
	table_end(slot->table, slot, slot->closed ? "closed" : "process-ended");
	return true;
}

static int something_left(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
	struct slot *slot = userdata;
	char name[SESSION_SCOPE_SIZE + 16];

	/* Of the folder: another scope of the same user's. */
	if (event->len && !(event->mask & (IN_IGNORED | IN_Q_OVERFLOW))) {
		(void)snprintf(name, sizeof(name), "session-%s.scope", slot->session.scope);
		if (strcmp(event->name, name) != 0)
			return 0;
	}
	(void)is_over(slot);
	return 0;
}

static int watch(struct slot *slot)
{
	const struct session *session = &slot->session;
	char path[SCOPE_PATH_SIZE];
	int r = 0;

	if (!slot->folder) {
		scope_slice_path(session->uid, path);
		r = sd_event_add_inotify(slot->table->event, &slot->folder, path, IN_DELETE | IN_ONLYDIR,
					 something_left, slot);
	}
	if (r >= 0 && !slot->populated) {
		scope_path(session->uid, session->scope, "cgroup.events", path);
		r = sd_event_add_inotify(slot->table->event, &slot->populated, path, IN_MODIFY, something_left, slot);
	}
	return r;
}

static int settled(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct slot *slot = userdata;
	struct session_table *table = slot->table;
	bool is_news = !slot->announced;

	slot->announced = true;
	if (is_over(slot))
		return 0;
	if (watch(slot) < 0 && (sd_event_source_set_time_relative(source, ASK_USEC) < 0 ||
				sd_event_source_set_enabled(source, SD_EVENT_ONESHOT) < 0))
		return 0; /* cannot be: it is a timer */
	if (!is_news)
		return 0;
	(void)session_state_write(table->dirfd, &slot->session); /* else it is news again after a restart */
	if (table->hooks.left_behind)
		table->hooks.left_behind(table->hooks.context, &slot->session);
	return 0;
}

void left_behind_begin(struct slot *slot)
{
	if (is_over(slot))
		return;
	slot->session.left_behind = true; /* from now on it counts for nothing */
	slot->session.terminal_device = 0;
	(void)watch(slot); /* settled() tries again */
	if (!slot->later)
		(void)sd_event_add_time_relative(slot->table->event, &slot->later, CLOCK_MONOTONIC, SETTLE_USEC,
						 ACCURACY_USEC, settled, slot);
	(void)is_over(slot); /* by what happened before there was a watch */
}
