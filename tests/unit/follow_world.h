/* SPDX-License-Identifier: MIT
 *
 * A control plane, a network and a clock for tests of agent/feed/follow.c, all played by the test. HTTP, timers and
 * clocks are defined here, so that their symbols come before the library's in the one program that includes this, and
 * nothing waits.
 */
#pragma once

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/macros.h"
#include "base/text.h"
#include "feed/follow.h"
#include "feed_fixture.h"

#define TENANT "ten_8fJ2kQpL0aZx4TyB"
#define HOST "hst_0000000000000001"
#define BOOT_START (1000 * USEC_PER_SEC)
#define TENANT_BODY \
	"{\"slug\":\"acme\",\"gid\":1879048192,\"ids\":{\"first\":1879048192,\"count\":16384,\"next\":1879048200}}"
#define PROJECT_BODY(slug, gid) "{\"slug\":\"" slug "\",\"gid\":" #gid "}"

/* Time. */
static uint64_t boot_now;
static int64_t wall_now;

uint64_t clock_boottime_usec(void)
{
	return boot_now;
}

int64_t clock_realtime_sec(void)
{
	return wall_now;
}

uint64_t clock_realtime_usec(void)
{
	return (uint64_t)wall_now * USEC_PER_SEC;
}

struct sd_event_source {
	sd_event_time_handler_t handler;
	void *context;
	uint64_t at;
	bool on, used;
};
static struct sd_event_source sources[8];

int sd_event_add_time(sd_event *e, sd_event_source **s, clockid_t clock, uint64_t usec, uint64_t accuracy,
		      sd_event_time_handler_t callback, void *userdata)
{
	assert_int_equal(clock, CLOCK_BOOTTIME);
	for (size_t i = 0; i < ARRAY_LEN(sources); i++)
		if (!sources[i].used) {
			sources[i] = (struct sd_event_source){callback, userdata, usec, true, true};
			*s = &sources[i];
			return 0;
		}
	fail();
	return -ENOMEM;
}

int sd_event_source_set_time(sd_event_source *source, uint64_t usec)
{
	source->at = usec;
	return 0;
}

int sd_event_source_set_enabled(sd_event_source *source, int enabled)
{
	source->on = enabled != SD_EVENT_OFF;
	return 0;
}

sd_event_source *sd_event_source_disable_unref(sd_event_source *source)
{
	if (source)
		source->used = source->on = false;
	return NULL;
}

/* Lets time pass on both clocks, and what was timed happen in its order. */
static void pass(uint64_t usec)
{
	uint64_t end = boot_now + usec, start = boot_now;
	int64_t wall = wall_now;

	for (;;) {
		struct sd_event_source *first = NULL;

		for (size_t i = 0; i < ARRAY_LEN(sources); i++)
			if (sources[i].on && sources[i].at <= end && (!first || sources[i].at < first->at))
				first = &sources[i];
		if (!first)
			break;
		boot_now = MAX_OF(boot_now, first->at);
		wall_now = wall + (int64_t)((boot_now - start) / USEC_PER_SEC);
		first->on = false;
		assert_int_equal(first->handler(first, first->at, first->context), 0);
	}
	boot_now = end;
	wall_now = wall + (int64_t)((end - start) / USEC_PER_SEC);
}

/* HTTP. */
struct http_transfer {
	struct http_request request;
	char url[1024], body[1024];
	bool open;
};
static struct http_transfer transfers[4];
static unsigned requests; /* ever */
static struct http *const client = (struct http *)transfers;

int http_start(struct http *http, const struct http_request *request, struct http_transfer **ret)
{
	assert_ptr_equal(http, client);
	assert_string_equal(request->bearer, "token");
	requests++;
	for (size_t i = 0; i < ARRAY_LEN(transfers); i++)
		if (!transfers[i].open) {
			transfers[i] = (struct http_transfer){.request = *request, .open = true};
			(void)snprintf(transfers[i].url, sizeof(transfers[i].url), "%s", request->url);
			(void)snprintf(transfers[i].body, sizeof(transfers[i].body), "%.*s", (int)request->body_length,
				       request->body ? request->body : "");
			*ret = &transfers[i];
			return 0;
		}
	fail();
	return -ENOMEM;
}

void http_cancel(struct http_transfer *transfer)
{
	if (transfer)
		transfer->open = false;
}

static struct http_transfer *open_request(const char *path)
{
	char url[512];

	(void)snprintf(url, sizeof(url), "https://control.example.org/v1/feeds/" TENANT "/%s", path);
	for (size_t i = 0; i < ARRAY_LEN(transfers); i++)
		if (transfers[i].open && strcmp(transfers[i].url, url) == 0)
			return &transfers[i];
	return NULL;
}

