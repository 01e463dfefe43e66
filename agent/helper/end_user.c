/* SPDX-License-Identifier: MIT */
#include "helper/end_user.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/macros.h"
#include "helper/as_user.h"
#include "helper/cgroup.h"
#include "helper/check.h"
#include "helper/end_session.h"

#define WAIT_MSEC 2000
#define IDS_AT_ONCE 256U /* of one person's; others wait for the same worker */

struct work {
	const struct helper_request *request;
	const struct pid_list *host;
	bool populated;
};

/* "session-c2.scope" → "c2", where logind names its sessions so. */
static bool scope_of_folder(const char *name, char out[HELPER_SCOPE_MAX])
{
	size_t length = strlen(name);

	if (length <= 14 || length - 14 >= HELPER_SCOPE_MAX || strncmp(name, "session-", 8) != 0 ||
	    strcmp(name + length - 6, ".scope") != 0)
		return false;
	memset(out, 0, HELPER_SCOPE_MAX);
	memcpy(out, name + 8, length - 14);
	return request_is_scope(out);
}

static bool is_kept(const struct helper_request *request, const char *folder)
{
	char scope[HELPER_SCOPE_MAX];

	return scope_of_folder(folder, scope) && request_keeps(request, scope);
}

/* For the child, where a process may be read about that ends meanwhile: then it is not meant any more. */
static bool is_meant(void *context, pid_t pid)
{
	const struct work *work = context;
	struct cgroup_place place;

	if (work->request->keep_count == 0)
		return true;
	return cgroup_place_of(pid, work->request->uid, &place) == 0 &&
	       !(place.kind == CGROUP_SESSION && request_keeps(work->request, place.scope));
}

static bool is_in_slice_and_meant(void *context, pid_t pid)
{
	const struct work *work = context;
	struct cgroup_place place;

	return cgroup_place_of(pid, work->request->uid, &place) == 0 && place.kind != CGROUP_ELSEWHERE &&
	       is_meant(context, pid);
}

/* ---- SIGHUP ------------------------------------------------------------------------------------- */

/* Sessions are hung up as such, by root: what sudo runs in them is none of the user's. */
static int hang_up_pass(void *data, uint32_t *count)
{
	const struct work *work = data;

	for (size_t i = 0; i < work->host->count; i++) {
		pid_t pid = work->host->items[i];
		struct cgroup_place place;

		if (pid == getpid() || kill(pid, 0) < 0 || cgroup_place_of(pid, work->request->uid, &place) < 0 ||
		    place.kind == CGROUP_SESSION)
			continue;
		/* To the manager SIGHUP means to load its files again. */
		if (process_signal(pid, place.kind == CGROUP_MANAGER ? SIGTERM : SIGHUP, is_meant, data) == 0) {
			(void)process_signal(pid, SIGCONT, is_meant, data);
			++*count;
		}
	}
	return 0;
}

/* Who leads the session, from logind: nobody named a leader here. 0: not known. */
static pid_t leader_of(const char *scope)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	struct stat st;
	const char *line;
	char path[128];

	snprintf(path, sizeof(path), "/run/systemd/sessions/%s", scope);
	if (file_read(AT_FDCWD, path, 65536, FILE_TRUST_OWNER, 0, &text, &st) < 0 || !(line = buffer_text(&text)))
		return 0;
	line = strstr(line, "\nLEADER=");
	return line ? (pid_t)strtol(line + 8, NULL, 10) : 0;
}

static bool hang_up_session_below(void *context, int slice, const char *name)
{
	const struct helper_request *request = ((const struct work *)context)->request;
	struct session_aim aim = SESSION_AIM_NONE;

	if (!scope_of_folder(name, aim.name) || request_keeps(request, aim.name))
		return true;
	aim.uid = request->uid;
	aim.number = leader_of(aim.name); /* only whom SIGHUP leaves out depends on it */
	aim.scope = cgroup_open_below(slice, name);
	if (aim.scope >= 0)
		(void)session_hang_up(&aim, true);
	session_aim_finish(&aim);
	return true;
}

int user_hang_up(const struct helper_request *request, unsigned slot, const struct pid_list *host)
{
	struct work work = {.request = request, .host = host};
	_cleanup_(closep) int slice = cgroup_open(request->uid, NULL);

	if (slice >= 0)
		(void)cgroup_each_folder(slice, hang_up_session_below, &work);
	return as_user(request->uid, slot, WAIT_MSEC, hang_up_pass, &work, NULL);
}

/* ---- SIGKILL ------------------------------------------------------------------------------------ */

static void kill_one(void *context, pid_t pid)
{
	(void)process_signal(pid, SIGKILL, is_in_slice_and_meant, context);
}

