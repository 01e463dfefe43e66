/* SPDX-License-Identifier: MIT
 *
 * Having sessions ended: EndSession, EndSessions.
 *
 * Somebody else's session is as good as none: whoever asks for one that they may not end hears the same as about one
 * that there is not, and so it is with people, projects and tenants. The journal is told of both.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "audit/session_event.h"
#include "audit/user_event.h"
#include "base/text.h"
#include "login/codes.h"
#include "server/call.h"
#include "server/end_reply.h"
#include "server/internal.h"
#include "server/session_filter.h"
#include "server/session_rights.h"

#define REASON_BYTES_MAX 256U
#define DETAIL_SIZE (REASON_BYTES_MAX + 64)

struct end_request {
	struct session_filter filter; /* `session` for EndSession alone, the others for EndSessions */
	const char *reason;
	uint32_t wait;
	bool all;
};

static const struct json_field end_fields[] = {
	{"session", JSON_FIELD_STRING, offsetof(struct end_request, filter.session), JSON_FIELD_REQUIRED},
	{"reason", JSON_FIELD_STRING, offsetof(struct end_request, reason), JSON_FIELD_NULLABLE},
	{"wait", JSON_FIELD_U32, offsetof(struct end_request, wait), JSON_FIELD_NULLABLE},
};
static const struct json_field end_all_fields[] = {
	{"user", JSON_FIELD_STRING, offsetof(struct end_request, filter.user), JSON_FIELD_NULLABLE},
	{"tenant", JSON_FIELD_STRING, offsetof(struct end_request, filter.tenant), JSON_FIELD_NULLABLE},
	{"project", JSON_FIELD_STRING, offsetof(struct end_request, filter.project), JSON_FIELD_NULLABLE},
	{"all", JSON_FIELD_BOOL, offsetof(struct end_request, all), JSON_FIELD_NULLABLE},
	{"reason", JSON_FIELD_STRING, offsetof(struct end_request, reason), JSON_FIELD_NULLABLE},
	{"wait", JSON_FIELD_U32, offsetof(struct end_request, wait), JSON_FIELD_NULLABLE},
};

/* What is being done for one call. */
struct ending {
	struct call *call;
	const struct end_request *request;
	struct session_rights rights;
	uint64_t tag; /* 0: nobody waits */
	uint32_t asked, waiting, begun, failed;
	int problem; /* of the last that could not be ended */
};

static struct ending begin(struct call *call, const struct end_request *request)
{
	struct ending e = {
		.call = call,
		.request = request,
		.rights =
			session_rights(call->parts, call_uid(call), call_is_root(call), call->now_usec, call->realtime),
		.tag = request->wait && !call->oneway ? ++call->server->last_id : 0,
	};

	call->connection->ends = (struct end_wait){.tag = e.tag};
	return e;
}

/* What the person at the terminal and the journal are told: why, and who it was where it was not they. */
static void describe(const struct ending *e, const struct session *session, char *out, size_t size)
{
	const char *reason = e->request->reason ? e->request->reason : "";
	const char *by = e->rights.caller ? e->rights.caller->login : "root";

	if (session->uid == call_uid(e->call))
		snprintf(out, size, "%s", reason);
	else
		snprintf(out, size, "%s%sby %s", reason, *reason ? ", " : "", by);
}

static void end_one(struct ending *e, const struct session *session)
{
	struct call *call = e->call;
	bool under_way = session->ending != 0;
	char detail[DETAIL_SIZE];
	int result;

	describe(e, session, detail, sizeof(detail));
	result = call->parts->end_session(call->parts->context, session, END_ASKED, detail, e->tag);
	e->asked++;
	if (result < 0 && result != -EALREADY) {
		e->problem = result;
		e->failed++;
		return;
	}
	e->waiting += e->tag != 0;
	/* Whoever asks again and again would fill the journal. */
	if (under_way || result == -EALREADY)
		return;
	e->begun++;
	login_drop_code(call->parts->logins, session->user_id); /* what was taken out of it a moment ago */
}

/* Of whom, or of what, in the records' own words. */
static struct audit_event event_of_filter(const struct ending *e)
{
	const struct directory *d = e->call->parts->directory;
	const struct session_filter *filter = &e->request->filter;
	const struct session_targets targets = session_filter_targets(filter, d);
	struct audit_event event = {.kind = AUDIT_SERVICE_EVENT,
				    .tenant = filter->tenant,
				    .project = filter->project,
				    .user = filter->user};

