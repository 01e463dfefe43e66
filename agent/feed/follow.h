/* SPDX-License-Identifier: MIT
 *
 * One feed: from the trust document that came with enrolment to units in force, and the state machine of docs/design.md
 * ("The feed"). Runs on the thread of feeds.c, on its sd-event loop. Verifies everything, keeps it sealed, verifies it
 * again at start. The last good picture stays whatever comes.
 */
#pragma once

#include <systemd/sd-event.h>

#include "directory/feed_picture.h"
#include "feed/feed.h"
#include "feed/feeds.h"
#include "http/http.h"

struct follow;
struct follow_hooks {
	const char *(*bearer)(void *context); /* the access token; NULL: there is none now, follow_wake comes with it */
	void (*rejected)(void *context);      /* the server refused that token (401): get another, then follow_wake */
	void (*changed)(void *context, struct follow *follow); /* units or view changed */
	void (*audit)(void *context, bool critical, const char *tenant_id, const char *fault, const char *detail);
	void (*disabled)(void *context, const char *reason); /* a signed revocation of this host */
	void *context;
};
struct follow_options {
	sd_event *event;
	struct http *http; /* NULL: from files only (follow_import) */
	const char *url;   /* base, without a slash at its end */
	const char *tenant_id, *host_id;
	const char *directory;           /* <state>/feeds/<tenant id>: made when it is not there */
	const struct seal_key *seal_key; /* NULL: nothing is kept (files only) */
	uint64_t max_records;            /* that come anew; 0: no limit but the format's */
	uint64_t first_delay_usec;       /* before the first connection: jitter of a host's start */
	const struct follow_hooks *hooks;
};
int follow_create(const struct follow_options *options, struct follow **ret);
void follow_free(struct follow *follow); /* takes NULL; what is kept stays */
/* What is kept, verified anew. 0; -ENOENT: nothing; -EBADMSG: QUARANTINE, nothing of it is used. */
int follow_load(struct follow *follow, struct problem *problem);
/* The first trust document (from enrolment), when nothing was kept. */
int follow_set_trust(struct follow *follow, const char *note, size_t length, struct problem *problem);
void follow_start(struct follow *follow);
void follow_wake(struct follow *follow); /* a token is there, or: try again now */
/* A folder as tenant-control export writes it: all rules hold. FEED_FINE also when it is what we have, or where the
 * feed is followed by network and has overtaken it. By files alone such a one is FEED_ROLLBACK, and changes nothing. */
enum feed_fault follow_import(struct follow *follow, const char *path, struct problem *problem);
/* The agent's word about the units given out last. */
void follow_applied(struct follow *follow, const struct problem *problem);
/* The records go, on disk too; how far the feed was stays, and whom it believed: it must not come back older, or as
 * somebody else's. */
void follow_retire(struct follow *follow);
void follow_wipe(struct follow *follow);                                /* forgets everything, on disk too */
const struct feed_trust *follow_trust(const struct follow *follow);     /* the newest trust document; NULL: none */
const struct feed_picture *follow_picture(const struct follow *follow); /* NULL: none */
void follow_view(const struct follow *follow, struct feed_view *ret);
