/* SPDX-License-Identifier: MIT */
#include "control_plane/feed/publisher.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "control_plane/config.h"
#include "control_plane/feed/acks.h"
#include "control_plane/feed/announce.h"
#include "control_plane/feed/snapshots.h"
#include "control_plane/feed/stream.h"
#include "control_plane/feed/watch.h"
#include "control_plane/http/metrics.h"

static int start(struct publisher *p)
{
	int r = channels_create(&p->app->seal_key, &p->channels);

	if (r == 0)
		r = announcer_create(p->app->db, &p->announcer);
	if (r == 0)
		r = acks_create(p, &p->acks);
	if (r == 0)
		r = makers_create(p, &p->makers);
	return r < 0 ? r : watch_create(p, &p->watch);
}

static void collect(void *context, struct buffer *out)
{
	struct publisher_counts c = publisher_counts(context);

	metrics_put(out, "feed_streams", METRIC_GAUGE, "Streams that are open.", (double)c.streams);
	metrics_put(out, "feed_streams_opened", METRIC_COUNTER, "Streams that were opened.", (double)c.streams_opened);
	metrics_put(out, "feed_streams_refused", METRIC_COUNTER, "Streams refused for there being too many.",
		    (double)c.streams_refused);
	metrics_put(out, "feed_streams_cut", METRIC_COUNTER, "Streams that did not read what there was.",
		    (double)c.streams_cut);
	metrics_put(out, "feed_gaps", METRIC_COUNTER, "Streams refused for a gap: hosts that need a snapshot.",
		    (double)c.gaps);
	metrics_put(out, "feed_tenants", METRIC_GAUGE, "Tenants with streams here.", (double)c.tenants);
	metrics_put(out, "feed_bytes", METRIC_GAUGE, "Bytes of events in memory.", (double)c.bytes);
	metrics_put(out, "feed_revisions", METRIC_COUNTER, "Revisions published here.", (double)c.revisions);
	metrics_put(out, "feed_heads", METRIC_COUNTER, "Heads renewed here.", (double)c.heads);
	metrics_put(out, "feed_snapshots", METRIC_COUNTER, "Snapshots made here.", (double)c.snapshots);
	metrics_put(out, "feed_acks", METRIC_COUNTER, "Acknowledgements written here.", (double)c.acks);
	metrics_put(out, "feed_wake_seconds", METRIC_GAUGE,
		    "The newest revision: from its commit until all streams were told.",
		    (double)c.wake_usec / (double)USEC_PER_SEC);
}

int publisher_create(struct app *app, bool serving, struct publisher **ret, struct problem *problem)
{
	_cleanup_(publisher_destroyp) struct publisher *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return problem_set(problem, ENOMEM, "out of memory");
	p->app = app;
	r = signer_sealed_create(&app->seal_key, &p->signer);
	if (r == 0)
		r = keyring_create(p->signer, &p->keyring);
	if (r == 0 && serving)
		r = metrics_register(app->metrics, collect, p);
	if (r == 0 && serving)
		r = start(p);
	if (r < 0)
		return problem_set(problem, -r, "the feed's publisher cannot start: %s", strerror(-r));
	*ret = TAKE_PTR(p);
	return 0;
}

void publisher_destroy(struct publisher *publisher)
{
	if (!publisher)
		return;
	watch_destroy(publisher->watch);
	makers_destroy(publisher->makers);
	acks_destroy(publisher->acks);
	announcer_destroy(publisher->announcer);
	channels_destroy(publisher->channels);
	keyring_destroy(publisher->keyring);
	signer_destroy(publisher->signer);
	free(publisher);
}

void publisher_announce(struct publisher *publisher, const struct published *published)
{
	uint64_t start = clock_boottime_usec(), last = published->first + published->count - 1;
	struct slot *slot;
	int r = 0;

	if (!publisher->channels) {
		/* Found by the others' poll when this fails. */
		(void)announce_now(publisher->app->db, published->tenant_id, published->epoch, last);
		return;
	}
	slot = channels_find(publisher->channels, published->tenant_id);
	for (uint64_t i = 0; slot && r == 0 && i < published->count; i++)
		r = channel_append(slot->channel, published->epoch, published->first + i, published->deltas[i].data,
				   published->deltas[i].length);
	if (slot && r == 0) {
		r = channel_head(slot->channel, published->epoch, last, published->head_issued, published->head_expires,
				 published->head, published->head_length);
		if (r == 0) {
			channel_wake(slot->channel);
			atomic_store(&publisher->counts.wake_usec, clock_boottime_usec() - start);
		} else if (r == -ESTALE && channel_view(slot->channel).revision > last) {
			r = 0; /* the next change was quicker, and its head covers this one */
		}
	}
	if (slot && r < 0) {
		atomic_store(&slot->stale, true);
		watch_kick(publisher->watch);
	}
	channels_put(publisher->channels, slot);
	announcer_add(publisher->announcer, published->tenant_id, published->epoch, last);
}

void publisher_drain(struct publisher *publisher)
{
	struct slot **slots;
	uint32_t count;

	atomic_store(&publisher->draining, true);
	if (!publisher->channels || channels_list(publisher->channels, &slots, &count) < 0)
		return;
	for (uint32_t i = 0; i < count; i++) {
		channel_wake(slots[i]->channel);
		channels_put(publisher->channels, slots[i]);
	}
	free(slots);
}

struct publisher_counts publisher_counts(struct publisher *publisher)
{
	struct publisher_counts counts = {
		.streams = atomic_load(&publisher->streams),
		.streams_opened = atomic_load(&publisher->counts.opened),
		.streams_refused = atomic_load(&publisher->counts.refused),
		.streams_cut = atomic_load(&publisher->counts.cut),
		.gaps = atomic_load(&publisher->counts.gaps),
		.revisions = atomic_load(&publisher->counts.revisions),
		.heads = atomic_load(&publisher->counts.heads),
		.snapshots = atomic_load(&publisher->counts.snapshots),
		.acks = atomic_load(&publisher->counts.acks),
		.wake_usec = atomic_load(&publisher->counts.wake_usec),
	};
	struct slot **slots;
	uint32_t count;

	if (!publisher->channels)
		return counts;
	counts.bytes = channels_bytes(publisher->channels);
	if (channels_list(publisher->channels, &slots, &count) < 0)
		return counts;
	for (uint32_t i = 0; i < count; i++) {
		counts.tenants += channel_view(slots[i]->channel).readers > 0;
		channels_put(publisher->channels, slots[i]);
	}
	free(slots);
	return counts;
}
