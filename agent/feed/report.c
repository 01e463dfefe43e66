/* SPDX-License-Identifier: MIT */
#include "feed/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "feed/backoff.h"
#include "json/json_write.h"

#define SOON_USEC (1 * USEC_PER_SEC)    /* several changes are told together */
#define AGAIN_USEC (240 * USEC_PER_SEC) /* and half as much again at random */

struct report {
	sd_event_source *timer;
	struct http *http;
	struct http_transfer *transfer;
	struct work *work;
	bool soon;
	char url[600];
};

static void arm(struct report *report, uint64_t usec)
{
	if (sd_event_source_set_time(report->timer, clock_boottime_usec() + usec) >= 0)
		(void)sd_event_source_set_enabled(report->timer, SD_EVENT_ONESHOT);
}

void report_soon(struct report *report)
{
	if (!report || report->soon)
		return;
	report->soon = true;
	arm(report, SOON_USEC);
}

static void on_done(void *context, const struct http_answer *answer)
{
	struct report *report = context;

	report->transfer = NULL;
}

static int write_body(const struct report *report, struct buffer *out)
{
	struct feed_view *views = calloc(FEEDS_MAX, sizeof(*views));
	struct json_writer w = json_writer(out);
	struct host_view host;
	uint32_t count;

	if (!views)
		return -ENOMEM;
	count = work_view(report->work, &host, views, FEEDS_MAX);
	json_begin(&w, NULL, '{');
	json_put_string(&w, "version", TENANTD_VERSION);
	json_begin(&w, "feeds", '[');
	for (uint32_t i = 0; i < count; i++) {
		if (views[i].from_file || !views[i].tenant_id[0])
			continue;
		json_begin(&w, NULL, '{');
		json_put_string(&w, "tenant", views[i].tenant_id);
		json_put_string(&w, "state", feed_state_word(views[i].state));
		json_put_u64(&w, "epoch", views[i].epoch);
		json_put_u64(&w, "revision", views[i].revision);
		json_put_string(&w, "problem", views[i].problem);
		json_end(&w, '}');
	}
	json_end(&w, ']');
	json_put_i64(&w, "clock", clock_realtime_sec());
	json_end(&w, '}');
	free(views);
	return out->failed ? -ENOMEM : 0;
}

static int on_time(sd_event_source *source, uint64_t usec, void *context)
{
	_cleanup_(buffer_finish) struct buffer body = BUFFER_INIT;
	struct report *report = context;
	struct http_request request = {
		.method = "PUT",
		.url = report->url,
		.bearer = work_bearer(report->work),
		.done = on_done,
		.context = report,
	};

	report->soon = false;
	arm(report, AGAIN_USEC + backoff_jitter(AGAIN_USEC / 2));
	if (!request.bearer || report->transfer || write_body(report, &body) < 0)
		return 0;
	request.body = body.data;
	request.body_length = body.length;
	(void)http_start(report->http, &request, &report->transfer);
	return 0;
}

int report_new(sd_event *event, struct http *http, const char *url, struct work *work, struct report **ret)
{
	struct report *report = calloc(1, sizeof(*report));
	int r;

	if (!report)
		return -ENOMEM;
	report->http = http;
	report->work = work;
	snprintf(report->url, sizeof(report->url), "%s/v1/hosts/self/status", url);
	r = sd_event_add_time(event, &report->timer, CLOCK_BOOTTIME, 0, SOON_USEC, on_time, report);
	if (r < 0) {
		report_free(report);
		return r;
	}
	report_soon(report);
	*ret = report;
	return 0;
}

void report_free(struct report *report)
{
	if (!report)
		return;
	http_cancel(report->transfer);
	sd_event_source_disable_unref(report->timer);
	free(report);
}
