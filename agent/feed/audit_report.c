/* SPDX-License-Identifier: MIT */
#include "feed/audit_report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "feed/audit_receipt.h"
#include "feed/audit_report_internal.h"

#define ANSWER_BYTES_MAX (64U * 1024)
#define END_USEC (30 * USEC_PER_SEC)     /* until a chain that did not begin, for want of room, is asked for again */
#define GATHER_USEC (50 * USEC_PER_MSEC) /* what comes together goes together */

static void arm(struct audit_reports *reports, uint64_t usec)
{
	if (sd_event_source_set_time(reports->timer, clock_boottime_usec() + usec) >= 0)
		(void)sd_event_source_set_enabled(reports->timer, SD_EVENT_ONESHOT);
}

void reports_wait(struct audit_reports *reports, uint64_t usec)
{
	reports->waits = true;
	arm(reports, usec);
}

void reports_wait_after_failure(struct audit_reports *reports, int64_t retry_after)
{
	reports_wait(reports, backoff_next(&reports->backoff, retry_after));
}

void reports_show(struct audit_reports *reports)
{
	reports->shown_usec = clock_boottime_usec();
	reports->hooks.changed(reports->hooks.context);
}

void reports_note_problem(struct audit_reports *reports, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(reports->view.problem, sizeof(reports->view.problem), format, arguments);
	va_end(arguments);
	reports_show(reports);
}

/* ---- what is sent -------------------------------------------------------------------------------------------------
 */

/* Where the reader is now: after a start, a new connection, the end of a chain. */
static void enter_chain(struct audit_reports *reports)
{
	struct note_key key;
	struct chain_head head;
	struct receipt kept;

	spool_reader_head(reports->reader, &key, &head);
	(void)snprintf(reports->chain, sizeof(reports->chain), "%s", chain_of_key(&key));
	reports->next = spool_reader_next(reports->reader);
	reports->taken = (struct chain_head){0};
	if (reports->has_authority &&
	    audit_receipt_load(reports->state_dir, reports->seal_key, &reports->authority, &kept) == 0 &&
	    text_equal(kept.chain, reports->chain) && text_equal(kept.host_id, reports->identity->host_id))
		reports->taken = kept.head;
	reports->skip = (struct audit_body_skip){0};
	reports->rolled = 0;
	reports->greet_usec = 0;
}

/* All of the reader's chain was taken, and it is in the next one. */
static bool has_left_chain(const struct audit_reports *reports)
{
	struct note_key key;
	struct chain_head head;

	spool_reader_head(reports->reader, &key, &head);
	return !text_equal(chain_of_key(&key), reports->chain);
}

/* 1: there is nothing to say. */
static int make_body(struct audit_reports *reports)
{
	const struct audit_body_options options = {reports->bytes_max, reports->identity->host_id};
	int r = audit_body_make(&reports->body, reports->reader, reports->next, &reports->taken, &options,
				&reports->skip);

	if (r < 0)
		return r;
	reports->more = r == 0;
	if (r == 0 || clock_boottime_usec() >= reports->greet_usec)
		return 0;
	audit_body_clear(&reports->body);
	return 1;
}

static int send_body(struct audit_reports *reports)
{
	struct http_request request = {
		.method = "POST",
		.content_type = "application/octet-stream",
		.accept = "application/json",
		.limit = ANSWER_BYTES_MAX,
		.done = reports_on_done,
		.context = reports,
		.url = reports->url,
		.body = reports->body.data.data,
		.body_length = reports->body.data.length,
	};

	request.bearer = reports->hooks.bearer(reports->hooks.context);
	if (!request.bearer) {
		reports->waits = true; /* a token wakes it */
		return 0;
	}
	return http_start(reports->http, &request, &reports->transfer);
}

void reports_end_chain(struct audit_reports *reports)
{
	uint64_t now = clock_boottime_usec();

	if (now < reports->end_again)
		return;
	reports->end_again = now + END_USEC;
	reports->hooks.end_chain(reports->hooks.context, reports->forked, reports->forked_detail);
}

