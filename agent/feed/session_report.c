/* SPDX-License-Identifier: MIT */
#include "feed/session_report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/api_key.h"
#include "feed/backoff.h"
#include "feed/feeds.h"
#include "session/session.h"
#include "json/json_write.h"

#define BUCKETS 1024U
#define SESSIONS_PER_PART 200U
#define GONE_PER_PART 1000U
#define SOON_USEC (100 * USEC_PER_MSEC)      /* what changes together is told together */
#define BETWEEN_USEC (500 * USEC_PER_MSEC)   /* two reports of one tenant are at least so far apart */
#define STILL_USEC (1200 * USEC_PER_SEC)     /* nothing changed: that is said now and then, … */
#define STILL_MORE_USEC (600 * USEC_PER_SEC) /* … and so much later at random */
#define REFUSED_USEC (600 * USEC_PER_SEC)    /* until what was refused as it stands is tried again */
#define LIST_CHARS 16U

struct item {
	struct item *next; /* in its bucket */
	struct item *later;
	struct telling *telling;
	char *line; /* NULL: it is gone, and that is yet to be told */
	bool queued;
	bool told; /* in this list */
	char id[SESSION_ID_CHARS + 1];
};
/* What one tenant is told. */
struct telling {
	struct telling *next;
	struct session_reports *reports;
	char tenant_id[FEED_TENANT_ID_MAX];
	bool followed;
	struct item *first, **last; /* to be told, in this order */
	char list[LIST_CHARS + 1];  /* "": none was begun */
	uint64_t part;              /* sent last */
	bool complete;              /* all that was there when the list began was told */
	struct buffer body;         /* of that part, until it is answered */
	struct http_transfer *transfer;
	sd_event_source *timer;
	struct backoff backoff;
	bool waits; /* after a failure: changes do not hurry it */
	uint64_t sent_usec;
	unsigned refused; /* the status of the last refusal: told once */
};
struct session_reports {
	sd_event *event;
	struct session_reports_hooks hooks;
	struct http *http; /* NULL: not connected */
	char url[600];
	struct telling *tellings;
	struct item *buckets[BUCKETS];
};

/* ---- what there is -------------------------------------------------------------------------------------------------
 */

/* Ids are random, so their first digits are as good as any hash. */
static struct item **bucket_of(struct session_reports *reports, const char *id)
{
	uint32_t hash = 0;

	for (size_t i = 0; i < 4 && id[i]; i++)
		hash = hash * 62 + (unsigned char)id[i];
	return &reports->buckets[hash % BUCKETS];
}

static struct item **find(struct session_reports *reports, const char *id)
{
	struct item **at = bucket_of(reports, id);

	while (*at && strcmp((*at)->id, id) != 0)
		at = &(*at)->next;
	return at;
}

static void enqueue(struct telling *telling, struct item *item)
{
	if (item->queued)
		return;
	item->queued = true;
	item->later = NULL;
	*telling->last = item;
	telling->last = &item->later;
}

static void dequeue(struct telling *telling, struct item *item)
{
	struct item **at = &telling->first;

	while (*at && *at != item)
		at = &(*at)->later;
	if (*at) {
		*at = item->later;
		if (telling->last == &item->later)
			telling->last = at;
	}
	item->queued = false;
}

/* Nothing refers to it any more. */
static void drop(struct session_reports *reports, struct item *item)
{
	struct item **at = find(reports, item->id);

	if (item->queued)
		dequeue(item->telling, item);
	if (*at == item)
		*at = item->next;
	free(item->line);
	free(item);
}

static void arm(struct telling *telling, uint64_t usec)
{
	if (sd_event_source_set_time(telling->timer, clock_boottime_usec() + usec) >= 0)
		(void)sd_event_source_set_enabled(telling->timer, SD_EVENT_ONESHOT);
}

/* There is something to tell, unless it is waiting for better times. */
static void hurry(struct telling *telling)
{
	uint64_t now = clock_boottime_usec(), next = telling->sent_usec + BETWEEN_USEC;

	if (telling->followed && telling->reports->http && !telling->waits && !telling->transfer)
		arm(telling, MAX_OF(next > now ? next - now : 0, SOON_USEC));
}

static int on_time(sd_event_source *source, uint64_t usec, void *context);

