/* SPDX-License-Identifier: MIT
 *
 * Processes that run as a subordinate id and in no container. A person comes to one by a program that such an id owns
 * and gives to whoever starts it (set-user-ID), made from within a container of theirs. Nothing but the id says whose
 * it is then: the person may not signal it any more, and by cron or at it was never in a cgroup of theirs. With a
 * second such program, of the person's own, it could become them again.
 *
 * The ids are those of nss_module/subid_blocks.h, within a range that systemd gives to containers as well: what runs in
 * a container of root's is left alone, whatever its ids.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct stray {
	pid_t pid;
	uint32_t id, owner; /* owner: the person's uid */
};
struct stray_list {
	struct stray *items;
	size_t count, room;
};
void stray_list_finish(struct stray_list *list);
/* All of the host, in place of what was in it; those of one id together. The host is read while it is gone through, by
 * rising numbers, so that who forks away is met further on. */
int stray_list_read(struct stray_list *list);
