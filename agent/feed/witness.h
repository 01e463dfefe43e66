/* SPDX-License-Identifier: MIT
 *
 * This host as a witness of the platform's log and of those of its tenants (docs/audit-log.md, "Witnesses"): looks now
 * and then whether each still is the log that it was, and whether what was sent is in it, cosigns what is in order, and
 * tells of what cannot be. Nothing else on the host depends on it.
 */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "crypto/seal.h"
#include "feed/audit_view.h"
#include "feed/feed.h"
#include "feed/host.h"
#include "http/http.h"
#include "spool/spool.h"
#include "trail/chain.h"

struct witness;
struct witness_hooks {
	const char *(*bearer)(void *context); /* the access token; NULL: none now, witness_wake comes with it */
	void (*rejected)(void *context);      /* the control plane refused it */
	/* The tenant's newest trust document; NULL: none is known. */
	const struct feed_trust *(*trust)(void *context, const char *tenant_id);
	/* A log was rewritten, cut short, shown in two forms, or lacks what it has a receipt for: `change` is a word
	 * (witness_log.h), `data` a JSON object of both checkpoints. Once, and once an hour while it is so. tenant_id
	 * "": the platform's. */
	void (*forked)(void *context, const char *tenant_id, const char *origin, const char *change, const char *detail,
		       const char *data);
	/* What was seen last; hourly where there is something new. */
	void (*seen)(void *context, const char *tenant_id, const char *origin, const char *detail, const char *data);
	/* What came proves nothing: not of the form, or signed by nobody who is known here. Once until it changes. */
	void (*refused)(void *context, const char *tenant_id, const char *fault, const char *detail);
	void (*changed)(void *context); /* what witness_view says */
	void *context;
};
struct witness_options {
	const char *state_dir;
	const struct seal_key *seal_key; /* NULL: what was seen is not kept over restarts */
	struct spool *spool;             /* NULL: nothing is cosigned */
	uint64_t every_usec;  /* between two looks at one log, and half as much again at random; 0: a minute */
	uint64_t settle_usec; /* so long an event may take from its receipt into the log; 0: five minutes */
};
int witness_new(sd_event *event, const struct witness_options *options, const struct witness_hooks *hooks,
		struct witness **ret);
void witness_free(struct witness *witness); /* takes NULL */

/* All are borrowed until witness_disconnect. */
void witness_connect(struct witness *witness, struct http *http, const struct host_identity *identity);
void witness_disconnect(struct witness *witness); /* takes NULL */
void witness_leave(struct witness *witness); /* forgets what it has seen: this host has no control plane. Takes NULL */
/* Is the tenant's feed followed? Only then its log is looked at; what was seen of it is kept otherwise. */
void witness_follow(struct witness *witness, const char *tenant_id, bool followed);
void witness_wake(struct witness *witness);
/* There is a receipt for this event of this host. */
void witness_taken(struct witness *witness, const struct group_record *record);

void witness_view(const struct witness *witness, struct witness_view *ret); /* takes NULL */