static int telling_of(struct session_reports *reports, const char *tenant_id, struct telling **ret)
{
	struct telling *telling;
	int r;

	for (telling = reports->tellings; telling; telling = telling->next)
		if (text_equal(telling->tenant_id, tenant_id)) {
			*ret = telling;
			return 0;
		}
	telling = calloc(1, sizeof(*telling));
	if (!telling)
		return -ENOMEM;
	telling->reports = reports;
	telling->last = &telling->first;
	(void)snprintf(telling->tenant_id, sizeof(telling->tenant_id), "%s", tenant_id);
	r = sd_event_add_time(reports->event, &telling->timer, CLOCK_BOOTTIME, 0, USEC_PER_MSEC, on_time, telling);
	if (r >= 0)
		r = sd_event_source_set_enabled(telling->timer, SD_EVENT_OFF);
	if (r < 0) {
		sd_event_source_disable_unref(telling->timer);
		free(telling);
		return r;
	}
	telling->next = reports->tellings;
	reports->tellings = telling;
	*ret = telling;
	return 0;
}

int session_reports_put(struct session_reports *reports, const char *tenant_id, const char *id, const char *line)
{
	struct item **at = find(reports, id), *item = *at;
	char *copy = strdup(line);
	int r = copy && strlen(id) == SESSION_ID_CHARS ? 0 : -ENOMEM;

	if (r == 0 && !item) {
		item = calloc(1, sizeof(*item));
		r = item ? telling_of(reports, tenant_id, &item->telling) : -ENOMEM;
		if (r < 0)
			free(item);
		else
			(void)snprintf(item->id, sizeof(item->id), "%s", id);
		if (r == 0)
			*at = item;
	}
	if (r < 0) {
		free(copy);
		return r;
	}
	/* As it was told already: nobody has to hear it again. */
	if (item->told && !item->queued && text_equal(item->line, copy)) {
		free(copy);
		return 0;
	}
	free(item->line);
	item->line = copy;
	enqueue(item->telling, item);
	hurry(item->telling);
	return 0;
}

void session_reports_gone(struct session_reports *reports, const char *id)
{
	struct item *item = *find(reports, id);

	if (!item)
		return;
	/* Nobody ever heard of it. */
	if (!item->told) {
		drop(reports, item);
		return;
	}
	free(TAKE_PTR(item->line));
	enqueue(item->telling, item);
	hurry(item->telling);
}

/* ---- telling it ----------------------------------------------------------------------------------------------------
 */

static void begin_list(struct telling *telling)
{
	struct session_reports *reports = telling->reports;

	buffer_clear(&telling->body);
	telling->list[0] = '\0';
	telling->part = 0;
	telling->complete = false;
	telling->first = NULL;
	telling->last = &telling->first;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct item *item = reports->buckets[i], *next; item; item = next) {
			next = item->next;
			if (item->telling != telling)
				continue;
			item->queued = item->told = false;
			if (item->line)
				enqueue(telling, item);
			else
				drop(reports, item);
		}
}

/* What comes next, as the part's body. */
static int write_part(struct telling *telling)
{
	struct json_writer w = json_writer(&telling->body);
	uint32_t sessions = 0, gone = 0;
	struct item *item, *next;

	if (!telling->list[0] && base62_random(telling->list, LIST_CHARS) < 0)
		return -EIO;
	json_begin(&w, NULL, '{');
	json_put_string(&w, "list", telling->list);
	json_put_u64(&w, "part", telling->part + 1);
	json_begin(&w, "sessions", '[');
	for (item = telling->first; item && sessions < SESSIONS_PER_PART && gone < GONE_PER_PART; item = item->later) {
		if (item->line)
			json_put_raw(&w, NULL, item->line, strlen(item->line));
		*(item->line ? &sessions : &gone) += 1;
	}
	json_end(&w, ']');
	json_begin(&w, "gone", '[');
	for (item = telling->first, sessions += gone; item && sessions > 0; item = item->later, sessions--)
		if (!item->line)
			json_put_string(&w, NULL, item->id);
	json_end(&w, ']');
	telling->complete |= !item;
	json_put_bool(&w, "complete", telling->complete);
	json_end(&w, '}');
	if (telling->body.failed)
		return -ENOMEM;
	/* Only now that it is written. */
	for (struct item *at = telling->first; at != item; at = next) {
		next = at->later;
		telling->first = next;
		if (!next)
			telling->last = &telling->first;
		at->queued = false;
		at->told = true;
		if (!at->line)
			drop(telling->reports, at);
	}
	telling->part++;
	return 0;
}

static void wait_longer(struct telling *telling, uint64_t usec)
{
	telling->waits = true;
	arm(telling, usec);
}

static void on_taken(struct telling *telling)
{
	telling->backoff.failures = telling->refused = 0;
	buffer_finish(&telling->body);
	if (telling->first || !telling->complete)
		hurry(telling);
	else
		arm(telling, STILL_USEC + backoff_jitter(STILL_MORE_USEC));
}

