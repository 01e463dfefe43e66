/* SPDX-License-Identifier: MIT
 *
 * What work.c (how it goes on) and work_out.c (what others see of it) share.
 */
#pragma once

#include "feed/assignment.h"
#include "feed/audit_report.h"
#include "feed/backoff.h"
#include "feed/enrol.h"
#include "feed/follow.h"
#include "feed/import.h"
#include "feed/session_report.h"
#include "feed/token.h"
#include "feed/witness.h"
#include "feed/work.h"
#include "thread/http_loop.h"

struct entry {
	struct entry *next;
	struct work *work;
	struct follow *follow;
	char tenant_id[FEED_TENANT_ID_MAX];
	bool imported; /* else assigned */
	bool bare;     /* nothing was kept, and no trust document came yet */
	struct unit **given;
	uint32_t given_count;
	uint64_t given_tag, answered_tag;
	enum feed_state state; /* as it was seen last */
	struct problem import_problem;
};
struct work {
	sd_event *event;
	struct feeds_options options;
	struct work_hooks hooks;
	struct follow_hooks follow_hooks;
	struct http_loop *http;
	sd_event_source *settle, *self_timer;
	struct host_identity identity;
	bool enrolled, dirty, started;
	bool lost_units;                /* an entry went whose units were given out */
	char problem[FEED_PROBLEM_MAX]; /* of the host as a whole */
	char disabled[FEED_PROBLEM_MAX];
	bool disbelieved; /* the last word on what this host serves; it was told once */
	bool disable;     /* at the next turn of the loop */
	struct token *token;
	struct enrol *enrol;
	uint64_t enrol_tag;
	struct http_transfer *self;
	struct backoff self_backoff;
	struct report *report;
	struct session_reports *sessions;
	struct audit_reports *audit; /* NULL: there is no spool */
	struct witness *witness;
	struct entry *entries;
	struct import_folder *folders;
	uint32_t folder_count;
};
struct entry *work_find(const struct work *work, const char *tenant_id); /* NULL: none */
void work_settle(struct work *work);                                     /* gives out what changed, if something did */
void work_drop_given(struct entry *entry);

void work_look_soon(struct work *work);                                  /* settles at the next turn of the loop */
void work_set_problem(struct work *work, const struct problem *problem); /* of the host as a whole; NULL: none */
void work_remove_entry(struct work *work, struct entry *entry, bool wipe);
/* Makes the feeds those that are assigned. */
void work_assign(struct work *work, const struct assignments *assignments);
int work_connect(struct work *work); /* as the identity that it has */
void work_disconnect(struct work *work);
/* (work_audit.c) The audit log: what goes there, and what is seen of it. */
int work_audit_new(struct work *work);
void work_audit_connect(struct work *work);
void work_audit_wake(struct work *work);
void work_audit_rest(struct work *work); /* there is no control plane */
/* What goes by an assigned tenant beside its feed. */
void work_follow_others(struct work *work, const char *tenant_id, bool followed);
void work_disable(struct work *work); /* (work_enrol.c) out of service, for the reason in `disabled` */
