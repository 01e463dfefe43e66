/* SPDX-License-Identifier: MIT
 *
 * Everything is signalled first; then those whose end takes a moment are looked at in rounds that become slower, and
 * signalled again. The host's processes are listed once a round for all of them.
 */
#include "helper/worker.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "helper/cgroup.h"
#include "helper/check.h"
#include "helper/end_session.h"
#include "helper/end_user.h"
#include "helper/linger.h"
#include "helper/processes.h"
#include "helper/refusal.h"
#include "helper/strays.h"
#include "helper/tell.h"

#define FIRST_PAUSE_MSEC 2
#define LAST_PAUSE_MSEC 100
/* Each so many rounds a user is killed again: once reaches all that runs, and this is for who comes late, such as
 * cron's child that had been let in and was not the user yet. */
#define ROUNDS_BETWEEN 4U
#define LOOKS_AFTER_STRAYS 3U

struct task {
	struct job *job;
	struct session_aim aim;
	int watch; /* of the session's scope; -1 */
	unsigned more_looks;
	bool done;
	int result;
	uint32_t left;
};

struct batch {
	struct task tasks[BATCH_MAX];
	size_t count;
	unsigned slot;
	struct pid_list host;
	struct stray_list strays;
	bool host_is_read, strays_are_read;
	unsigned round;
};

static void answer(struct task *task)
{
	const struct helper_request *request = &task->job->request;
	const struct helper_answer reply = {.result = task->result, .left = task->left};

	(void)!send(task->job->fd, &reply, sizeof(reply), MSG_NOSIGNAL | MSG_DONTWAIT);
	close(TAKE_FD(task->job->fd));
	session_aim_finish(&task->aim);
	if (task->watch >= 0)
		close(TAKE_FD(task->watch));
	task->done = true;
	if (task->result < 0 && task->result != -ESRCH && request->verb != HELPER_TELL)
		log_warning("%s for uid %u, leader %d, scope \"%s\": %s (%u left)", request_verb_word(request->verb),
			    request->uid, request->leader, request->scope, strerror(-task->result), task->left);
	else if (task->result == 0 && request->verb != HELPER_TELL)
		log_info("%s for uid %u, leader %d, scope \"%s\": done", request_verb_word(request->verb), request->uid,
			 request->leader, request->scope);
}

static const struct pid_list *host_of(struct batch *batch)
{
	if (!batch->host_is_read)
		batch->host_is_read = pid_list_read(&batch->host) == 0;
	return batch->host_is_read ? &batch->host : NULL;
}

static const struct stray_list *strays_of(struct batch *batch)
{
	if (!batch->strays_are_read)
		batch->strays_are_read = stray_list_read(&batch->strays) == 0;
	return batch->strays_are_read ? &batch->strays : NULL;
}

/* So that nothing starts at the next boot; it is no reason to leave what runs now alone. */
static void switch_linger_off(const struct helper_request *request)
{
	int result = request->keep_count == 0 ? linger_off(request->uid) : 0;

	if (result < 0)
		log_warning("lingering of uid %u stays on: %s", request->uid, strerror(-result));
}

static int find_session(struct task *task)
{
	const struct job *job = task->job;
	const char *why;
	int result = session_aim_find(&job->request, &task->aim, &why);

	if (why)
		refusal_log(&job->peer, &job->request, why);
	return result;
}

static int tell_person(const struct batch *batch, const struct helper_request *request)
{
	return request->terminal && request->text[0] ? tell(request->uid, batch->slot, request->terminal, request->text)
						     : 0;
}

static int hang_up(struct batch *batch, struct task *task)
{
	const struct helper_request *request = &task->job->request;
	const struct pid_list *host;
	int result;

	if (request->verb == HELPER_HANG_UP_SESSION) {
		result = find_session(task);
		if (result < 0)
			return result;
		(void)tell_person(batch, request);
		return session_hang_up(&task->aim, false);
	}
	(void)tell_person(batch, request);
	switch_linger_off(request);
	host = host_of(batch);
	return host ? user_hang_up(request, batch->slot, host) : -ENOMEM;
}

static int begin_to_kill(struct batch *batch, struct task *task)
{
	const struct helper_request *request = &task->job->request;
	int result;

	if (request->verb == HELPER_KILL_SESSION) {
		result = find_session(task);
		if (result < 0)
			return result;
		if (task->aim.scope >= 0)
			task->watch = cgroup_watch(task->aim.scope);
		return session_kill(&task->aim, &task->left);
	}
	switch_linger_off(request);
	result = user_kill(request, batch->slot);
	return result < 0 ? result : -EBUSY; /* whether it helped is looked at for all of the batch at once */
}