static void on_done(void *context, const struct http_answer *answer)
{
	struct telling *telling = context;
	struct session_reports *reports = telling->reports;

	telling->transfer = NULL;
	telling->sent_usec = clock_boottime_usec();
	if (answer->fault != HTTP_FINE || answer->status >= 500 || answer->status == 429) {
		/* It may have been taken or not: the same bytes once more do no harm. */
		wait_longer(telling, backoff_next(&telling->backoff, answer->retry_after));
		return;
	}
	if (answer->status == 200) {
		on_taken(telling);
		return;
	}
	if (answer->status == 401) { /* goes on when there is another token */
		telling->waits = true;
		reports->hooks.rejected(reports->hooks.context);
		return;
	}
	if (answer->status != 409 && answer->status != telling->refused) {
		log_warning("the control plane does not take the list of sessions of tenant %s (status %u)",
			    telling->tenant_id, answer->status);
		telling->refused = answer->status;
	}
	begin_list(telling);
	wait_longer(telling, answer->status == 409 ? backoff_next(&telling->backoff, answer->retry_after)
						   : REFUSED_USEC + backoff_jitter(REFUSED_USEC));
}

static int on_time(sd_event_source *source, uint64_t usec, void *context)
{
	struct telling *telling = context;
	struct session_reports *reports = telling->reports;
	struct http_request request = {.method = "POST", .done = on_done, .context = telling};
	char url[sizeof(reports->url) + FEED_TENANT_ID_MAX + 32];

	telling->waits = false;
	if (!telling->followed || !reports->http || telling->transfer)
		return 0;
	request.bearer = reports->hooks.bearer(reports->hooks.context);
	if (!request.bearer)
		return 0;
	if (telling->body.length == 0 && write_part(telling) < 0) {
		buffer_finish(&telling->body);
		wait_longer(telling, backoff_next(&telling->backoff, -1));
		return 0;
	}
	(void)snprintf(url, sizeof(url), "%s/v1/feeds/%s/sessions", reports->url, telling->tenant_id);
	request.url = url;
	request.body = telling->body.data;
	request.body_length = telling->body.length;
	if (http_start(reports->http, &request, &telling->transfer) < 0)
		wait_longer(telling, backoff_next(&telling->backoff, -1));
	return 0;
}

/* ---- whom ----------------------------------------------------------------------------------------------------------
 */

static void stop(struct telling *telling)
{
	http_cancel(TAKE_PTR(telling->transfer));
	(void)sd_event_source_set_enabled(telling->timer, SD_EVENT_OFF);
	telling->waits = false;
	telling->backoff.failures = 0;
	begin_list(telling);
}

void session_reports_connect(struct session_reports *reports, struct http *http, const char *url)
{
	session_reports_disconnect(reports);
	reports->http = http;
	(void)snprintf(reports->url, sizeof(reports->url), "%s", url);
	session_reports_wake(reports);
}

void session_reports_disconnect(struct session_reports *reports)
{
	if (!reports)
		return;
	reports->http = NULL;
	for (struct telling *telling = reports->tellings; telling; telling = telling->next)
		stop(telling);
}

void session_reports_follow(struct session_reports *reports, const char *tenant_id, bool followed)
{
	struct telling *telling;

	if (telling_of(reports, tenant_id, &telling) < 0) {
		log_error("out of memory: the control plane will not hear of sessions of tenant %s", tenant_id);
		return;
	}
	if (telling->followed == followed)
		return;
	telling->followed = followed;
	if (followed)
		hurry(telling);
	else
		stop(telling);
}

void session_reports_wake(struct session_reports *reports)
{
	for (struct telling *telling = reports->tellings; telling; telling = telling->next) {
		int armed = SD_EVENT_OFF;

		(void)sd_event_source_get_enabled(telling->timer, &armed);
		if (armed != SD_EVENT_OFF && !telling->waits && !telling->first && telling->complete)
			continue; /* nothing is new */
		telling->waits = false;
		hurry(telling);
	}
}

int session_reports_new(sd_event *event, const struct session_reports_hooks *hooks, struct session_reports **ret)
{
	struct session_reports *reports = calloc(1, sizeof(*reports));

	if (!reports)
		return -ENOMEM;
	reports->event = sd_event_ref(event);
	reports->hooks = *hooks;
	*ret = reports;
	return 0;
}

void session_reports_free(struct session_reports *reports)
{
	if (!reports)
		return;
	for (struct telling *telling = reports->tellings, *next; telling; telling = next) {
		next = telling->next;
		http_cancel(telling->transfer);
		sd_event_source_disable_unref(telling->timer);
		buffer_finish(&telling->body);
		free(telling);
	}
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct item *item = reports->buckets[i], *next; item; item = next) {
			next = item->next;
			free(item->line);
			free(item);
		}
	sd_event_unref(reports->event);
	free(reports);
}