/* A folder of the user's in one go, or where the kernel cannot, one process after the other. */
static void kill_folder(struct work *work, int folder)
{
	if (cgroup_is_populated(folder) && cgroup_kill(folder) < 0)
		(void)cgroup_each_process(folder, kill_one, work);
}

static bool kill_below(void *context, int slice, const char *name)
{
	struct work *work = context;
	_cleanup_(closep) int fd = is_kept(work->request, name) ? -1 : cgroup_open_below(slice, name);

	if (fd >= 0)
		kill_folder(work, fd);
	return true;
}

/* The kernel goes through all processes while nobody can fork, so this misses none. */
static int kill_everything(_unused_ void *data, _unused_ uint32_t *count)
{
	(void)kill(-1, SIGKILL);
	return 0;
}

static void kill_if_allowed(void *context, pid_t pid)
{
	/* Asked first, since most are somebody else's, and a descriptor costs more than a question. */
	if (pid != getpid() && kill(pid, 0) == 0)
		(void)process_signal(pid, SIGKILL, is_meant, context);
}

/* Something is kept, so it is one after the other. A process that is forked meanwhile has a higher number, and is met
 * further on: the list is read while it is gone through. */
static int kill_one_by_one(void *data, _unused_ uint32_t *count)
{
	int result = processes_each(kill_if_allowed, data);

	return result < 0 ? result : processes_each(kill_if_allowed, data);
}

int user_kill(const struct helper_request *request, unsigned slot)
{
	struct work work = {.request = request};
	_cleanup_(closep) int slice = cgroup_open(request->uid, NULL);

	if (slice >= 0 && request->keep_count == 0)
		kill_folder(&work, slice);
	else if (slice >= 0)
		(void)cgroup_each_folder(slice, kill_below, &work);
	return as_user(request->uid, slot, WAIT_MSEC, request->keep_count ? kill_one_by_one : kill_everything, &work,
		       NULL);
}

/* ---- what is left ------------------------------------------------------------------------------- */

static int count_pass(void *data, uint32_t *count)
{
	const struct work *work = data;

	for (size_t i = 0; i < work->host->count; i++) {
		pid_t pid = work->host->items[i];
		struct process process;

		if (pid != getpid() && kill(pid, 0) == 0 && process_read(pid, &process) == 0 && !process.is_over &&
		    is_meant(data, pid))
			++*count;
	}
	return 0;
}

static bool look_below(void *context, int slice, const char *name)
{
	struct work *work = context;
	_cleanup_(closep) int fd = is_kept(work->request, name) ? -1 : cgroup_open_below(slice, name);

	work->populated = fd >= 0 && cgroup_is_populated(fd);
	return !work->populated;
}

bool user_is_in_cgroups(const struct helper_request *request)
{
	struct work work = {.request = request};
	_cleanup_(closep) int slice = cgroup_open(request->uid, NULL);

	if (slice >= 0 && request->keep_count == 0)
		return cgroup_is_populated(slice);
	if (slice >= 0)
		(void)cgroup_each_folder(slice, look_below, &work);
	return work.populated;
}

int user_left(const struct helper_request *request, unsigned slot, const struct pid_list *host, uint32_t *ret_left)
{
	struct work work = {.request = request, .host = host};
	int result = as_user(request->uid, slot, WAIT_MSEC, count_pass, &work, ret_left);

	return result < 0 ? result : *ret_left > 0 ? -EBUSY : 0;
}

/* ---- strays ------------------------------------------------------------------------------------- */

/* Each id once, however many run as it: they are hit in one go, so that none forks away. */
int user_kill_strays(const struct helper_request *request, unsigned slot, const struct stray_list *strays,
		     uint32_t *ret_left)
{
	struct work work = {.request = request};
	as_user_fn run = request->keep_count ? kill_one_by_one : kill_everything;
	uint32_t last = 0;
	unsigned ids = 0;
	int result = 0;

	*ret_left = 0;
	for (size_t i = 0; i < strays->count && result == 0; i++) {
		const struct stray *stray = &strays->items[i];

		if (stray->owner != request->uid || !is_meant(&work, stray->pid))
			continue;
		++*ret_left;
		if (stray->id != last && ids++ < IDS_AT_ONCE)
			result = as_subordinate(request->uid, stray->id, slot, WAIT_MSEC, run, &work, NULL);
		last = stray->id;
	}
	/* What became the user once more meanwhile. */
	if (result == 0 && *ret_left > 0)
		result = user_kill(request, slot);
	return result < 0 ? result : *ret_left > 0 ? -EBUSY : 0;
}
