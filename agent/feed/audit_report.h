/* SPDX-License-Identifier: MIT
 *
 * Brings what the spool holds to the control plane (docs/audit-log.md, "Sending and receipts"): group by group, in
 * order, one request at a time, each kept as it is until it is answered. Only a receipt of the platform's authority
 * frees what was sent. Where the two histories do not agree, it says so; it never makes one out of the other.
 */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "crypto/note.h"
#include "feed/audit_view.h"
#include "feed/host.h"
#include "http/http.h"
#include "spool/spool.h"
#include "trail/chain.h"

#define AUDIT_CONSUMER "control-plane" /* the spool's consumer */

struct audit_reports;
struct audit_reports_hooks {
	const char *(*bearer)(void *context); /* the access token; NULL: none now, audit_reports_wake comes with it */
	void (*rejected)(void *context);      /* the control plane refused it */
	/* A few of those for which there is a receipt now, picked so that nobody can foresee which. */
	void (*taken)(void *context, const struct group_record *record);
	/* The control plane has another history of this chain: begin another one (spool_begin_chain), and when that has
	 * begun, so that it stands in there, tell of it. */
	void (*end_chain)(void *context, const char *chain, const char *detail);
	void (*forked)(void *context, const char *chain, const char *detail);
	/* What it says cannot be, or was not signed by the authority: `fault` is a word. Once until it changes. */
	void (*refused)(void *context, const char *fault, const char *detail);
	void (*changed)(void *context); /* what audit_reports_view says; not for each receipt */
	void *context;
};
/* In `state_dir`, sealed, lies the last receipt. All are borrowed. */
int audit_reports_new(sd_event *event, struct spool *spool, const char *state_dir, const struct seal_key *seal_key,
		      const struct audit_reports_hooks *hooks, struct audit_reports **ret);
void audit_reports_free(struct audit_reports *reports); /* takes NULL; what is not acknowledged is kept on */

/* To whom, as whom, and whose receipts count. All are borrowed until audit_reports_disconnect. */
int audit_reports_connect(struct audit_reports *reports, struct http *http, const struct host_identity *identity);
void audit_reports_disconnect(struct audit_reports *reports); /* takes NULL */
/* This host belongs to no control plane: nothing is kept for one. */
void audit_reports_leave(struct audit_reports *reports); /* takes NULL */
/* There is an access token (again), or the control plane was heard of otherwise: what waits need not wait longer. */
void audit_reports_wake(struct audit_reports *reports); /* takes NULL */

void audit_reports_view(const struct audit_reports *reports, struct audit_reports_view *ret); /* takes NULL */
