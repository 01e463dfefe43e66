/* SPDX-License-Identifier: MIT */
#include "sockets.h"

#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"

int sockets_open(struct server *server, const struct config *config, struct problem *problem)
{
	char **names = NULL;
	int count = sd_listen_fds_with_names(1, &names);
	int result = count;

	for (int i = 0; i < count; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		if (result < 0) {
			close(fd);
		} else if (text_equal(names[i], "agent")) {
			result = server_listen_fd(server, fd, SERVER_AGENT);
		} else if (text_equal(names[i], "userdb")) {
			result = server_listen_fd(server, fd, SERVER_USERDB);
		} else {
			log_warning("systemd handed over a socket named '%s', which is not one of ours", names[i]);
			close(fd);
		}
		free(names[i]);
	}
	free(names);
	if (result < 0)
		return problem_set(problem, -result, "cannot use the sockets from systemd: %s", strerror(-result));
	if (count > 0)
		return 0;
	result = server_listen_path(server, config->agent_socket, SERVER_AGENT);
	if (result < 0) {
		problem_at(problem, config->agent_socket, 0, 0);
		return problem_set(problem, -result, "cannot listen: %s", strerror(-result));
	}
	result = server_listen_path(server, config->userdb_socket, SERVER_USERDB);
	if (result < 0) /* nobody's sign-in depends on it */
		log_warning("cannot listen on %s: %s", config->userdb_socket, strerror(-result));
	return 0;
}
