/* SPDX-License-Identifier: MIT
 *
 * Who is at the other end of a socket, by the kernel's word.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct peer {
	uint32_t uid, gid; /* of the moment it connected */
	pid_t pid;
};

int peer_read(int fd, struct peer *ret);
/* A pidfd of the very process that connected, which cannot be mistaken for a later one of the same number.
 * -ENODATA: gone; -EOPNOTSUPP: the kernel (before 6.5) cannot tell. */
int peer_pidfd(int fd);
