/* SPDX-License-Identifier: MIT
 *
 * Audit events: to the journal (structured fields, a MESSAGE_ID each (conf/tenantd.catalog), and one OCSF 1.x object in
 * OCSF=), and to the spool as a leaf with its personal data beside it. docs/audit-events.md lists all events and their
 * fields, docs/audit-log.md says what a leaf is.
 *
 * What could flood the journal is grouped: the first use or refusal of a key by one (key, service, source,
 * caller) and the first refused call of one uid are written at once, those that follow within five
 * minutes are counted and written as one event when the time is over.
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
	AUDIT_SESSION_ENDING, /* it must end from now on, or cannot be ended; the same of all that runs as a user */
	AUDIT_SESSION_CLOSED,
	AUDIT_PRIVILEGE_ALLOWED, /* sudo, su */
	AUDIT_PRIVILEGE_DENIED,
	AUDIT_KEY_USED, /* API Activity 6003; grouped: count says how often since the last */
	AUDIT_KEY_REFUSED,
	AUDIT_ACCESS_CHECKED,    /* a local service's CheckAccess that was denied */
	AUDIT_DIRECTORY_CHANGED, /* Entity Management 3004 / Account Change 3001: one per record */
	AUDIT_DIRECTORY_REFUSED, /* a directory that did not load */
	AUDIT_CALL_REFUSED,      /* a socket call from somebody who may not make it */
	AUDIT_SERVICE_EVENT,     /* Emit: a local service's own event */
	AUDIT_AGENT_STARTED,
	AUDIT_AGENT_STOPPED,
	AUDIT_FEED_CHANGED,     /* a feed's state: live, reconnect, stale … */
	AUDIT_FEED_REFUSED,     /* what came was not in order */
	AUDIT_FEED_QUARANTINED, /* what came shows that somebody tampers */
	AUDIT_HOST_DISABLED,    /* by a signed revocation: everything was wiped */
	AUDIT_HOST_ENROLLED,    /* or that it failed, or was undone */
	AUDIT_NAME_CONFLICT,    /* what two sources claim */
	AUDIT_CODE_MADE,        /* a one-time sign-in code */
	AUDIT_CODE_REFUSED,     /* it was asked for, and not made */
	AUDIT_CODE_USED,        /* it signed somebody in; a wrong one is a denied sign-in */
	AUDIT_IDENTITY_BOUND,   /* a first sign-in at an identity provider bound who signed in to the user */
	AUDIT_IDENTITY_UNBOUND, /* root took such a binding away */
	/* About the audit log itself; record_kind is "audit-chain" or "audit-log", record_id the chain or the origin.
	 */
	AUDIT_CHAIN_BEGAN,     /* the spool has a new chain, after what */
	AUDIT_REPAIRED,        /* a torn tail was cut off: nobody was told that it was durable */
	AUDIT_DAMAGED,         /* groups that do not open: events are missing. Critical */
	AUDIT_GAP,             /* so many events were not kept, from when to when */
	AUDIT_SPOOL_BROKEN,    /* the spool cannot be written (change "broken", a failure), or can again ("whole") */
	AUDIT_OVERWRITTEN,     /* the oldest events went, unwanted by anybody */
	AUDIT_CHAIN_FORKED,    /* the control plane has another history of this host. Critical */
	AUDIT_LOG_FORKED,      /* a log was rewritten, cut short or shown in two forms; data: both, in lines */
	AUDIT_CHECKPOINT_SEEN, /* what a log's checkpoint was */
	AUDIT_DEAD_LETTER,     /* a sink will never take some events; change: the sink */
	AUDIT_KIND_COUNT,
};

/* Everything optional but kind; NULL or 0: left out. Strings are escaped on the way out. */
struct audit_event {
	enum audit_kind kind;
	enum reason reason;
	const char *tenant, *project, *role;              /* slugs, role name */
	const char *tenant_id, *project_id;               /* which log it belongs to; of its project */
	const char *user, *user_id;                       /* login name; immutable id */
	const char *operator_name, *grant, *grant_reason; /* of an operator's account: who looks in, by what, and why */
	uint32_t uid;
	bool has_uid;
	const char *target_user, *target_user_id; /* sudo and su: who they become */
	const char *service, *source, *terminal, *host_session;
	const char *credential; /* "api-key:<id>", "ssh-key:SHA256:…", "none" */
	const char *action;
	const char *cause;                            /* why a session is ended: a word of reaper/cause.h */
	const char *record_kind, *record_id, *change; /* directory changes */
	const char *detail;                           /* further text: problem, service event's message */
	const char *data_json;                        /* Emit, audit-log-forked: an object */
	const char *caller_user_id;                   /* where the caller is somebody of the directory */
	uint32_t caller_pid, caller_uid;
	bool has_caller;
	bool stale;     /* decided without fresh word of the tenant's control plane */
	bool failure;   /* the outcome was one (where the kind does not say it itself) */
	uint64_t count; /* how often, with grouped events; 0 counts as 1 */
	uint64_t directory_generation;
};

struct audit;
int audit_create(const char *host_name, struct audit **ret);
void audit_destroy(struct audit *audit); /* takes NULL; writes the counts that wait */
DEFINE_CLEANUP(struct audit, audit_destroy)
/* This host's id at the control plane, "" where there is none: `device.uid` from now on. */
int audit_set_host_id(struct audit *audit, const char *host_id);
/* Events are kept there from now on, beside the journal; NULL: in the journal alone. As spool_next and spool_append
 * (agent/spool/spool.h; keep.h makes one of a spool). Before the first event that is kept after others were not, an
 * audit-gap says how many those were, and `told` is called. */
struct leaf_link;
struct audit_store {
	int (*next)(void *context, struct leaf_link *ret);
	int (*append)(void *context, const char *leaf, size_t leaf_length, const char *personal,
		      size_t personal_length);
	void (*told)(void *context, uint64_t count);
	void *context;
};
void audit_set_store(struct audit *audit, const struct audit_store *store);
/* Never blocks for long and never fails the caller: an event that the journal refuses is counted. */
void audit_write(struct audit *audit, const struct audit_event *event);
/* Kinds of which an event went into the store since this was asked last: a bit for each, 1 << kind. */
uint64_t audit_kinds_kept(struct audit *audit);
/* Events that the journal did not take; the next one it takes says how many (TENANTD_LOST=). */
uint64_t audit_lost(const struct audit *audit);
/* Events that no store kept while there was one, since the start. */
uint64_t audit_unkept(const struct audit *audit);
/* When audit_tick wants to run next (boot time); 0: nothing waits. */
uint64_t audit_next_tick(const struct audit *audit);
void audit_tick(struct audit *audit, uint64_t now_usec);

/* The name of a kind: "login-denied". */
const char *audit_kind_word(enum audit_kind kind);

/* Renders without sending: the fields as "NAME=value" lines, none of which has a control character. */
int audit_render(const struct audit *audit, const struct audit_event *event, struct buffer *ret);
/* For tests: events go to `sink` (rendered too) and never to the journal; `clock` replaces the boot time. */
typedef void (*audit_sink_fn)(void *context, const struct audit_event *event, const char *fields, size_t length);
void audit_divert(struct audit *audit, audit_sink_fn sink, void *context, uint64_t (*clock)(void));