	if (targets.tenant)
		event.tenant_id = targets.tenant->id;
	if (targets.project) {
		event.project_id = targets.project->id;
		event.tenant_id = targets.project->tenant_id;
	}
	audit_about_user(&event, d, targets.user);
	return event;
}

/* Who asked for it, and of how many; each end is an event of its own (reaper/reaper.h). */
static void report(const struct ending *e, const struct session *session)
{
	struct audit_event event = session ? session_event(AUDIT_SERVICE_EVENT, session) : event_of_filter(e);

	event.action = "session.end";
	event.detail = e->request->reason;
	call_audit_caller(e->call, &event);
	event.count = e->begun;
	event.failure = e->problem < 0;
	audit_write(e->call->parts->audit, &event);
}

static int finish(struct ending *e)
{
	struct connection *c = e->call->connection;

	c->ends.asked = e->asked;
	if (e->problem < 0)
		c->ends.problem = e->problem;
	if (e->problem < 0 && e->asked == e->failed)
		return call_broken(e->call, "the root helper cannot be reached (tenantd-helper.socket)");
	if (e->waiting <= c->ends.heard)
		return end_reply_put(c);
	c->ends.waiting = e->waiting;
	c->hold = HOLD_END;
	c->hold_until = e->call->now_usec + e->request->wait * USEC_PER_SEC;
	return 0;
}

/* Nothing that the caller may end. Where nobody can tell what they may, that is said, whatever was asked for. */
static int nothing(struct ending *e, const char *what, const char *why)
{
	if (call_is_root(e->call))
		return call_error(e->call, AGENT_ERROR_NOT_FOUND, "what", what);
	if (session_rights_undecided(&e->rights))
		return call_broken(e->call, NULL);
	call_note_refusal(e->call, why);
	return call_error(e->call, AGENT_ERROR_NOT_FOUND, "what", what);
}

/* 0; 1: it was answered. */
static int read_request(struct call *call, const struct json_field *fields, size_t count, struct end_request *ret)
{
	if (call_parameters(call, fields, count, ret) < 0)
		return 1;
	if (ret->reason &&
	    (strlen(ret->reason) > REASON_BYTES_MAX || !text_is_printable(ret->reason, strlen(ret->reason)))) {
		call_invalid(call, "reason");
		return 1;
	}
	if (ret->wait > END_WAIT_MAX_SEC) {
		call_invalid(call, "wait");
		return 1;
	}
	return 0;
}

int m_end_session(struct call *call)
{
	struct end_request request = {0};
	const struct session *session;
	struct ending e;

	if (read_request(call, end_fields, ARRAY_LEN(end_fields), &request) != 0)
		return 0;
	e = begin(call, &request);
	session = session_find(call->parts->sessions, request.filter.session);
	if (!session || !session_rights_over(&e.rights, session))
		return nothing(&e, "session", "asked to end a session that is not theirs, or none");
	end_one(&e, session);
	if (e.begun)
		report(&e, session);
	return finish(&e);
}

/* Do they all belong to the caller to end, whether there are any or not? Then none is no mistake. */
static bool is_theirs(struct ending *e)
{
	const struct directory *d = e->call->parts->directory;
	const struct session_filter *f = &e->request->filter;
	const struct session_targets t = session_filter_targets(f, d);

	if (e->request->all)
		return true;
	if (e->rights.all)
		return (!f->user || t.user) && (!f->tenant || t.tenant) && (!f->project || t.project);
	return session_rights_over_user(&e->rights, t.user) || session_rights_over_tenant(&e->rights, t.tenant) ||
	       session_rights_over_project(&e->rights, t.project);
}

int m_end_sessions(struct call *call)
{
	struct end_request request = {0};
	const struct session *session;
	struct ending e;
	uint32_t cursor = 0;

	if (read_request(call, end_all_fields, ARRAY_LEN(end_all_fields), &request) != 0)
		return 0;
	/* Nothing said is a slip, and not everything. */
	if (request.all == (request.filter.user || request.filter.tenant || request.filter.project))
		return call_invalid(call, "all");
	if (request.all && !call_is_root(call))
		return call_refuse(call, "asked to end all sessions of the host");
	e = begin(call, &request);
	while ((session = session_next(call->parts->sessions, &cursor)))
		if (session_fits(&request.filter, call->parts->directory, session) &&
		    session_rights_over(&e.rights, session))
			end_one(&e, session);
	if (!e.asked && !is_theirs(&e))
		return nothing(&e, "sessions", "asked to end sessions that are not theirs, or none");
	if (e.begun)
		report(&e, NULL);
	return finish(&e);
}