/* Until something is asked for again. */
static _unused_ void await_request(void)
{
	for (unsigned i = 0; i < 10000; i++) {
		for (size_t j = 0; j < ARRAY_LEN(transfers); j++)
			if (transfers[j].open && !strstr(transfers[j].url, "/acks"))
				return;
		pass(100 * USEC_PER_MSEC);
	}
	fail_msg("nothing is asked for");
}

static struct http_transfer *expect(const char *path)
{
	struct http_transfer *transfer = open_request(path);

	if (!transfer) {
		for (size_t i = 0; i < ARRAY_LEN(transfers); i++)
			if (transfers[i].open)
				print_message("open: %s\n", transfers[i].url);
		fail_msg("not asked for: %s", path);
	}
	return transfer;
}

static void end_with(struct http_transfer *transfer, const struct http_answer *answer)
{
	struct http_request request = transfer->request;

	transfer->open = false;
	request.done(request.context, answer);
}

static void end_fault(struct http_transfer *transfer, enum http_fault fault)
{
	end_with(transfer, &(struct http_answer){.fault = fault, .retry_after = -1, .error = "it went wrong"});
}

static void end_status(struct http_transfer *transfer, unsigned status)
{
	end_with(transfer, &(struct http_answer){.status = status, .retry_after = -1, .body = "", .error = ""});
}

/* Bytes of an answer that goes on. What the follower stops ends here, as in the library. */
static bool push(struct http_transfer *transfer, const char *data, size_t length)
{
	if (transfer->request.data(transfer->request.context, data, length) >= 0)
		return true;
	if (transfer->open)
		end_fault(transfer, HTTP_STOPPED);
	return false;
}

static void answer(const char *path, const struct buffer *body)
{
	struct http_transfer *transfer = expect(path);
	struct http_answer full = {.status = 200, .retry_after = -1, .body = "", .error = ""};

	if (transfer->request.data) {
		for (size_t at = 0; at < body->length; at += 100)
			if (!push(transfer, body->data + at, MIN_OF(body->length - at, (size_t)100)))
				return;
	} else {
		full.body = body->data;
		full.length = body->length;
	}
	end_with(transfer, &full);
}

/* The control plane. */
struct world {
	struct published feed;
	struct signer signer, second, stranger;
	struct buffer trust, snapshot_note, frame;
	struct feed_snapshot snapshot;
	struct seal_key key;
	struct follow *follow;
	struct follow_hooks hooks;
	char directory[64];
	const char *token;
	unsigned audits, criticals, changes, rejected, disabled;
	char fault[64];
};

static const char *on_bearer(void *context)
{
	return ((struct world *)context)->token;
}

static void on_rejected(void *context)
{
	((struct world *)context)->rejected++;
}

static void on_changed(void *context, struct follow *follow)
{
	((struct world *)context)->changes++;
}

static void on_audit(void *context, bool critical, const char *tenant_id, const char *fault, const char *detail)
{
	struct world *w = context;

	assert_string_equal(tenant_id, TENANT);
	assert_string_not_equal(detail, "");
	w->audits++;
	w->criticals += critical;
	(void)snprintf(w->fault, sizeof(w->fault), "%s", fault);
}

static void on_disabled(void *context, const char *reason)
{
	struct world *w = context;

	w->disabled++;
	follow_wipe(w->follow);
}

/* A snapshot of the feed's present revision, with one tenant and as many projects as its deltas put. */
static void make_snapshot(struct world *w, const struct line_of *lines, size_t count)
{
	w->snapshot = (struct feed_snapshot){.epoch = w->feed.epoch, .revision = w->feed.revision, .issued = wall_now};
	strcpy(w->snapshot.origin, w->feed.origin);
	memcpy(w->snapshot.chain, w->feed.chain, SHA256_BYTES);
	buffer_clear(&w->frame);
	buffer_clear(&w->snapshot_note);
	feed_snapshot_of(&w->snapshot, lines, count, &w->frame);
	assert_result(feed_snapshot_write(&w->snapshot, &w->snapshot_note), 0);
	feed_sign(&w->snapshot_note, &w->feed.signer, NULL);
}

static const struct line_of tenant_line[] = {{"tenant", TENANT, 1, TENANT_BODY}};

static void make_follow(struct world *w)
{
	struct follow_options options = {.http = client,
					 .url = "https://control.example.org",
					 .tenant_id = TENANT,
					 .host_id = HOST,
					 .directory = w->directory,
					 .seal_key = &w->key,
					 .hooks = &w->hooks};

	assert_result(follow_create(&options, &w->follow), 0);
}

static struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));
	struct feed_trust trust;

	assert_non_null(w);
	boot_now = BOOT_START;
	wall_now = FEED_NOW;
	memset(transfers, 0, sizeof(transfers));
	w->signer = signer_of(FEED_ORIGIN, 1);
	w->second = signer_of(FEED_ORIGIN, 2);
	w->stranger = signer_of(FEED_ORIGIN, 3);
	w->token = "token";
	w->hooks = (struct follow_hooks){on_bearer, on_rejected, on_changed, on_audit, on_disabled, w};
	memset(w->key.bytes, 7, sizeof(w->key.bytes));
	strcpy(w->directory, "/tmp/tenantd-follow-XXXXXX");
	assert_non_null(mkdtemp(w->directory));
	published_init(&w->feed, FEED_ORIGIN, 1, &w->signer);
	(void)published_put(&w->feed, "tenant", TENANT, 1, TENANT_BODY);
	make_snapshot(w, tenant_line, 1);
	trust = feed_trust_of(1, 1, &w->signer, NULL);
	assert_result(feed_trust_write(&trust, &w->trust), 0);
	feed_sign(&w->trust, &w->signer, NULL);
	make_follow(w);
	return w;
}

static void world_free(struct world *w)
{
	follow_wipe(w->follow);
	follow_free(w->follow);
	(void)rmdir(w->directory);
	published_finish(&w->feed);
	buffer_finish(&w->trust);
	buffer_finish(&w->snapshot_note);
	buffer_finish(&w->frame);
	free(w);
}
DEFINE_CLEANUP(struct world, world_free)
#define WORLD _cleanup_(world_freep) struct world *w = world_new()

static struct feed_view view(const struct world *w)
{
	struct feed_view v;

	follow_view(w->follow, &v);
	return v;
}

static void assert_state(const struct world *w, enum feed_state state)
{
	struct feed_view v = view(w);

	if (v.state != state)
		fail_msg("%s instead of %s (%s: %s)", feed_state_word(v.state), feed_state_word(state), v.fault,
			 v.problem);
}

static struct http_transfer *stream(const struct world *w)
{
	for (size_t i = 0; i < ARRAY_LEN(transfers); i++)
		if (transfers[i].open && strstr(transfers[i].url, "/events?"))
			return &transfers[i];
	fail_msg("there is no stream");
	return NULL;
}

static void send_event(const struct world *w, const char *name, const char *data, size_t length)
{
	_cleanup_(buffer_finish) struct buffer event = BUFFER_INIT;
	struct http_transfer *transfer = stream(w);
	size_t at = 0;

	(void)buffer_printf(&event, "event: %s\n", name);
	while (at <= length) {
		const char *end = memchr(data + at, '\n', length - at);
		size_t part = end ? (size_t)(end - data) - at : length - at;

		(void)buffer_add_text(&event, "data: ");
		(void)buffer_add(&event, data + at, part);
		(void)buffer_add_char(&event, '\n');
		at += part + 1;
	}
	(void)buffer_add_char(&event, '\n');
	(void)push(transfer, event.data, event.length);
}

static void send_note(const struct world *w, const char *name, const struct buffer *note)
{
	send_event(w, name, note->data, note->length - 1);
}

static void send_delta(const struct world *w, uint64_t revision)
{
	send_event(w, "delta", w->feed.deltas[revision].data, w->feed.deltas[revision].length);
}

static void send_head(const struct world *w, int64_t issued)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;

	published_head(&w->feed, issued, 300, &note);
	send_note(w, "head", &note);
}

static void serve_snapshot(struct world *w)
{
	char path[128] = "blobs/";

	answer("snapshot", &w->snapshot_note);
	text_to_hex(w->snapshot.sha256, SHA256_BYTES, path + 6);
	answer(path, &w->frame);
	pass(0);
}

static void begin(struct world *w)
{
	assert_result(follow_set_trust(w->follow, w->trust.data, w->trust.length, NULL), 0);
	follow_start(w->follow);
	pass(0);
}

static _unused_ void go_live(struct world *w)
{
	begin(w);
	serve_snapshot(w);
	expect("events?epoch=1&after=1");
	send_head(w, wall_now);
	assert_state(w, FEED_LIVE);
	follow_applied(w->follow, NULL);
	end_status(expect("acks"), 204);
}

static _unused_ void add_project(struct world *w, const char *id, const char *body)
{
	(void)published_put(&w->feed, "project", id, 1, body);
	send_delta(w, w->feed.revision);
	send_head(w, wall_now);
}

/* From now on as after a restart of the agent. */
static _unused_ void restart(struct world *w)
{
	follow_free(w->follow);
	memset(transfers, 0, sizeof(transfers));
	make_follow(w);
}
