/* SPDX-License-Identifier: MIT */
#include "control_plane/http/metrics.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "control_plane/http/router.h"

#define PREFIX "tenant_control_"
#define COLLECTORS_MAX 16U
#define SLOTS 512U /* open addressing by the route's address; far more than there are routes */
#define CLASSES 6U /* status 1xx … 5xx; [0]: never */

static const uint64_t bounds_usec[] = {1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 5000000};
#define BOUNDS ARRAY_LEN(bounds_usec)

struct slot {
	_Atomic(const struct route *) route;
	atomic_uint_fast64_t classes[CLASSES];
	atomic_uint_fast64_t buckets[BOUNDS + 1]; /* not yet added up */
	atomic_uint_fast64_t sum_usec;
};

struct metrics {
	struct slot slots[SLOTS];
	struct slot none; /* no route */
	struct {
		void (*collect)(void *context, struct buffer *out);
		void *context;
	} collectors[COLLECTORS_MAX];
	size_t collector_count;
};

int metrics_create(struct metrics **ret)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));

	if (!metrics)
		return -ENOMEM;
	*ret = metrics;
	return 0;
}

void metrics_destroy(struct metrics *metrics)
{
	free(metrics);
}

int metrics_register(struct metrics *metrics, void (*collect)(void *context, struct buffer *out), void *context)
{
	if (metrics->collector_count == COLLECTORS_MAX)
		return -ENOSPC;
	metrics->collectors[metrics->collector_count].collect = collect;
	metrics->collectors[metrics->collector_count++].context = context;
	return 0;
}

static struct slot *slot_of(struct metrics *metrics, const struct route *route)
{
	size_t at = ((uintptr_t)route / sizeof(*route)) % SLOTS;

	if (!route)
		return &metrics->none;
	for (size_t tries = 0; tries < SLOTS; tries++, at = (at + 1) % SLOTS) {
		const struct route *there = atomic_load(&metrics->slots[at].route);

		if (!there && atomic_compare_exchange_strong(&metrics->slots[at].route, &there, route))
			return &metrics->slots[at];
		if (there == route)
			return &metrics->slots[at];
	}
	return &metrics->none;
}

void metrics_request(struct metrics *metrics, const struct route *route, unsigned status, uint64_t usec)
{
	struct slot *slot = slot_of(metrics, route);
	size_t bound = 0;

	while (bound < BOUNDS && usec > bounds_usec[bound])
		bound++;
	atomic_fetch_add(&slot->classes[MIN_OF(status / 100, CLASSES - 1)], 1);
	atomic_fetch_add(&slot->buckets[bound], 1);
	atomic_fetch_add(&slot->sum_usec, usec);
}

void metrics_put(struct buffer *out, const char *name, enum metric_type type, const char *help, double value)
{
	buffer_printf(out, "# TYPE " PREFIX "%s %s\n# HELP " PREFIX "%s %s\n" PREFIX "%s%s %.17g\n", name,
		      type == METRIC_COUNTER ? "counter" : "gauge", name, help, name,
		      type == METRIC_COUNTER ? "_total" : "", value);
}

void metrics_begin(struct buffer *out, const char *name, enum metric_type type, const char *help)
{
	buffer_printf(out, "# TYPE " PREFIX "%s %s\n# HELP " PREFIX "%s %s\n", name,
		      type == METRIC_COUNTER ? "counter" : "gauge", name, help);
}

void metrics_sample(struct buffer *out, const char *name, enum metric_type type, const char *label, const char *text,
		    double value)
{
	buffer_printf(out, PREFIX "%s%s{%s=\"%s\"} %.17g\n", name, type == METRIC_COUNTER ? "_total" : "", label, text,
		      value);
}

static void put_labels(struct buffer *out, const struct route *route)
{
	/* Patterns are checked at the start: nothing in them needs escaping. */
	buffer_printf(out, "{method=\"%s\",route=\"%s\"", route ? http_method_name(route->method) : "",
		      route ? route->pattern : "");
}

static void put_counts(const struct slot *slot, struct buffer *out)
{
	const struct route *route = atomic_load(&slot->route);

	for (size_t i = 1; i < CLASSES; i++) {
		uint64_t count = atomic_load(&slot->classes[i]);

		if (count == 0)
			continue;
		buffer_add_text(out, PREFIX "http_requests_total");
		put_labels(out, route);
		buffer_printf(out, ",status=\"%zuxx\"} %llu\n", i, (unsigned long long)count);
	}
}

static void put_times(const struct slot *slot, struct buffer *out)
{
	const struct route *route = atomic_load(&slot->route);
	uint64_t count = 0;

	for (size_t i = 0; i <= BOUNDS; i++) {
		count += atomic_load(&slot->buckets[i]);
		buffer_add_text(out, PREFIX "http_request_seconds_bucket");
		put_labels(out, route);
		if (i < BOUNDS)
			buffer_printf(out, ",le=\"%g\"} %llu\n", (double)bounds_usec[i] / (double)USEC_PER_SEC,
				      (unsigned long long)count);
		else
			buffer_printf(out, ",le=\"+Inf\"} %llu\n", (unsigned long long)count);
	}
	buffer_add_text(out, PREFIX "http_request_seconds_sum");
	put_labels(out, route);
	buffer_printf(out, "} %.6f\n", (double)atomic_load(&slot->sum_usec) / (double)USEC_PER_SEC);
	buffer_add_text(out, PREFIX "http_request_seconds_count");
	put_labels(out, route);
	buffer_printf(out, "} %llu\n", (unsigned long long)count);
}

static void put_all(const struct metrics *metrics, void (*put)(const struct slot *slot, struct buffer *out),
		    struct buffer *out)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (atomic_load(&metrics->slots[i].route))
			put(&metrics->slots[i], out);
	put(&metrics->none, out);
}

void metrics_render(struct metrics *metrics, struct buffer *out)
{
	buffer_add_text(out, "# TYPE " PREFIX "http_requests counter\n"
			     "# HELP " PREFIX "http_requests Requests that were answered.\n");
	put_all(metrics, put_counts, out);
	buffer_add_text(out, "# TYPE " PREFIX "http_request_seconds histogram\n"
			     "# HELP " PREFIX "http_request_seconds From the headers' end to the answer.\n");
	put_all(metrics, put_times, out);
	for (size_t i = 0; i < metrics->collector_count; i++)
		metrics->collectors[i].collect(metrics->collectors[i].context, out);
	buffer_add_text(out, "# EOF\n");
}
