/* SPDX-License-Identifier: MIT */
#include "helper/end_session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "helper/cgroup.h"
#include "helper/processes.h"
#include "session/process.h"

void session_aim_finish(struct session_aim *aim)
{
	if (aim->leader >= 0)
		close(TAKE_FD(aim->leader));
	if (aim->scope >= 0)
		close(TAKE_FD(aim->scope));
	aim->number = 0;
}

/* Holds on to the very process: what is read of its number from here on is read of it, or not at all. */
static int find_leader(const struct helper_request *request, struct session_aim *aim, const char **ret_why)
{
	uint64_t start;
	int result;

	if (!request->leader)
		return -ESRCH;
	result = process_open(request->leader, request->leader_start);
	if (result == -ESRCH && process_start(request->leader, &start) == 0 && start != request->leader_start)
		*ret_why = "reused-pid";
	if (result < 0)
		return result;
	aim->leader = result;
	aim->number = request->leader;
	return 0;
}

/* Is it, by what the kernel says now, the leader that was meant, in a scope of this user? */
static int find_leaders_scope(const struct helper_request *request, const struct session_aim *aim, char *out)
{
	struct cgroup_place place;
	uint64_t start;
	int result = cgroup_place_of(aim->number, request->uid, &place);

	if (result == 0)
		result = process_start(aim->number, &start);
	if (result == 0 && start != request->leader_start)
		result = -ESRCH;
	if (result < 0)
		return result;
	snprintf(out, HELPER_SCOPE_MAX, "%s", place.kind == CGROUP_SESSION ? place.scope : "");
	return 0;
}

int session_aim_find(const struct helper_request *request, struct session_aim *ret, const char **ret_why)
{
	_cleanup_(session_aim_finish) struct session_aim aim = SESSION_AIM_NONE;
	char led[HELPER_SCOPE_MAX] = "";
	const char *why = NULL;
	int result;

	*ret_why = NULL;
	aim.uid = request->uid;
	result = find_leader(request, &aim, &why);
	if (result == 0)
		result = find_leaders_scope(request, &aim, led);
	if (result < 0 && result != -ESRCH)
		return result;
	if (result == -ESRCH) {
		session_aim_finish(&aim);
		if (!request->scope[0]) {
			*ret_why = why;
			return result;
		}
	}
	/* Two sessions in one request: nobody knows which is meant. (A leader that root moved out of all of them is
	 * none.) */
	if (led[0] && request->scope[0] && strcmp(led, request->scope) != 0) {
		*ret_why = "other-scope";
		return -EINVAL;
	}
	snprintf(aim.name, sizeof(aim.name), "%s", request->scope[0] ? request->scope : led);
	if (aim.name[0]) {
		aim.scope = cgroup_open(aim.uid, aim.name);
		/* The kernel just said that the leader is in it, so there is something that cannot be looked into. */
		if (aim.scope == -ENOENT && !aim.number)
			return -ESRCH;
		if (aim.scope < 0 && aim.scope != -ENOENT)
			return TAKE_FD(aim.scope);
		if (aim.scope < 0)
			aim.scope = -1;
	}
	*ret = aim;
	aim = (struct session_aim)SESSION_AIM_NONE;
	return 0;
}

/* ---- SIGHUP ------------------------------------------------------------------------------------- */

struct hang_up {
	struct session_aim *aim;
	struct process leader; /* pid 0: gone, or the user's own */
	bool spare;
	unsigned reached;
};

static bool is_in_scope(void *context, pid_t pid)
{
	const struct session_aim *aim = context;
	struct cgroup_place place;

	return cgroup_place_of(pid, aim->uid, &place) == 0 && place.kind == CGROUP_SESSION &&
	       strcmp(place.scope, aim->name) == 0;
}

static bool is_the_users(void *context, pid_t pid)
{
	const struct session_aim *aim = context;
	struct process process;

	return process_read(pid, &process) == 0 && process.uid == aim->uid && !process.is_over;
}

/* sshd's two halves, login, cron's child: whoever opened the session, and closes it when what it holds has ended. Cut
 * off in the middle, it would take what the person was told with it. */
static bool is_to_be_spared(const struct hang_up *work, pid_t pid)
{
	struct process process;

	if (!work->spare || !work->leader.pid)
		return false;
	if (pid == work->leader.pid)
		return true;
	return process_read(pid, &process) == 0 && process.parent == work->leader.pid &&
	       strcmp(process.name, work->leader.name) == 0;
}

static void hang_up_one(void *context, pid_t pid)
{
	struct hang_up *work = context;
	is_meant_fn is_meant = work->aim->scope >= 0 ? is_in_scope : is_the_users;

	if (pid == getpid() || is_to_be_spared(work, pid))
		return;
	if (process_signal(pid, SIGHUP, is_meant, work->aim) == 0) {
		work->reached++;
		(void)process_signal(pid, SIGCONT, is_meant, work->aim);
	}
}

static int hang_up_all(struct hang_up *work)
{
	_cleanup_(pid_list_finish) struct pid_list list = {0};
	int result;

	if (work->aim->scope >= 0)
		return cgroup_each_process(work->aim->scope, hang_up_one, work);
	result = processes_below(work->aim->number, work->aim->uid, &list);
	for (size_t i = 0; i < list.count; i++)
		hang_up_one(work, list.items[i]);
	return result == 0 && list.count == 0 ? -ESRCH : result;
}

int session_hang_up(struct session_aim *aim, bool of_user)
{
	struct hang_up work = {.aim = aim, .spare = true};
	int result;

	if (aim->number && (process_read(aim->number, &work.leader) < 0 || work.leader.uid == aim->uid))
		work.leader.pid = 0;
	result = hang_up_all(&work);
	/* Nobody was there to be told: a connection without a shell, say. (When all of the user's is hung up, each
	 * session just was by itself, and those who are left carry the good-bye to its reader.) */
	if (result == 0 && work.reached == 0 && !of_user) {
		work.spare = false;
		result = hang_up_all(&work);
	}
	return result == -ENOENT ? 0 : result; /* it went by itself */
}

/* ---- SIGKILL ------------------------------------------------------------------------------------ */

static void kill_one(void *context, pid_t pid)
{
	if (pid != getpid())
		(void)process_signal(pid, SIGKILL, is_in_scope, context);
}

static int kill_scope(struct session_aim *aim)
{
	int result;

	if (!cgroup_is_populated(aim->scope))
		return 0;
	result = cgroup_kill(aim->scope);
	/* One by one, where the kernel has nothing better: again until it helps, as those who ask do anyway. */
	if (result < 0)
		result = cgroup_each_process(aim->scope, kill_one, aim);
	if (result == -ENOENT)
		return 0;
	return result < 0 ? result : -EBUSY;
}

int session_kill(struct session_aim *aim, uint32_t *ret_left)
{
	_cleanup_(pid_list_finish) struct pid_list list = {0};
	int result;

	*ret_left = 0;
	if (aim->scope >= 0)
		return kill_scope(aim);
	result = processes_below(aim->number, aim->uid, &list);
	for (size_t i = 0; result == 0 && i < list.count; i++)
		if (list.items[i] != getpid() && process_signal(list.items[i], SIGKILL, is_the_users, aim) == 0)
			(*ret_left)++;
	if (result < 0)
		return result;
	return list.count == 0 ? -ESRCH : -EBUSY;
}
