/* SPDX-License-Identifier: MIT
 *
 * What the control plane answers to audit events.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "feed/audit_receipt.h"
#include "feed/audit_report_internal.h"

#define REQUEST_BYTES_LEAST (16U * 1024)
#define BETWEEN_USEC (200 * USEC_PER_MSEC) /* where there is no backlog */
#define REFUSED_USEC (600 * USEC_PER_SEC)  /* until what was refused as it stands is tried again */
#define FORK_USEC (600 * USEC_PER_SEC)     /* so far apart are two new chains, at least */
#define SHOWN_USEC (5 * USEC_PER_SEC)      /* so often receipts alone change the view */
#define KEPT_USEC (60 * USEC_PER_SEC)      /* between two receipts that are kept on disk */
#define MOVES 2U                           /* from place to place, until there is a wait between them */
#define PICKS 2U                           /* events of one request that are looked for in the log later */

/* The answer is not what an honest control plane could say. Nothing is freed for it. */
static void refuse(struct audit_reports *reports, const char *fault, const char *detail)
{
	reports->view.refusals++;
	reports_note_problem(reports, "%s", detail);
	if (!text_equal(reports->fault, fault)) {
		(void)snprintf(reports->fault, sizeof(reports->fault), "%s", fault);
		reports->hooks.refused(reports->hooks.context, fault, detail);
	}
	reports_wait(reports, MAX_OF(backoff_next(&reports->backoff, -1), BETWEEN_USEC));
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

void reports_keep_receipt(struct audit_reports *reports)
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
	bool moved = next > reports->next || !reports->more;
	int r = 0;

	if (next > spool_reader_next(reports->reader))
		r = spool_acknowledge(reports->reader, next);
	if (r < 0) { /* it is sent once more, then, and taken without effect */
		reports_note_problem(reports, "what the control plane has taken cannot be noted down: %s",
				     strerrordesc_np(-r));
		reports_wait_after_failure(reports, -1);
		return;
	}
	reports->view.sent += next - MIN_OF(next, reports->next);
	reports->view.receipts++;
	reports->view.last_receipt = clock_realtime_sec();
	if (reports->view.problem[0] || clock_boottime_usec() >= reports->shown_usec + SHOWN_USEC)
		reports_show(reports);
	reports->view.problem[0] = reports->fault[0] = '\0';
	reports->refused = 0;
	if (moved)
		reports->backoff.failures = reports->moves = 0;
	reports->bytes_max = REQUEST_BYTES_MAX;
	pick(reports, MAX_OF(reports->body.first, reports->next), MIN_OF(reports->body.past, next));
	reports->next = next;
	reports->taken = receipt->head;
	free(reports->unkept);
	reports->unkept = strdup(note);
	if (clock_boottime_usec() >= reports->kept_usec + KEPT_USEC)
		reports_keep_receipt(reports);
	reports->greet_usec = clock_boottime_usec() + STILL_USEC + backoff_jitter(STILL_USEC);
	audit_body_clear(&reports->body);
	if (!moved)
		reports_wait_after_failure(reports, -1); /* it took none of what was sent, and says so */
	else if (reports->more)
		reports_hurry(reports, 0); /* a backlog waits for nothing */
	else
		reports_hurry(reports, BETWEEN_USEC);
}

/* ---- where the two do not agree
 * ---------------------------------------------------------------------------------------
 */

static void fork_chain(struct audit_reports *reports, const char *detail)
{
	uint64_t now = clock_boottime_usec();

	reports_note_problem(reports, "%s", detail);
	if (now < reports->fork_again) { /* it would only go on like that */
		reports_wait(reports, reports->fork_again - now);
		return;
	}
	reports->fork_again = now + FORK_USEC;
	reports->view.forks++;
	(void)snprintf(reports->forked, sizeof(reports->forked), "%s", reports->body.chain);
	(void)snprintf(reports->forked_detail, sizeof(reports->forked_detail), "%.*s",
		       (int)sizeof(reports->forked_detail) - 1, detail);
	reports->end_again = 0;
	reports_end_chain(reports);
	audit_body_clear(&reports->body);
	reports_wait(reports, CHAIN_USEC);
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
		reports_note_problem(reports, "the spool cannot be read: %s", strerrordesc_np(-r));
		reports_wait_after_failure(reports, retry_after);
		return;
	}
	note_rollback(reports, said);
	/* The same place twice, or one after the other without anything that is taken: it will not be moved by sending
	 * again and again. */
	if (said->next == reports->next || ++reports->moves > MOVES)
		reports_wait_after_failure(reports, retry_after);
	reports->next = said->next;
	reports->greet_usec = 0;
	audit_body_clear(&reports->body);
	reports_hurry(reports, 0);
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
	reports_note_problem(reports, "the control plane does not take audit events (status %u)", answer->status);
	audit_body_clear(&reports->body);
	reports_wait(reports, REFUSED_USEC + backoff_jitter(REFUSED_USEC));
}

void reports_on_done(void *context, const struct http_answer *answer)
{
	struct audit_reports *reports = context;

	reports->transfer = NULL;
	if (answer->fault != HTTP_FINE) {
		/* It may have been taken or not: the same bytes once more do no harm. */
		reports_note_problem(reports, "the control plane: %s", http_fault_text(answer->fault));
		reports_wait_after_failure(reports, answer->retry_after);
	} else if (answer->status >= 500 || answer->status == 429) {
		reports_note_problem(reports, "the control plane takes no audit events now (status %u)",
				     answer->status);
		reports_wait_after_failure(reports, answer->retry_after);
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
		reports_hurry(reports, 0);
	} else {
		on_refused(reports, answer);
	}
}
