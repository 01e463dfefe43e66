/* SPDX-License-Identifier: MIT
 *
 * Tells the control plane which sessions there are on this host, of each tenant whose feed it follows apart: all of
 * them once, and from then on what changed, as many changes together as came in the meantime. A part that was sent is
 * kept as it is until it is answered, so none is lost and none counts twice; where the two do not agree any more, the
 * list begins anew. Nothing on the host depends on it.
 */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "http/http.h"

struct session_reports;
struct session_reports_hooks {
	const char *(*bearer)(void *context); /* the access token; NULL: none now, session_reports_wake comes with it */
	void (*rejected)(void *context);      /* the control plane refused it */
	void *context;
};
int session_reports_new(sd_event *event, const struct session_reports_hooks *hooks, struct session_reports **ret);
void session_reports_free(struct session_reports *reports); /* takes NULL */

/* A session is as `line` says (session_line.h; copied), from now on. -ENOMEM: it was not noted down. */
int session_reports_put(struct session_reports *reports, const char *tenant_id, const char *id, const char *line);
void session_reports_gone(struct session_reports *reports, const char *id);

/* Whom to tell. Both are borrowed until session_reports_disconnect. */
void session_reports_connect(struct session_reports *reports, struct http *http, const char *url);
void session_reports_disconnect(struct session_reports *reports); /* takes NULL */
/* Is the tenant's feed followed? Only then it is told of its sessions. */
void session_reports_follow(struct session_reports *reports, const char *tenant_id, bool followed);
/* There is an access token (again), or the control plane was heard of otherwise: what waits need not wait longer. */
void session_reports_wake(struct session_reports *reports);
