/* SPDX-License-Identifier: MIT */
#include "control_plane/feed/watch.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/log.h"
#include "control_plane/config.h"
#include "control_plane/feed/announce.h"
#include "control_plane/feed/pg_array.h"
#include "control_plane/feed/stream.h"

#define TICK_USEC USEC_PER_SEC
#define CHECK_TICKS 5U    /* looks at whose streams these are */
#define ASK_AT_ONCE 1000U /* tenants in one look at feed_revisions() */

struct watch {
	struct publisher *publisher;
	pthread_t thread;
	int wake; /* eventfd */
	_Atomic bool stop;
	struct db_listener *listener;
	uint64_t next_tick;
	unsigned ticks;
	bool lost; /* the database is away: said once */
};

static void heard(void *context, const char *tenant_id, uint64_t epoch, uint64_t revision)
{
	struct watch *w = context;
	struct slot *slot = channels_find(w->publisher->channels, tenant_id);

	/* Our own come back, too. */
	if (slot && !slot_is_current(slot, epoch, revision))
		atomic_store(&slot->stale, true);
	channels_put(w->publisher->channels, slot);
}

static void notified(void *context, const char *payload)
{
	announce_parse(payload, heard, context);
}

static int refresh(struct watch *w, struct slot *slot)
{
	const struct db_scope scope = {.tenant_id = channel_tenant(slot->channel), .read_only = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	bool news = false;
	int r = db_begin(w->publisher->app->db, &scope, &tx);

	if (r == 0)
		r = slot_refresh(slot, tx, w->publisher->app->config->stale_sec, 0, 0, &news);
	if (r == 0)
		r = db_commit(TAKE_PTR(tx));
	if (news)
		channel_wake(slot->channel);
	return r;
}

/* Marks those that the database has more of. */
static int ask(struct watch *w, struct slot *const *slots, uint32_t count)
{
	const struct db_scope scope = {.read_only = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	_cleanup_(buffer_finish) struct buffer tenants = BUFFER_INIT;
	int r;

	for (uint32_t i = 0; i < count; i++)
		pg_array_add(&tenants, channel_tenant(slots[i]->channel));
	if (!pg_array_end(&tenants))
		return -ENOMEM;
	r = db_begin(w->publisher->app->db, &scope, &tx);
	if (r == 0)
		r = db_run(
			tx, &rows,
			"SELECT tenant_id, epoch, revision, trust_version, head_issued FROM feed_revisions($1::text[])",
			buffer_text(&tenants));
	if (r == 0)
		r = db_commit(TAKE_PTR(tx));
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < db_row_count(rows); i++) {
		struct slot *slot = channels_find(w->publisher->channels, db_text(rows, i, 0));
		struct channel_view view;

		if (!slot)
			continue;
		view = channel_view(slot->channel);
		if (view.epoch != (uint64_t)db_i64(rows, i, 1) || view.revision < (uint64_t)db_i64(rows, i, 2) ||
		    view.trust_version < (uint64_t)db_i64(rows, i, 3) || view.head_issued < db_i64(rows, i, 4))
			atomic_store(&slot->stale, true);
		channels_put(w->publisher->channels, slot);
	}
	return 0;
}

static int renew_due(struct watch *w, struct slot *const *slots, uint32_t count)
{
	int64_t due = clock_realtime_sec() - (int64_t)w->publisher->app->config->head_sec;
	_cleanup_(freep) struct slot **chosen = calloc(count + 1, sizeof(struct slot *));
	uint32_t some = 0;

	if (!chosen)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		struct channel_view view = channel_view(slots[i]->channel);

		if (view.readers > 0 && view.loaded && view.head_issued <= due)
			chosen[some++] = slots[i];
	}
	return heads_renew(w->publisher, chosen, some);
}

