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
#include "feed/audit_answer.h"
#include "feed/audit_body.h"
#include "feed/audit_receipt.h"
#include "feed/backoff.h"

#define REQUEST_BYTES_MAX (2U * 1024 * 1024)
#define REQUEST_BYTES_LEAST (16U * 1024)
#define ANSWER_BYTES_MAX (64U * 1024)
#define GATHER_USEC (50 * USEC_PER_MSEC)   /* what comes together goes together */
#define BETWEEN_USEC (200 * USEC_PER_MSEC) /* where there is no backlog */
#define STILL_USEC (3600 * USEC_PER_SEC)   /* nothing new: where this host is, is said now and then */
#define REFUSED_USEC (600 * USEC_PER_SEC)  /* until what was refused as it stands is tried again */
#define CHAIN_USEC (200 * USEC_PER_MSEC)   /* between two looks whether another chain has begun */
#define FORK_USEC (600 * USEC_PER_SEC)     /* so far apart are two new chains, at least */
#define SHOWN_USEC (5 * USEC_PER_SEC)      /* so often receipts alone change the view */
#define KEPT_USEC (60 * USEC_PER_SEC)      /* between two receipts that are kept on disk */
#define PICKS 2U                           /* events of one request that are looked for in the log later */

struct audit_reports {
	sd_event *event;
	struct spool *spool;
	const char *state_dir;
	const struct seal_key *seal_key;
	struct spool_reader *reader;
	struct audit_reports_hooks hooks;
	sd_event_source *timer, *news;

	struct http *http; /* NULL: not connected */
	const struct host_identity *identity;
	struct note_key authority;
	bool has_authority;
	char url[600];

	char chain[CHAIN_ID_CHARS + 1]; /* whose events are sent */
	uint64_t next;           /* sent from here on; behind the reader's own place where there is no receipt yet */
	struct chain_head taken; /* as the last receipt of this chain had it; sequence 0: there is none */
	char *unkept;            /* the newest receipt, where it is not on disk yet */
	uint64_t kept_usec;      /* when one was put there */
	struct audit_body body;  /* the request under way, or to be sent again; empty: none */
	struct http_transfer *transfer;
	struct backoff backoff;
	uint32_t bytes_max;
	bool waits;      /* for better times: what is new does not hurry it */
	bool greeted;    /* told where this host is since it was connected */
	bool more;       /* something was left when the last request was made */
	bool look;       /* something new may be durable */
	uint64_t rolled; /* the control plane's place when it last fell behind its own receipt: told once */
	char forked[CHAIN_ID_CHARS + 1]; /* a chain that is to be given up; "" */
	char forked_detail[AUDIT_PROBLEM_MAX];
	uint64_t fork_again; /* CLOCK_BOOTTIME */
	unsigned refused;    /* the status of the last refusal: told once */
	char fault[32];      /* what was told last of answers that cannot be believed */
	struct audit_reports_view view;
	uint64_t shown_usec;
};

static void arm(struct audit_reports *reports, uint64_t usec)
{
	if (sd_event_source_set_time(reports->timer, clock_boottime_usec() + usec) >= 0)
		(void)sd_event_source_set_enabled(reports->timer, SD_EVENT_ONESHOT);
}

static void wait_longer(struct audit_reports *reports, uint64_t usec)
{
	reports->waits = true;
	arm(reports, usec);
}

static void wait_after_failure(struct audit_reports *reports, int64_t retry_after)
{
	wait_longer(reports, backoff_next(&reports->backoff, retry_after));
}

static void show(struct audit_reports *reports)
{
	reports->shown_usec = clock_boottime_usec();
	reports->hooks.changed(reports->hooks.context);
}

static void note_problem(struct audit_reports *reports, const char *format, ...) _printf_(2, 3);
static void note_problem(struct audit_reports *reports, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(reports->view.problem, sizeof(reports->view.problem), format, arguments);
	va_end(arguments);
	show(reports);
}

