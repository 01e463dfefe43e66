/* SPDX-License-Identifier: MIT
 *
 * What the service counts, as OpenMetrics text (GET /metrics). Requests are counted here, by route; everything else
 * stays with whoever counts it, who registers a function that writes it out:
 *
 *     static void collect(void *context, struct buffer *out)
 *     {
 *             metrics_put(out, "feed_streams", METRIC_GAUGE, "Streams that are open.", counts.streams);
 *     }
 *     metrics_register(app->metrics, collect, publisher);
 */
#pragma once

#include <stdint.h>

#include "base/buffer.h"
#include "base/macros.h"

struct route;
struct metrics;

int metrics_create(struct metrics **ret);
void metrics_destroy(struct metrics *metrics); /* takes NULL */
DEFINE_CLEANUP(struct metrics, metrics_destroy)

enum metric_type { METRIC_COUNTER, METRIC_GAUGE };
/* `collect` is called on a worker's thread whenever somebody asks. At the start only: not thread-safe. 0, -ENOSPC. */
int metrics_register(struct metrics *metrics, void (*collect)(void *context, struct buffer *out), void *context);
/* One family with one sample. `name` without the prefix tenant_control_ and, for counters, without _total. */
void metrics_put(struct buffer *out, const char *name, enum metric_type type, const char *help, double value);
/* The same in pieces, for a family with several samples: its head, then each with one label (a literal's name; a value
 * in which nothing needs escaping). */
void metrics_begin(struct buffer *out, const char *name, enum metric_type type, const char *help);
void metrics_sample(struct buffer *out, const char *name, enum metric_type type, const char *label, const char *text,
		    double value);

/* A request was answered. `route` NULL: none was found. Any thread. */
void metrics_request(struct metrics *metrics, const struct route *route, unsigned status, uint64_t usec);
/* Everything, with the "# EOF" at its end. Errors collect in out->failed. */
void metrics_render(struct metrics *metrics, struct buffer *out);