static int give_up_rest(struct audit_reports *reports, const struct chain_head *head)
{
	uint64_t first = spool_reader_next(reports->reader);
	size_t length = strlen(reports->forked_detail);
	int r = spool_acknowledge(reports->reader, head->sequence + 1);

	if (r == 0 && first <= head->sequence)
		(void)snprintf(reports->forked_detail + length, sizeof(reports->forked_detail) - length,
			       "; events %" PRIu64 " to %" PRIu64 " of it are in the journal alone", first,
			       head->sequence);
	return r;
}

/* Another chain is begun on the agent's loop. What the old one still has is given up then: the control plane can take
 * none of it, and the journal has it. */
static bool is_chain_due(struct audit_reports *reports)
{
	struct note_key key;
	struct chain_head head;

	if (!reports->forked[0])
		return false;
	spool_head(reports->spool, &key, &head);
	if (text_equal(chain_of_key(&key), reports->forked)) {
		reports_end_chain(reports);
		return true;
	}
	spool_reader_head(reports->reader, &key, &head);
	if (text_equal(chain_of_key(&key), reports->forked) && give_up_rest(reports, &head) < 0)
		return true;
	reports->hooks.forked(reports->hooks.context, reports->forked, reports->forked_detail);
	reports->forked[0] = '\0';
	enter_chain(reports);
	return false;
}

/* Nobody has the key of an older chain any more, so nothing of it can be verified. */
static int give_up_chain(struct audit_reports *reports)
{
	struct note_key key, newest;
	struct chain_head head;
	int r;

	spool_head(reports->spool, &newest, &head);
	spool_reader_head(reports->reader, &key, &head);
	if (text_equal(key.name, newest.name))
		return -EKEYREJECTED;
	log_error("events of the audit chain %s up to %" PRIu64 " are not sent: its key is lost", chain_of_key(&key),
		  head.sequence);
	r = spool_acknowledge(reports->reader, head.sequence + 1);
	if (r == 0)
		arm(reports, 0);
	return r;
}

static int on_time(sd_event_source *source, uint64_t usec, void *context)
{
	struct audit_reports *reports = context;
	int r = 0;

	reports->waits = false;
	if (!reports->http || !reports->reader || reports->transfer)
		return 0;
	if (is_chain_due(reports)) {
		reports_wait(reports, CHAIN_USEC);
		return 0;
	}
	if (!audit_body_is_made(&reports->body)) {
		if (has_left_chain(reports))
			enter_chain(reports);
		reports->look = false;
		r = make_body(reports);
	}
	if (r == -EAGAIN) {
		arm(reports, 0);
		return 0;
	}
	if (r == 1) {
		arm(reports, reports->greet_usec - MIN_OF(clock_boottime_usec(), reports->greet_usec));
		return 0;
	}
	if (r == 0)
		r = send_body(reports);
	if (r == -EKEYREJECTED && give_up_chain(reports) == 0)
		return 0;
	if (r < 0) {
		audit_body_clear(&reports->body);
		reports_note_problem(reports, "the spool cannot be read: %s", strerrordesc_np(-r));
		reports_wait_after_failure(reports, -1);
	}
	return 0;
}

void reports_hurry(struct audit_reports *reports, uint64_t usec)
{
	if (reports->http && !reports->waits && !reports->transfer)
		arm(reports, usec);
}

static int on_news(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct audit_reports *reports = context;

	spool_reader_rest(reports->reader);
	if (!reports->look)
		reports_hurry(reports, GATHER_USEC);
	reports->look = true;
	return 0;
}

/* ---- with whom -----------------------------------------------------------------------------------------------------
 */

