/* SPDX-License-Identifier: MIT
 *
 * A control plane for tests of the agent: a real HTTP server (loopback, plain) in this process that enrols a host,
 * gives out access tokens and serves feeds that it signs with lib/feed. It misbehaves on demand. Everything may be
 * called from the test's thread at any time; what cannot be done fails the test.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "../fakes/fake_tls.h"
#include "base/buffer.h"
#include "feed/feed.h"

struct fake_control;
struct fake_feed;

struct fake_control *fake_control_start(void);
struct fake_control *fake_control_start_tls(const struct fake_tls *tls); /* made for 127.0.0.1; borrowed */
void fake_control_stop(struct fake_control *control);
const char *fake_control_url(const struct fake_control *control);
const char *fake_control_token(const struct fake_control *control);   /* enrols; good any number of times */
const char *fake_control_host_id(const struct fake_control *control); /* "hst_…": what enrolment answers */
/* No enrolment: this access token is good from the start. */
const char *fake_control_bearer(const struct fake_control *control);
void fake_control_set_expires_in(struct fake_control *control, int64_t seconds); /* of the tokens given out later */
void fake_control_forget_tokens(struct fake_control *control);                   /* 401 for all given out so far */
void fake_control_set_disabled(struct fake_control *control, bool disabled);     /* in hosts/self */

/* What the answers about tenants (hosts/self, enrolment) do from now on. */
enum fake_lie {
	FAKE_HONEST,
	FAKE_UNSIGNED,     /* no note */
	FAKE_STRANGER,     /* signed by another key of the same name */
	FAKE_TORN,         /* the signature is of another text */
	FAKE_OTHER_HOST,   /* a good note about another host */
	FAKE_OLDER,        /* a good note, and one version behind */
	FAKE_SAME_VERSION, /* a good note with other content and the version of before */
	FAKE_OTHER_TRUST,  /* trust documents by keys of somebody's own, under the good note */
	FAKE_MORE,         /* a tenant that the good note does not have */
	FAKE_NO_TENANTS,   /* none, under the good note */
};
void fake_control_lie(struct fake_control *control, enum fake_lie lie);

/* The token endpoint answers 403 from now on, with a note that is as `lie` has it: honest, unsigned, of a stranger,
 * torn, of another host; FAKE_OLDER: for a key that this host had before; FAKE_NO_TENANTS: without any. */
void fake_control_disable(struct fake_control *control, enum fake_lie lie);

/* The next `times` requests "METHOD /path" (a prefix of it, with a line end all of it; -1: all from now on) get this
 * instead; later ones take the place of earlier. Status 0: the connection is cut. `headers`: NULL or one "Name: value".
 */
void fake_control_answer(struct fake_control *control, const char *request, int times, unsigned status,
			 const char *header, const void *body, size_t length);
void fake_control_end_answers(struct fake_control *control); /* none of these any more */
/* Requests that came and begin with this; waits until there are so many (10 s). */
unsigned fake_control_count(struct fake_control *control, const char *request);
void fake_control_wait(struct fake_control *control, const char *request, unsigned wanted);
/* The body of the last one that begins with this. */
void fake_control_body(struct fake_control *control, const char *request, char *out, size_t size);

/* A tenant that the host serves, with a feed at epoch 1 and revision 1: the tenant's record, with the given block of
 * ids, in a snapshot. */
struct fake_feed *fake_control_add_feed(struct fake_control *control, const char *tenant_id, const char *slug,
					uint32_t first_id);
void fake_control_drop_feed(struct fake_feed *feed);               /* the host serves it no more: 404 */
void fake_control_set_served(struct fake_feed *feed, bool served); /* its streams go on */
const char *fake_feed_origin(const struct fake_feed *feed);
/* The newest: trust document, head, snapshot note, its bytes, as they are served. `out` is appended to. */
void fake_feed_trust(struct fake_feed *feed, struct buffer *out);
void fake_feed_head(struct fake_feed *feed, struct buffer *out);
void fake_feed_snapshot(struct fake_feed *feed, struct buffer *note, struct buffer *bytes);
uint64_t fake_feed_revision(struct fake_feed *feed);

/* One operation of the next revision. `body` NULL: a delete. */
void fake_feed_put(struct fake_feed *feed, const char *kind, const char *id, uint64_t version, const char *body);
void fake_feed_revoke(struct fake_feed *feed, const char *kind, const char *id, uint64_t version, const char *body);
/* Publishes them: delta, chain, head, to all streams. */
void fake_feed_commit(struct fake_feed *feed);
void fake_feed_renew(struct fake_feed *feed);                         /* a new head for the same revision */
void fake_feed_set_lifetime(struct fake_feed *feed, int64_t seconds); /* of the heads signed later */
void fake_feed_make_snapshot(struct fake_feed *feed);                 /* of what is there now */
void fake_feed_forget_deltas(struct fake_feed *feed);                 /* 410 for resuming before the newest */
void fake_feed_rotate_key(struct fake_feed *feed);                    /* a new trust document, to the streams too */
void fake_feed_new_epoch(struct fake_feed *feed);                     /* a life from revision 0; records stay */

/* Any event, to the streams that are there. */
void fake_feed_send(struct fake_feed *feed, const char *event, const char *data);
void fake_feed_end_streams(struct fake_feed *feed);
void fake_feed_set_silent(struct fake_feed *feed, bool silent); /* streams stay and say nothing */
unsigned fake_feed_streams(struct fake_feed *feed);
void fake_feed_wait_streams(struct fake_feed *feed, unsigned wanted); /* exactly so many (10 s) */
/* Signs a head as a test wants it, by the feed's key. */
void fake_feed_sign_head(struct fake_feed *feed, const struct feed_head *head, struct buffer *out);
void fake_feed_current(struct fake_feed *feed, struct feed_head *out);
/* Writes a folder as tenant-control export does. */
void fake_feed_export(struct fake_feed *feed, const char *folder);
