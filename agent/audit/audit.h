/* SPDX-License-Identifier: MIT
 *
 * Audit events to the journal: structured fields, a MESSAGE_ID each (conf/tenantd.catalog), and one
 * OCSF 1.x object in OCSF=. Later issues add a durable spool behind the same call.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "directory/directory.h"
#include "policy/policy.h"

enum audit_kind {
	AUDIT_LOGIN_ALLOWED, /* OCSF Authentication 3002: logon, success */
	AUDIT_LOGIN_DENIED,
	AUDIT_LOGIN_BROKEN,
	AUDIT_SESSION_OPENED,
	AUDIT_SESSION_CLOSED,
	AUDIT_PRIVILEGE_ALLOWED, /* sudo, su */
	AUDIT_PRIVILEGE_DENIED,
	AUDIT_KEY_USED,     /* API Activity 6003; grouped: count says how often since the last */
	AUDIT_KEY_REFUSED,
	AUDIT_ACCESS_CHECKED, /* a local service's CheckAccess that was denied */
	AUDIT_DIRECTORY_CHANGED, /* Entity Management 3004 / Account Change 3001: one per record */
	AUDIT_DIRECTORY_REFUSED, /* a directory that did not load */
	AUDIT_CALL_REFUSED, /* a socket call from somebody who may not make it */
	AUDIT_SERVICE_EVENT, /* Emit: a local service's own event */
	AUDIT_AGENT_STARTED,
	AUDIT_AGENT_STOPPED,
	AUDIT_KIND_COUNT,
};

/* Everything optional but kind; NULL or 0: left out. Strings are escaped on the way out. */
struct audit_event {
	enum audit_kind kind;
	enum reason reason;
	const char *tenant, *project, *role; /* slugs, role name */
	const char *user, *user_id;          /* login name; immutable id */
	uint32_t uid;
	bool has_uid;
	const char *target_user; /* sudo and su: who they become */
	const char *service, *source, *terminal, *host_session;
	const char *credential; /* "api-key:<id>", "ssh-key:SHA256:…", "none" */
	const char *action;
	const char *record_kind, *record_id, *change; /* directory changes */
	const char *detail;    /* further text: problem, service event's message */
	const char *data_json; /* Emit: an object */
	uint32_t caller_pid, caller_uid;
	bool has_caller;
	uint64_t count;
	uint64_t directory_generation;
};

struct audit;
int audit_create(const char *host_name, struct audit **ret);
void audit_destroy(struct audit *audit); /* takes NULL; writes the counts that wait */
DEFINE_CLEANUP(struct audit, audit_destroy)
/* Never blocks for long and never fails the caller: an event that the journal refuses is counted. */
void audit_write(struct audit *audit, const struct audit_event *event);
uint64_t audit_lost(const struct audit *audit);

/* Renders without sending, for tests: the fields as "NAME=value" lines. */
int audit_render(const struct audit *audit, const struct audit_event *event, struct buffer *ret);