static int open_reader(struct audit_reports *reports)
{
	int fd, r;

	if (reports->reader)
		return 0;
	r = spool_reader_open(reports->spool, AUDIT_CONSUMER, &reports->reader);
	if (r < 0)
		return r;
	fd = spool_reader_fd(reports->reader);
	return sd_event_add_io(reports->event, &reports->news, fd, EPOLLIN, on_news, reports);
}

static void close_reader(struct audit_reports *reports)
{
	reports->news = sd_event_source_disable_unref(reports->news);
	spool_reader_close(TAKE_PTR(reports->reader));
}

int audit_reports_connect(struct audit_reports *reports, struct http *http, const struct host_identity *identity)
{
	int r;

	audit_reports_disconnect(reports);
	r = open_reader(reports);
	if (r < 0) {
		close_reader(reports);
		reports_note_problem(reports, "the spool cannot be read: %s", strerrordesc_np(-r));
		return r;
	}
	reports->http = http;
	reports->identity = identity;
	reports->has_authority =
		note_key_parse(identity->authority, strlen(identity->authority), &reports->authority) == 0;
	(void)snprintf(reports->url, sizeof(reports->url), "%s/v1/hosts/self/audit", identity->url);
	enter_chain(reports);
	reports->bytes_max = REQUEST_BYTES_MAX;
	audit_reports_wake(reports);
	return 0;
}

void audit_reports_disconnect(struct audit_reports *reports)
{
	if (!reports)
		return;
	http_cancel(TAKE_PTR(reports->transfer));
	reports_keep_receipt(reports);
	(void)sd_event_source_set_enabled(reports->timer, SD_EVENT_OFF);
	audit_body_clear(&reports->body);
	reports->http = NULL;
	reports->identity = NULL;
	reports->waits = false;
	reports->greet_usec = 0;
	reports->backoff.failures = reports->refused = 0;
}

void audit_reports_leave(struct audit_reports *reports)
{
	int r;

	if (!reports)
		return;
	audit_reports_disconnect(reports);
	close_reader(reports);
	r = spool_reader_drop(reports->spool, AUDIT_CONSUMER);
	if (r < 0 && r != -ENOENT)
		log_error("the spool goes on keeping events for a control plane that this host has left: %s",
			  strerrordesc_np(-r));
	audit_receipt_wipe(reports->state_dir);
	reports->view.problem[0] = '\0';
}

void audit_reports_wake(struct audit_reports *reports)
{
	if (!reports)
		return;
	reports->waits = false;
	reports_hurry(reports, 0);
}

void audit_reports_view(const struct audit_reports *reports, struct audit_reports_view *ret)
{
	*ret = (struct audit_reports_view){0};
	if (!reports)
		return;
	*ret = reports->view;
	ret->connected = reports->http != NULL;
	ret->next = reports->reader ? spool_reader_next(reports->reader) : 0;
}

int audit_reports_new(sd_event *event, struct spool *spool, const char *state_dir, const struct seal_key *seal_key,
		      const struct audit_reports_hooks *hooks, struct audit_reports **ret)
{
	struct audit_reports *reports = calloc(1, sizeof(*reports));
	int r;

	if (!reports)
		return -ENOMEM;
	reports->event = sd_event_ref(event);
	reports->spool = spool;
	reports->state_dir = state_dir;
	reports->seal_key = seal_key;
	reports->hooks = *hooks;
	r = sd_event_add_time(event, &reports->timer, CLOCK_BOOTTIME, 0, USEC_PER_MSEC, on_time, reports);
	if (r >= 0)
		r = sd_event_source_set_enabled(reports->timer, SD_EVENT_OFF);
	if (r < 0) {
		audit_reports_free(reports);
		return r;
	}
	*ret = reports;
	return 0;
}

void audit_reports_free(struct audit_reports *reports)
{
	if (!reports)
		return;
	http_cancel(reports->transfer);
	reports_keep_receipt(reports);
	close_reader(reports);
	sd_event_source_disable_unref(reports->timer);
	sd_event_unref(reports->event);
	audit_body_clear(&reports->body);
	free(reports);
}