/* Who was let in when its stream began may be disabled or withdrawn since. */
static int check_hosts(struct watch *w, struct slot *slot)
{
	const struct db_scope scope = {.tenant_id = channel_tenant(slot->channel), .read_only = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r;

	if (channel_view(slot->channel).readers == 0)
		return 0;
	r = db_begin(w->publisher->app->db, &scope, &tx);
	if (r == 0)
		r = db_run(tx, &rows,
			   "SELECT t.host_id FROM host_tenants t JOIN hosts h ON h.id = t.host_id "
			   "WHERE t.tenant_id = $1 AND h.disabled_at = 0 ORDER BY t.host_id COLLATE \"C\"",
			   scope.tenant_id);
	if (r == 0)
		r = db_commit(TAKE_PTR(tx));
	if (r == 0)
		feed_streams_check(slot, rows);
	return r;
}

static int look(struct watch *w, bool tick)
{
	struct publisher *p = w->publisher;
	struct slot **slots;
	uint32_t count;
	int r = channels_list(p->channels, &slots, &count);

	if (r < 0)
		return r;
	if (tick) {
		uint64_t now = clock_boottime_usec();

		for (uint32_t i = 0; i < count; i++)
			feed_streams_tick(p, slots[i], now);
		for (uint32_t done = 0; r == 0 && done < count; done += ASK_AT_ONCE)
			r = ask(w, slots + done, MIN_OF(count - done, ASK_AT_ONCE));
	}
	for (uint32_t i = 0; i < count && r == 0; i++) {
		if (!atomic_load(&slots[i]->stale))
			continue;
		r = refresh(w, slots[i]);
		if (r == -ENOENT) { /* the tenant is gone: so are its hosts soon */
			atomic_store(&slots[i]->stale, false);
			r = 0;
		}
	}
	for (uint32_t i = 0; tick && w->ticks % CHECK_TICKS == 0 && i < count && r == 0; i++)
		r = check_hosts(w, slots[i]);
	if (r == 0)
		r = renew_due(w, slots, count);
	for (uint32_t i = 0; i < count; i++)
		channels_put(p->channels, slots[i]);
	free(slots);
	if (tick)
		channels_sweep(p->channels, clock_boottime_usec());
	return r;
}

static void wait_for_something(struct watch *w)
{
	uint64_t now = clock_boottime_usec(), count;
	struct pollfd fds[2] = {
		{.fd = w->wake, .events = POLLIN},
		{.fd = w->listener ? db_listener_fd(w->listener) : -1, .events = POLLIN},
	};
	int wait = now >= w->next_tick ? 0 : (int)((w->next_tick - now) / USEC_PER_MSEC) + 1;

	(void)poll(fds, ARRAY_LEN(fds), wait);
	if (fds[0].revents)
		(void)!read(w->wake, &count, sizeof(count));
	/* Asked without an event, too: that is how a lost connection is found and made anew. */
	if (w->listener)
		(void)db_listener_read(w->listener, notified, w);
}

static void *run(void *argument)
{
	struct watch *w = argument;

	while (!atomic_load(&w->stop)) {
		bool tick;
		int r;

		wait_for_something(w);
		tick = clock_boottime_usec() >= w->next_tick;
		if (tick) {
			w->next_tick = clock_boottime_usec() + TICK_USEC;
			w->ticks++;
			if (!w->listener)
				(void)db_listen(w->publisher->app->db, FEED_NOTIFY_CHANNEL, &w->listener);
		}
		r = look(w, tick);
		if (r < 0 && !w->lost)
			log_warning("feeds cannot be read from the database: %s", strerror(-r));
		else if (r == 0 && w->lost && tick)
			log_notice("feeds can be read from the database again");
		if (r < 0 || tick)
			w->lost = r < 0;
	}
	return NULL;
}

int watch_create(struct publisher *publisher, struct watch **ret)
{
	struct watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->publisher = publisher;
	w->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->wake < 0) {
		r = -errno;
		free(w);
		return r;
	}
	r = -pthread_create(&w->thread, NULL, run, w);
	if (r < 0) {
		(void)close(w->wake);
		free(w);
		return r;
	}
	*ret = w;
	return 0;
}

void watch_kick(struct watch *watch)
{
	const uint64_t one = 1;

	(void)!write(watch->wake, &one, sizeof(one));
}

void watch_destroy(struct watch *watch)
{
	if (!watch)
		return;
	atomic_store(&watch->stop, true);
	watch_kick(watch);
	(void)pthread_join(watch->thread, NULL);
	db_listener_free(watch->listener);
	(void)close(watch->wake);
	free(watch);
}
