/* SPDX-License-Identifier: MIT */
#include "control_plane/http/workers.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "control_plane/http/router.h"

struct worker {
	struct workers *workers;
	pthread_t thread;
	uint64_t since_usec; /* 0: idle */
};

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct job *first, *last;
	struct job *waiting; /* by due_usec, the earliest first */
	uint32_t queued, waits, most;
	uint64_t refused;
	bool stopping;
	uint32_t thread_count;
	struct worker threads[];
};

static void wait_for_job(struct workers *workers)
{
	uint64_t now, span;
	struct timespec until;

	if (!workers->waiting) {
		pthread_cond_wait(&workers->wake, &workers->lock);
		return;
	}
	now = clock_boottime_usec();
	span = workers->waiting->due_usec > now ? workers->waiting->due_usec - now : 0;
	clock_gettime(CLOCK_MONOTONIC, &until);
	span += (uint64_t)until.tv_nsec / 1000;
	until.tv_sec += (time_t)(span / USEC_PER_SEC);
	until.tv_nsec = (long)(span % USEC_PER_SEC) * 1000;
	(void)pthread_cond_timedwait(&workers->wake, &workers->lock, &until);
}

/* With the lock held. NULL: the end. */
static struct job *next_job(struct workers *workers)
{
	for (;;) {
		struct job *job = workers->waiting;

		if (job && (workers->stopping || job->due_usec <= clock_boottime_usec())) {
			workers->waiting = job->next;
			workers->waits--;
			return job;
		}
		job = workers->first;
		if (job) {
			workers->first = job->next;
			if (!workers->first)
				workers->last = NULL;
			workers->queued--;
			return job;
		}
		if (workers->stopping)
			return NULL;
		wait_for_job(workers);
	}
}

static void put_aside(struct workers *workers, struct job *job)
{
	struct job **at = &workers->waiting;

	job->due_usec = clock_boottime_usec() + (uint64_t)job->request->again_ms * USEC_PER_MSEC;
	while (*at && (*at)->due_usec <= job->due_usec)
		at = &(*at)->next;
	job->next = *at;
	*at = job;
	workers->waits++;
	pthread_cond_signal(&workers->wake);
}

static bool run(struct job *job, bool stopping)
{
	struct request *request = job->request;

	if (!job->started) {
		job->started = true;
		request_run(request);
		if (!request->again)
			return true;
		return false;
	}
	if (request_run_again(request))
		return true;
	if (!stopping)
		return false;
	/* What it waited for has not come; its write is done all the same. */
	respond_retry(request, PROBLEM_UNAVAILABLE, 1,
		      "the change is made, but this server stops before the wait ends");
	request->again = NULL;
	return true;
}

static void *work(void *context)
{
	struct worker *worker = context;
	struct workers *workers = worker->workers;
	struct job *job;

	pthread_mutex_lock(&workers->lock);
	while ((job = next_job(workers))) {
		bool stopping = workers->stopping, done;

		worker->since_usec = clock_boottime_usec();
		pthread_mutex_unlock(&workers->lock);
		done = run(job, stopping);
		if (done)
			job->done(job);
		pthread_mutex_lock(&workers->lock);
		worker->since_usec = 0;
		if (!done)
			put_aside(workers, job);
	}
	pthread_mutex_unlock(&workers->lock);
	return NULL;
}

int workers_create(uint32_t threads, uint32_t queue, struct workers **ret)
{
	struct workers *workers = calloc(1, sizeof(*workers) + threads * sizeof(workers->threads[0]));
	pthread_condattr_t attributes;

	if (!workers)
		return -ENOMEM;
	workers->most = queue;
	pthread_mutex_init(&workers->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&workers->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	for (uint32_t i = 0; i < threads; i++) {
		int result;

		workers->threads[i].workers = workers;
		result = pthread_create(&workers->threads[i].thread, NULL, work, &workers->threads[i]);
		if (result) {
			workers_destroy(workers);
			return -result;
		}
		workers->thread_count++;
	}
	*ret = workers;
	return 0;
}

void workers_destroy(struct workers *workers)
{
	if (!workers)
		return;
	pthread_mutex_lock(&workers->lock);
	workers->stopping = true;
	pthread_cond_broadcast(&workers->wake);
	pthread_mutex_unlock(&workers->lock);
	for (uint32_t i = 0; i < workers->thread_count; i++)
		pthread_join(workers->threads[i].thread, NULL);
	pthread_cond_destroy(&workers->wake);
	pthread_mutex_destroy(&workers->lock);
	free(workers);
}

int workers_add(struct workers *workers, struct job *job)
{
	int result = -EAGAIN;

	pthread_mutex_lock(&workers->lock);
	if (workers->queued < workers->most && !workers->stopping) {
		job->next = NULL;
		if (workers->last)
			workers->last->next = job;
		else
			workers->first = job;
		workers->last = job;
		workers->queued++;
		pthread_cond_signal(&workers->wake);
		result = 0;
	} else {
		workers->refused++;
	}
	pthread_mutex_unlock(&workers->lock);
	return result;
}

struct worker_counts workers_counts(struct workers *workers)
{
	uint64_t now = clock_boottime_usec();
	struct worker_counts counts;

	pthread_mutex_lock(&workers->lock);
	counts = (struct worker_counts){
		.queued = workers->queued, .waiting = workers->waits, .refused = workers->refused};
	for (uint32_t i = 0; i < workers->thread_count; i++) {
		uint64_t since = workers->threads[i].since_usec;

		if (since == 0)
			continue;
		counts.running++;
		counts.longest_usec = MAX_OF(counts.longest_usec, now > since ? now - since : 0);
	}
	pthread_mutex_unlock(&workers->lock);
	return counts;
}