/* The answer is not what an honest control plane could say. Nothing is freed for it. */
static void refuse(struct audit_reports *reports, const char *fault, const char *detail)
{
	reports->view.refusals++;
	note_problem(reports, "%s", detail);
	if (!text_equal(reports->fault, fault)) {
		(void)snprintf(reports->fault, sizeof(reports->fault), "%s", fault);
		reports->hooks.refused(reports->hooks.context, fault, detail);
	}
	wait_longer(reports, MAX_OF(backoff_next(&reports->backoff, -1), BETWEEN_USEC));
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
	reports->rolled = 0;
	reports->greeted = false;
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
	int r = audit_body_make(&reports->body, reports->reader, reports->next, &reports->taken, reports->bytes_max);

	if (r < 0)
		return r;
	reports->more = r == 0;
	if (r == 0 || !reports->greeted)
		return 0;
	audit_body_clear(&reports->body);
	return 1;
}

static void on_done(void *context, const struct http_answer *answer);

static int send_body(struct audit_reports *reports)
{
	struct http_request request = {
		.method = "POST",
		.content_type = "application/octet-stream",
		.accept = "application/json",
		.limit = ANSWER_BYTES_MAX,
		.done = on_done,
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

/* Another chain is begun on the agent's loop. What the old one still has is given up then: the control plane can take
 * none of it, and the journal has it. */
static bool is_chain_due(struct audit_reports *reports)
{
	struct note_key key;
	struct chain_head head;

	if (!reports->forked[0])
		return false;
	spool_head(reports->spool, &key, &head);
	if (text_equal(chain_of_key(&key), reports->forked))
		return true;
	spool_reader_head(reports->reader, &key, &head);
	if (text_equal(chain_of_key(&key), reports->forked) &&
	    spool_acknowledge(reports->reader, head.sequence + 1) < 0)
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
		wait_longer(reports, CHAIN_USEC);
		return 0;
	}
	if (!audit_body_is_made(&reports->body)) {
		if (has_left_chain(reports))
			enter_chain(reports);
		reports->look = false;
		r = make_body(reports);
	}
	if (r == 1) {
		reports->greeted = false; /* in an hour it is said again */
		arm(reports, STILL_USEC + backoff_jitter(STILL_USEC));
		return 0;
	}
	if (r == 0)
		r = send_body(reports);
	if (r == -EKEYREJECTED && give_up_chain(reports) == 0)
		return 0;
	if (r < 0) {
		audit_body_clear(&reports->body);
		note_problem(reports, "the spool cannot be read: %s", strerrordesc_np(-r));
		wait_after_failure(reports, -1);
	}
	return 0;
}

static void hurry(struct audit_reports *reports, uint64_t usec)
{
	if (reports->http && !reports->waits && !reports->transfer)
		arm(reports, usec);
}

static int on_news(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct audit_reports *reports = context;

	spool_reader_rest(reports->reader);
	if (!reports->look)
		hurry(reports, GATHER_USEC);
	reports->look = true;
	return 0;
}

/* ---- what comes back -----------------------------------------------------------------------------------------------
 */

/* Whoever withholds events cannot know which ones will be asked for. */
static void pick(struct audit_reports *reports, uint64_t first, uint64_t past)
{
	for (unsigned i = 0; i < PICKS && past > first; i++) {
		struct group_record record;

		if (audit_body_record(&reports->body, first + backoff_jitter(past - first - 1), &record) == 0)
			reports->hooks.taken(reports->hooks.context, &record);
	}
}

static void keep_receipt(struct audit_reports *reports)
{
	int r;

	if (!reports->unkept)
		return;
	r = audit_receipt_store(reports->state_dir, reports->seal_key, reports->unkept);
	if (r < 0)
		log_error("the last receipt of the control plane cannot be kept in %s: %s", reports->state_dir,
			  strerrordesc_np(-r));
	reports->kept_usec = clock_boottime_usec();
	free(TAKE_PTR(reports->unkept));
}

static void take_receipt(struct audit_reports *reports, const struct receipt *receipt, const char *note)
{
	uint64_t next = receipt->head.sequence + 1;
	int r = 0;

	if (next > spool_reader_next(reports->reader))
		r = spool_acknowledge(reports->reader, next);
	if (r < 0) { /* it is sent once more, then, and taken without effect */
		note_problem(reports, "what the control plane has taken cannot be noted down: %s", strerrordesc_np(-r));
		wait_after_failure(reports, -1);
		return;
	}
	reports->view.sent += next - MIN_OF(next, reports->next);
	reports->view.receipts++;
	reports->view.last_receipt = clock_realtime_sec();
	if (reports->view.problem[0] || clock_boottime_usec() >= reports->shown_usec + SHOWN_USEC)
		show(reports);
	reports->view.problem[0] = reports->fault[0] = '\0';
	reports->backoff.failures = reports->refused = 0;
	reports->bytes_max = REQUEST_BYTES_MAX;
	pick(reports, MAX_OF(reports->body.first, reports->next), MIN_OF(reports->body.past, next));
	reports->next = next;
	reports->taken = receipt->head;
	free(reports->unkept);
	reports->unkept = strdup(note);
	if (clock_boottime_usec() >= reports->kept_usec + KEPT_USEC)
		keep_receipt(reports);
	reports->greeted = true;
	audit_body_clear(&reports->body);
	if (reports->more)
		hurry(reports, 0); /* a backlog waits for nothing */
	else
		hurry(reports, BETWEEN_USEC);
}

/* ---- where the two do not agree
 * ---------------------------------------------------------------------------------------
 */

static void fork_chain(struct audit_reports *reports, const char *detail)
{
	uint64_t now = clock_boottime_usec();

	note_problem(reports, "%s", detail);
	if (now < reports->fork_again) { /* it would only go on like that */
		wait_longer(reports, reports->fork_again - now);
		return;
	}
	reports->fork_again = now + FORK_USEC;
	reports->view.forks++;
	(void)snprintf(reports->forked, sizeof(reports->forked), "%s", reports->body.chain);
	(void)snprintf(reports->forked_detail, sizeof(reports->forked_detail), "%.*s",
		       (int)sizeof(reports->forked_detail) - 1, detail);
	reports->hooks.end_chain(reports->hooks.context, reports->body.chain, detail);
	audit_body_clear(&reports->body);
	wait_longer(reports, CHAIN_USEC);
}

/* It had more than that once, and said so under the authority's key. */
static void note_rollback(struct audit_reports *reports, const struct audit_answer *said)
{
	char detail[256];

	if (said->next > reports->taken.sequence || said->next == reports->rolled)
		return;
	reports->rolled = said->next;
	(void)snprintf(detail, sizeof(detail),
		       "the control plane is at event %" PRIu64
		       " of this host's chain and gave a receipt up to %" PRIu64,
		       said->next - 1, reports->taken.sequence);
	reports->view.refusals++;
	reports->hooks.refused(reports->hooks.context, "audit-rollback", detail);
}

/* On from where the control plane is, if this host was there, too. */
static void go_where_it_is(struct audit_reports *reports, const struct audit_answer *said, int64_t retry_after)
{
	char detail[256] = "the control plane takes nothing more of this host's chain: it has another history of it";
	struct tlog_hash own;
	struct note_key key;
	struct chain_head head;
	bool forked = said->forked;
	int r = audit_place_hash(reports->reader, &reports->taken, said->next - 1, &own);

	spool_reader_head(reports->reader, &key, &head);
	if (said->next - 1 > head.sequence && r != 0) {
		forked = true;
		(void)snprintf(detail, sizeof(detail),
			       "the control plane has this host's chain up to event %" PRIu64
			       ", and here it ends at %" PRIu64,
			       said->next - 1, head.sequence);
	} else if (r == 0 && !tlog_hash_equal(&own, &said->hash)) {
		forked = true;
		(void)snprintf(detail, sizeof(detail),
			       "the control plane has another event %" PRIu64
			       " of this host's chain than this host has",
			       said->next - 1);
	}
	if (forked) {
		fork_chain(reports, detail);
		return;
	}
	if (r < 0 && r != -ENODATA) {
		note_problem(reports, "the spool cannot be read: %s", strerrordesc_np(-r));
		wait_after_failure(reports, retry_after);
		return;
	}
	note_rollback(reports, said);
	/* The same place twice: it will not be moved by sending the same again and again. */
	if (said->next == reports->next)
		wait_after_failure(reports, retry_after);
	reports->next = said->next;
	reports->greeted = false;
	audit_body_clear(&reports->body);
	hurry(reports, 0);
}

static void on_taken(struct audit_reports *reports, const struct http_answer *answer)
{
	_cleanup_(json_decrefp) json_t *json = NULL;
	struct audit_answer said = {0};
	struct receipt receipt;
	struct problem problem = {0};
	int r = audit_answer_read(answer->body, answer->length, &json, &said);

	if (r < 0) {
		refuse(reports, "audit-answer", "the control plane's answer to audit events is not of the form");
		return;
	}
	r = audit_answer_receipt(&said, &reports->body, reports->has_authority ? &reports->authority : NULL,
				 reports->identity->host_id, &receipt, &problem);
	if (r == 0)
		take_receipt(reports, &receipt, said.receipt);
	else if (r == -ESTALE) /* this host was set back */
		fork_chain(reports, problem.text);
	else if (r == -ERANGE)
		go_where_it_is(reports, &said, answer->retry_after);
	else
		refuse(reports, "audit-receipt", problem.text);
}

/* 409: it says where it is. */
static void on_conflict(struct audit_reports *reports, const struct http_answer *answer)
{
	_cleanup_(json_decrefp) json_t *json = NULL;
	struct audit_answer said = {0};

	if (audit_answer_read(answer->body, answer->length, &json, &said) < 0)
		refuse(reports, "audit-answer", "the control plane's answer to audit events is not of the form");
	else
		go_where_it_is(reports, &said, answer->retry_after);
}

static void on_refused(struct audit_reports *reports, const struct http_answer *answer)
{
	if (answer->status != reports->refused)
		log_warning("the control plane does not take audit events (status %u)", answer->status);
	reports->refused = answer->status;
	reports->view.refusals++;
	note_problem(reports, "the control plane does not take audit events (status %u)", answer->status);
	audit_body_clear(&reports->body);
	wait_longer(reports, REFUSED_USEC + backoff_jitter(REFUSED_USEC));
}

static void on_done(void *context, const struct http_answer *answer)
{
	struct audit_reports *reports = context;

	reports->transfer = NULL;
	if (answer->fault != HTTP_FINE) {
		/* It may have been taken or not: the same bytes once more do no harm. */
		note_problem(reports, "the control plane: %s", http_fault_text(answer->fault));
		wait_after_failure(reports, answer->retry_after);
	} else if (answer->status >= 500 || answer->status == 429) {
		note_problem(reports, "the control plane takes no audit events now (status %u)", answer->status);
		wait_after_failure(reports, answer->retry_after);
	} else if (answer->status == 200) {
		on_taken(reports, answer);
	} else if (answer->status == 409) {
		on_conflict(reports, answer);
	} else if (answer->status == 401) { /* goes on when there is another token */
		reports->waits = true;
		reports->hooks.rejected(reports->hooks.context);
	} else if (answer->status == 413 && reports->bytes_max > REQUEST_BYTES_LEAST) {
		reports->bytes_max /= 2;
		audit_body_clear(&reports->body);
		hurry(reports, 0);
	} else {
		on_refused(reports, answer);
	}
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
		note_problem(reports, "the spool cannot be read: %s", strerrordesc_np(-r));
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
	keep_receipt(reports);
	(void)sd_event_source_set_enabled(reports->timer, SD_EVENT_OFF);
	audit_body_clear(&reports->body);
	reports->http = NULL;
	reports->identity = NULL;
	reports->waits = reports->greeted = false;
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
	hurry(reports, 0);
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
	keep_receipt(reports);
	close_reader(reports);
	sd_event_source_disable_unref(reports->timer);
	sd_event_unref(reports->event);
	audit_body_clear(&reports->body);
	free(reports);
}
