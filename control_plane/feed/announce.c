/* SPDX-License-Identifier: MIT */
#include "control_plane/feed/announce.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/parse.h"
#include "control_plane/feed/watch.h"

#define PAYLOAD_MAX 7900U /* PostgreSQL takes less than 8000 bytes */
/* Between two notifications: each wakes a process of the server and every replica, and what comes in the meantime goes
 * together. The first one after a quiet time goes at once. */
#define PAUSE_NSEC 5000000L
#define PENDING_MAX (1024U * 1024)

struct announcer {
	struct db *db;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct buffer pending; /* words, each with a space after it */
	bool stop;
};

static int notify(struct db *db, const char *payload)
{
	const struct db_scope scope = {0};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	int r = db_begin(db, &scope, &tx);

	if (r == 0)
		r = db_later(tx, "SELECT pg_notify('" FEED_NOTIFY_CHANNEL "', $1)", payload);
	return r < 0 ? r : db_commit(TAKE_PTR(tx));
}

/* As many whole words as one payload takes. */
static void notify_all(struct db *db, struct buffer *words)
{
	while (words->length > 0) {
		char payload[PAYLOAD_MAX + 1];
		size_t length = MIN_OF(words->length, (size_t)PAYLOAD_MAX);
		int r;

		while (words->data[length - 1] != ' ')
			length--;
		memcpy(payload, words->data, length - 1);
		payload[length - 1] = '\0';
		buffer_consume(words, length);
		r = notify(db, payload);
		if (r < 0) {
			log_debug("other replicas will see new revisions at their next poll: %s", strerror(-r));
			buffer_clear(words);
		}
	}
}

static void *run(void *argument)
{
	static const struct timespec pause = {.tv_nsec = PAUSE_NSEC};
	struct announcer *a = argument;
	struct buffer words = BUFFER_INIT;
	bool stop;

	do {
		(void)pthread_mutex_lock(&a->lock);
		while (!a->stop && a->pending.length == 0)
			(void)pthread_cond_wait(&a->more, &a->lock);
		words = a->pending;
		a->pending = (struct buffer)BUFFER_INIT;
		stop = a->stop;
		(void)pthread_mutex_unlock(&a->lock);
		notify_all(a->db, &words);
		buffer_finish(&words);
		if (!stop)
			(void)nanosleep(&pause, NULL);
	} while (!stop);
	return NULL;
}

int announcer_create(struct db *db, struct announcer **ret)
{
	struct announcer *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->db = db;
	(void)pthread_mutex_init(&a->lock, NULL);
	(void)pthread_cond_init(&a->more, NULL);
	r = -pthread_create(&a->thread, NULL, run, a);
	if (r < 0) {
		(void)pthread_cond_destroy(&a->more);
		(void)pthread_mutex_destroy(&a->lock);
		free(a);
		return r;
	}
	*ret = a;
	return 0;
}

void announcer_destroy(struct announcer *announcer)
{
	if (!announcer)
		return;
	(void)pthread_mutex_lock(&announcer->lock);
	announcer->stop = true;
	(void)pthread_cond_signal(&announcer->more);
	(void)pthread_mutex_unlock(&announcer->lock);
	(void)pthread_join(announcer->thread, NULL);
	buffer_finish(&announcer->pending);
	(void)pthread_cond_destroy(&announcer->more);
	(void)pthread_mutex_destroy(&announcer->lock);
	free(announcer);
}

void announcer_add(struct announcer *announcer, const char *tenant_id, uint64_t epoch, uint64_t revision)
{
	(void)pthread_mutex_lock(&announcer->lock);
	if (announcer->pending.length < PENDING_MAX)
		(void)buffer_printf(&announcer->pending, "%s:%" PRIu64 ".%" PRIu64 " ", tenant_id, epoch, revision);
	(void)pthread_cond_signal(&announcer->more);
	(void)pthread_mutex_unlock(&announcer->lock);
}

int announce_now(struct db *db, const char *tenant_id, uint64_t epoch, uint64_t revision)
{
	char payload[128];

	(void)snprintf(payload, sizeof(payload), "%s:%" PRIu64 ".%" PRIu64, tenant_id, epoch, revision);
	return notify(db, payload);
}

void announce_parse(const char *payload,
		    void (*one)(void *context, const char *tenant_id, uint64_t epoch, uint64_t revision), void *context)
{
	while (*payload) {
		size_t length = strcspn(payload, " ");
		char word[128], *colon, *dot;
		uint64_t epoch, revision;

		if (length > 0 && length < sizeof(word)) {
			memcpy(word, payload, length);
			word[length] = '\0';
			colon = strchr(word, ':');
			dot = colon ? strchr(colon, '.') : NULL;
			if (dot) {
				*colon = '\0';
				*dot = '\0';
				if (parse_u64(colon + 1, &epoch) == 0 && parse_u64(dot + 1, &revision) == 0)
					one(context, word, epoch, revision);
			}
		}
		payload += length;
		payload += strspn(payload, " ");
	}
}
