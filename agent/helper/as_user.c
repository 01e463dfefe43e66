/* SPDX-License-Identifier: MIT */
#include "helper/as_user.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"
#include "nss_module/subid_blocks.h"

static_assert(AS_USER_GUARD_FIRST + AS_USER_SLOTS - 1 <= MANAGED_ID_LAST, "nobody else's uids");
static_assert(AS_USER_GUARD_FIRST > MANAGED_ID_TENANT_LAST, "no tenant's uids");
static_assert(AS_USER_GUARD_FIRST < HOST_USERS_GID && AS_USER_GUARD_FIRST < HOST_SUDO_GID, "a gid that gives nothing");

struct outcome {
	int32_t result;
	uint32_t count;
};

static bool has_no_capability(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, sets) < 0)
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(sets); i++)
		if (sets[i].effective || sets[i].permitted || sets[i].inheritable)
			return false;
	return true;
}

/* All or nothing: what was taken on is looked at again, since everything that follows relies on it. */
static bool become(uint32_t uid, uint32_t guard)
{
	uid_t uids[3];
	gid_t gids[3];

	if (prctl(PR_SET_DUMPABLE, 0) < 0 || setgroups(0, NULL) < 0 || setresgid(guard, guard, guard) < 0 ||
	    setresuid(guard, uid, guard) < 0)
		return false;
	if (getresuid(&uids[0], &uids[1], &uids[2]) < 0 || getresgid(&gids[0], &gids[1], &gids[2]) < 0)
		return false;
	return uids[0] == guard && uids[1] == uid && uids[2] == guard && gids[0] == guard && gids[1] == guard &&
	       gids[2] == guard && getgroups(0, NULL) == 0 && has_no_capability();
}

static void close_all_but(int kept)
{
	if (kept > 3)
		(void)syscall(SYS_close_range, 3U, (unsigned)kept - 1, 0U);
	(void)syscall(SYS_close_range, (unsigned)kept + 1, ~0U, 0U);
}

static _Noreturn void run_child(int answer, uint32_t uid, uint32_t guard, as_user_fn run, void *data)
{
	struct outcome outcome = {.result = -EIO};

	close_all_but(answer);
	if (become(uid, guard))
		outcome.result = run(data, &outcome.count);
	(void)!write(answer, &outcome, sizeof(outcome));
	_exit(0);
}

static int as_id(uint32_t id, unsigned slot, unsigned wait_msec, as_user_fn run, void *data, uint32_t *ret_count)
{
	struct outcome outcome = {.result = -EIO};
	struct pollfd wait = {.events = POLLIN};
	bool in_time;
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child == 0)
		run_child(ends[1], id, AS_USER_GUARD_FIRST + slot, run, data);
	close(ends[1]);
	if (child < 0) {
		close(ends[0]);
		return -EAGAIN;
	}
	wait.fd = ends[0];
	in_time = poll(&wait, 1, (int)wait_msec) > 0;
	if (in_time && read(ends[0], &outcome, sizeof(outcome)) != (ssize_t)sizeof(outcome))
		outcome = (struct outcome){.result = -EIO};
	close(ends[0]);
	if (!in_time) {
		(void)kill(child, SIGKILL);
		outcome.result = -ETIMEDOUT;
	}
	/* One that hangs in the kernel is not waited for; init takes it when the worker has gone. */
	(void)waitpid(child, NULL, in_time ? 0 : WNOHANG);
	if (ret_count)
		*ret_count = outcome.count;
	return outcome.result;
}

/* Asked here once more, where the rights are taken on: a uid of 0 would be root's. */
static bool is_a_tenants(uint32_t uid, unsigned slot)
{
	return uid >= MANAGED_ID_FIRST && uid <= MANAGED_ID_TENANT_LAST && slot < AS_USER_SLOTS;
}

int as_user(uint32_t uid, unsigned slot, unsigned wait_msec, as_user_fn run, void *data, uint32_t *ret_count)
{
	return is_a_tenants(uid, slot) ? as_id(uid, slot, wait_msec, run, data, ret_count) : -EPERM;
}

int as_subordinate(uint32_t uid, uint32_t id, unsigned slot, unsigned wait_msec, as_user_fn run, void *data,
		   uint32_t *ret_count)
{
	if (!is_a_tenants(uid, slot) || subid_owner(id) != uid)
		return -EPERM;
	return as_id(id, slot, wait_msec, run, data, ret_count);
}
