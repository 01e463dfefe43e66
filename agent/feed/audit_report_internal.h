/* SPDX-License-Identifier: MIT
 *
 * What audit_report.c (with whom, and what is sent) and audit_report_answer.c (what comes back) share.
 */
#pragma once

#include "feed/audit_answer.h"
#include "feed/audit_body.h"
#include "feed/audit_report.h"
#include "feed/backoff.h"

#define REQUEST_BYTES_MAX (2U * 1024 * 1024)
#define STILL_USEC (3600 * USEC_PER_SEC) /* nothing new: where this host is, is said now and then */
#define CHAIN_USEC (200 * USEC_PER_MSEC) /* between two looks whether another chain has begun */

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
	struct audit_body_skip skip; /* of this chain */
	struct audit_body body;      /* the request under way, or to be sent again; empty: none */
	struct http_transfer *transfer;
	struct backoff backoff;
	uint32_t bytes_max;
	bool waits;          /* for better times: what is new does not hurry it */
	uint64_t greet_usec; /* CLOCK_BOOTTIME when it is said where this host is, with nothing new; 0: at once */
	bool more;           /* something was left when the last request was made */
	bool look;           /* something new may be durable */
	unsigned moves;      /* from one place to another that it said, since something was taken */
	uint64_t rolled;     /* the control plane's place when it last fell behind its own receipt: told once */
	char forked[CHAIN_ID_CHARS + 1]; /* a chain that is to be given up; "" */
	char forked_detail[AUDIT_PROBLEM_MAX];
	uint64_t fork_again; /* CLOCK_BOOTTIME */
	uint64_t end_again;  /* when the new chain is asked for once more */
	unsigned refused;    /* the status of the last refusal: told once */
	char fault[32];      /* what was told last of answers that cannot be believed */
	struct audit_reports_view view;
	uint64_t shown_usec;
};

/* audit_report.c */
void reports_show(struct audit_reports *reports); /* the view changed */
void reports_note_problem(struct audit_reports *reports, const char *format, ...) _printf_(2, 3);
void reports_hurry(struct audit_reports *reports, uint64_t usec); /* unless it waits for better times */
void reports_wait(struct audit_reports *reports, uint64_t usec);  /* for them */
void reports_end_chain(struct audit_reports *reports);            /* asks for another one, in place of `forked` */
void reports_wait_after_failure(struct audit_reports *reports, int64_t retry_after);

/* audit_report_answer.c */
void reports_on_done(void *context, const struct http_answer *answer);
void reports_keep_receipt(struct audit_reports *reports); /* the newest one, on disk */
