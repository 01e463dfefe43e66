/* SPDX-License-Identifier: MIT
 *
 * Threads that run requests, which may block on the database, so that the I/O threads never do. The queue is bounded:
 * what does not fit is refused at once, while it is still cheap.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

struct request;
struct workers;

struct job {
	struct request *request;
	/* The request has its answer. On the worker's thread; the job may be gone when it returns. */
	void (*done)(struct job *job);
	/* The workers' own. */
	struct job *next;
	uint64_t due_usec;
	bool started;
};

int workers_create(uint32_t threads, uint32_t queue, struct workers **ret);
/* All jobs are done first; those that wait for something are ended as they are (request_run_again once more). Takes
 * NULL. */
void workers_destroy(struct workers *workers);
DEFINE_CLEANUP(struct workers, workers_destroy)
/* 0; -EAGAIN: the queue is full. */
int workers_add(struct workers *workers, struct job *job);

struct worker_counts {
	uint32_t queued, waiting, running;
	uint64_t refused;
	uint64_t longest_usec; /* how long the oldest of those that run has been running */
};
struct worker_counts workers_counts(struct workers *workers);