/* What there is to do first. -EBUSY: it has begun, and is looked at again. */
static int begin(struct batch *batch, struct task *task)
{
	switch ((enum helper_verb)task->job->request.verb) {
	case HELPER_TELL:
		return tell_person(batch, &task->job->request);
	case HELPER_HANG_UP_SESSION:
	case HELPER_HANG_UP_USER:
		return hang_up(batch, task);
	case HELPER_KILL_SESSION:
	case HELPER_KILL_USER:
		return begin_to_kill(batch, task);
	}
	return -EINVAL;
}

static int look_at_session(struct task *task)
{
	int result;

	if (task->watch >= 0 && !cgroup_watch_is_populated(task->watch))
		return 0;
	result = session_kill(&task->aim, &task->left);
	return result == -ESRCH ? 0 : result; /* something was there, or it would not be looked at again */
}

/* One who goes back and forth between the person's uid and others can be missed by a look, and hardly by some. */
static int look_at_strays(struct batch *batch, struct task *task)
{
	const struct helper_request *request = &task->job->request;
	const struct stray_list *strays = strays_of(batch);
	int result = strays ? user_kill_strays(request, batch->slot, strays, &task->left) : -ENOMEM;

	if (result == -EBUSY) {
		task->more_looks = LOOKS_AFTER_STRAYS;
	} else if (result == 0 && task->more_looks > 0) {
		task->more_looks--;
		result = user_kill(request, batch->slot);
		return result < 0 ? result : -EBUSY;
	}
	return result;
}

static int look_at_user(struct batch *batch, struct task *task)
{
	const struct helper_request *request = &task->job->request;
	int result = -EBUSY;

	task->left = user_is_in_cgroups(request);
	if (!task->left) {
		const struct pid_list *host = host_of(batch);

		result = host ? user_left(request, batch->slot, host, &task->left) : -ENOMEM;
	}
	if (result == 0)
		result = look_at_strays(batch, task);
	if (result == -EBUSY && batch->round % ROUNDS_BETWEEN == 0)
		(void)user_kill(request, batch->slot);
	else if (result == 0)
		switch_linger_off(request); /* somebody may have switched it on again before the end */
	return result;
}

/* Is it over? What is not is killed again. */
static int look(struct batch *batch, struct task *task)
{
	return task->job->request.verb == HELPER_KILL_SESSION ? look_at_session(task) : look_at_user(batch, task);
}

/* Until a scope is empty, or for so long. */
static void pause_for(const struct batch *batch, int milliseconds)
{
	struct pollfd watches[BATCH_MAX];
	nfds_t count = 0;

	for (size_t i = 0; i < batch->count; i++)
		if (!batch->tasks[i].done && batch->tasks[i].watch >= 0)
			watches[count++] = (struct pollfd){.fd = batch->tasks[i].watch, .events = POLLPRI};
	(void)poll(watches, count, milliseconds);
}

/* How many go on. */
static size_t go_through(struct batch *batch, int (*step)(struct batch *batch, struct task *task), bool is_last)
{
	size_t open = 0;

	batch->host_is_read = batch->strays_are_read = false;
	for (size_t i = 0; i < batch->count; i++) {
		struct task *task = &batch->tasks[i];

		if (task->done)
			continue;
		task->result = step(batch, task);
		if (task->result == -EBUSY && !is_last)
			open++;
		else
			answer(task);
	}
	return open;
}

void worker_run(struct job *jobs, size_t count, unsigned slot)
{
	static struct batch batch;
	uint64_t end = clock_boottime_usec() + HELPER_TRY_MSEC * USEC_PER_MSEC;
	int pause = FIRST_PAUSE_MSEC;
	size_t open;

	batch = (struct batch){.slot = slot};
	batch.count = MIN_OF(count, (size_t)BATCH_MAX);
	for (size_t i = 0; i < batch.count; i++)
		batch.tasks[i] = (struct task){.job = &jobs[i], .aim = SESSION_AIM_NONE, .watch = -1};
	open = go_through(&batch, begin, false);
	while (open > 0) {
		pause_for(&batch, pause);
		pause = MIN_OF(pause * 2, LAST_PAUSE_MSEC);
		batch.round++;
		open = go_through(&batch, look, clock_boottime_usec() >= end);
	}
	pid_list_finish(&batch.host);
	stray_list_finish(&batch.strays);
}
