/* SPDX-License-Identifier: MIT
 *
 * The parts of one feed's follower:
 *
 *     follow.c         the state machine, its timers, and what others call
 *     follow_fetch.c   trust documents, snapshot note and snapshot from the control plane
 *     follow_stream.c  the stream of events and long polling
 *     follow_head.c    a head: what it brings into force, keeps on disk and acknowledges
 *     follow_load.c    what was kept, and folders of files
 */
#pragma once

#include "base/clock.h"
#include "feed/backoff.h"
#include "feed/follow.h"
#include "feed/line.h"
#include "feed/store.h"
#include "http/sse.h"

#define FOLLOW_URL_MAX 1024U

/* What a transfer's callback found, for the moment when the transfer is over. */
struct follow_refusal {
	enum feed_fault fault;
	struct problem problem;
	int disk; /* negative errno: what came could not be kept */
};

struct follow {
	sd_event *event;
	struct http *http;
	char *url, *tenant_id, *host_id;
	const struct follow_hooks *hooks;
	struct feed_store *store;
	uint64_t first_delay, max_records;

	enum feed_state state;
	char problem[FEED_PROBLEM_MAX], fault[32];
	int64_t last_contact;
	bool from_file, started;

	/* What is believed and kept. */
	struct feed_state_file kept;
	struct feed_trust trust;
	struct feed_head head;
	bool has_trust, has_head;
	uint64_t fresh_until, saved_at;
	int64_t ahead;       /* of CLOCK_BOOTTIME, in seconds: when heads were issued, at the most */
	uint64_t generation; /* the one in force; what is being written is the next, over what came of it before */
	int unsaved;         /* an errno: what is in force is not all on disk; tried again with each head. 0: it is */
	bool gap;            /* deltas are missing there: only a newer snapshot mends that */

	struct feed_line *line; /* in force; NULL: nothing yet */
	struct feed_line *next; /* takes its place with the next head */
	struct feed_run run;    /* behind next, or else line */

	/* What goes on with the control plane. */
	sd_event_source *timer, *stale_timer;
	struct http_transfer *transfer, *ack;
	struct follow_refusal refusal;
	struct backoff backoff;
	bool waiting;      /* for a token */
	bool resync;       /* line cannot go on: a snapshot is needed */
	bool refresh;      /* line could go on, but is long or not all on disk: a newer snapshot would do */
	bool walk, walked; /* look for newer trust documents; was done for this connection */
	bool no_trust;     /* asked for one after ours, and there was none; until there is news */
	uint64_t no_refresh_before;
	uint64_t no_mend_before, mend_pause; /* of a gap on disk */

	struct sse_reader sse;
	bool streaming, polling;
	bool busy, wipe_due; /* inside the stream's callback: what would pull it away waits for its end */
	unsigned fruitless, polls;
	bool heard, news;              /* a good head in this stream; one with something new */
	uint64_t opened_at, last_byte; /* CLOCK_BOOTTIME */
	int64_t drain;                 /* milliseconds; -1: not asked to go */
	struct buffer piece;           /* of a snapshot, until it is worth sealing */

	bool ack_due, ack_ready; /* something to say; it is on disk and the agent has it */
	uint64_t ack_epoch, ack_revision;
	char ack_error[FEED_PROBLEM_MAX]; /* "": applied */
};

/* follow.c */
void follow_set_state(struct follow *follow, enum feed_state state);
void follow_note_problem(struct follow *follow, const char *fault, const char *text);
void follow_changed(struct follow *follow);
void follow_lose_connection(struct follow *follow); /* the states that mean connected end */
void follow_connect_in(struct follow *follow, uint64_t usec);
void follow_refused(struct follow *follow, enum feed_fault fault, const struct problem *problem);
/* An answer that is not what was asked for: faults, statuses. */
void follow_failed(struct follow *follow, const struct http_answer *answer);
void follow_drop_next(struct follow *follow);
void follow_watch_freshness(struct follow *follow);
int follow_url(const struct follow *follow, char out[FOLLOW_URL_MAX], const char *format, ...) _printf_(3, 4);
/* Ends the one transfer, if there is one, with what came of it; the next one begins soon. Not from a callback. */
void follow_break_off(struct follow *follow);
/* Starts the one transfer; on failure the next try is timed already. */
void follow_request(struct follow *follow, const struct http_request *request);

/* follow_fetch.c */
void follow_fetch_trust(struct follow *follow);
void follow_fetch_snapshot(struct follow *follow);
/* A newer trust document. FEED_ROLLBACK for the very one we have is FEED_FINE. */
enum feed_fault follow_take_trust(struct follow *follow, const char *note, size_t length, struct problem *problem);

/* follow_stream.c */
void follow_stream(struct follow *follow);
uint64_t follow_stream_deadline(const struct follow *follow);

/* follow_head.c */
enum feed_fault follow_take_head(struct follow *follow, const char *note, size_t length, bool from_folder,
				 struct problem *problem);
void follow_send_ack(struct follow *follow);
void follow_refuse_ack(struct follow *follow, uint64_t revision, const struct problem *problem);
int follow_save(struct follow *follow);
void follow_note_time(struct follow *follow, const struct feed_head *head); /* before it is the last head */

/* follow_load.c */
uint64_t follow_fresh_until(const struct feed_head *head, uint64_t boot_now, int64_t now);
