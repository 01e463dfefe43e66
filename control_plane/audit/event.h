/* SPDX-License-Identifier: MIT
 *
 * The control plane's own events as records of the audit log (docs/audit-log.md, "A record"): an OCSF object in which
 * people are ids, and beside it what is personal, by person. Who writes down what a request did uses api/events.h.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct app;
struct db_tx;

/* The actor of what the program does by itself. */
#define EVENT_OWN_ACTOR "tenant-control"

/* NULL texts are "". */
struct control_event {
	const char *log_id; /* whose log: a tenant's id; "": the platform's */
	const char *kind;   /* audit/kinds.c */
	bool failure;
	const char *actor;      /* an id, "local", or what somebody called themselves; "": see above */
	const char *actor_name; /* login name or address of an actor that is an id */
	const char *credential, *source, *request_id;
	const char *target; /* an id, "usr_…/prj_…", a role's name */
	const char *project_id;
	const json_t *data; /* object; NULL: none */
};
/* Into that log's inbox, in a transaction of its scope; after the commit audit_log_wake. 0 or -errno; -ENOENT: the
 * log's tenant is gone (the transaction is still good). */
int control_event_put(struct app *app, struct db_tx *tx, const struct control_event *event);
/* The same in a transaction that is in the platform's scope, too: what comes too late for its tenant's log goes to the
 * platform's, as hosts' events do. */
int control_event_put_late(struct app *app, struct db_tx *tx, const struct control_event *event);
