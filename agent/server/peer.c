/* SPDX-License-Identifier: MIT */
#include "server/peer.h"

#include <errno.h>
#include <sys/socket.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

int peer_read(int fd, struct peer *ret)
{
	struct ucred cred;
	socklen_t length = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &length) < 0)
		return -errno;
	/* A peer from outside our pid or user namespace has no number here. */
	if (length != sizeof(cred) || cred.uid == (uid_t)-1)
		return -EPERM;
	*ret = (struct peer){.uid = cred.uid, .gid = cred.gid, .pid = cred.pid};
	return 0;
}

int peer_pidfd(int fd)
{
	int pidfd = -1;
	socklen_t length = sizeof(pidfd);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &length) < 0) {
		if (errno == ENOPROTOOPT)
			return -EOPNOTSUPP;
		return errno == ESRCH || errno == EINVAL ? -ENODATA : -errno;
	}
	return pidfd;
}
