/* SPDX-License-Identifier: MIT
 *
 * A worker does a batch of requests, in a process of its own, and answers each as soon as it is done: a session that
 * resists keeps neither those of its batch nor those that come later waiting.
 */
#pragma once

#include <stddef.h>
#include <sys/socket.h>

#include "helper/request.h"

#define BATCH_MAX 64U

struct job {
	int fd; /* where the answer goes */
	struct ucred peer;
	struct helper_request request; /* sound, by request_check */
};
/* `slot`: of as_user.h, for this worker alone. Closes the jobs' descriptors. */
void worker_run(struct job *jobs, size_t count, unsigned slot);
