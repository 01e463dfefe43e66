/* SPDX-License-Identifier: MIT
 *
 * PAM's session stage: OpenSession, CloseSession.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "audit/session_event.h"
#include "audit/user_event.h"
#include "base/text.h"
#include "login/services.h"
#include "login/sudo_proof.h"
#include "server/call.h"
#include "server/internal.h"
#include "server/m_origin.h"

struct open_request {
	struct login_authorize authorize;
	uint32_t leader;
};

static const struct json_field leader_field = {"leader", JSON_FIELD_U32, offsetof(struct open_request, leader),
					       JSON_FIELD_NULLABLE};

/* Becoming somebody else within a session is no session more, nor is the person's service manager. */
static bool service_counts(const char *service)
{
	const struct service_rule *rule = service_rule(service);

	return !rule->privilege && !rule->implied;
}

static bool session_counts(const struct session *session)
{
	return service_counts(session->service);
}

/* Of what the policy counts, and of all of the host's places, which su in a loop would fill as well. Root needs
 * nobody's leave, and what root opens is no doing of theirs. Where the oldest is to give way, it does so here. */
static bool has_too_many(const struct call *call, struct login_verdict *verdict, const char *service)
{
	const struct parts *parts = call->parts;
	struct limits_admission admission;
	int result;

	if (!verdict->user)
		return false;
	if (verdict->subject && session_count_user(parts->sessions, verdict->user->id) >= SESSIONS_PER_USER) {
		snprintf(verdict->message, sizeof(verdict->message),
			 "you have %u sessions here, the most that one person may have on a host; end one first",
			 SESSIONS_PER_USER);
		return true;
	}
	if (!service_counts(service))
		return false;
	limits_admit(parts->limits, verdict->tenant, parts->sessions, verdict->user->id, session_counts, &admission);
	switch (admission.answer) {
	case LIMITS_FINE:
		return false;
	case LIMITS_DENY:
		snprintf(verdict->message, sizeof(verdict->message), "%s", admission.message);
		return true;
	case LIMITS_END_OLDEST:
		break;
	}
	result = parts->end_session(parts->context, admission.oldest, END_TOO_MANY, "", 0);
	if (result >= 0 || result == -EALREADY)
		return false;
	snprintf(verdict->message, sizeof(verdict->message),
		 "there are as many sessions here as may be, and the oldest cannot be ended at the moment");
	return true;
}

/* Would the new session fall into what ends everything of theirs? Nobody said no to it: they try again in a moment. */
static bool is_ending(const struct call *call, struct login_verdict *verdict)
{
	const struct parts *parts = call->parts;

	if (!verdict->user || !parts->user_is_ending ||
	    !parts->user_is_ending(parts->context, verdict->user->id, verdict->user->uid))
		return false;
	snprintf(verdict->message, sizeof(verdict->message),
		 "what still runs as you on this host is being ended; try again in a moment");
	return true;
}

/* The kernel's word that the caller is still the process that connected. */
static int caller_is_alive(const struct call *call)
{
	int pidfd = peer_pidfd(call->connection->fd);

	if (pidfd == -EOPNOTSUPP)
		return 0; /* an older kernel: session_open compares start times from here on */
	if (pidfd < 0)
		return -ESRCH;
	close(pidfd);
	return 0;
}

static void put_environment(struct json_writer *w, const struct login_verdict *verdict,
			    const struct grant_record *grant)
{
	char line[128];

	json_begin(w, "environment", '[');
	if (verdict->tenant) {
		snprintf(line, sizeof(line), "TENANT=%s", verdict->tenant->slug);
		json_put_string(w, NULL, line);
	}
	if (verdict->project) {
		snprintf(line, sizeof(line), "TENANT_PROJECT=%s", verdict->project->slug);
		json_put_string(w, NULL, line);
	}
	if (verdict->role) {
		snprintf(line, sizeof(line), "TENANT_ROLE=%s", verdict->role);
		json_put_string(w, NULL, line);
	}
	if (grant) { /* an operator looks in: prompts and programs can say so */
		snprintf(line, sizeof(line), "TENANT_GRANT=%s", grant->id);
		json_put_string(w, NULL, line);
	}
	json_end(w, ']');
}

static void audit_open(const struct call *call, const struct session *session, const struct login_verdict *verdict)
{
	struct audit_event event = session_event(AUDIT_SESSION_OPENED, session);

	event.reason = REASON_ALLOWED;
	event.source = session->source;
	event.terminal = session->terminal;
	event.credential = verdict->credential;
	event.directory_generation = directory_generation(call->parts->directory);
	audit_write(call->parts->audit, &event);
	server_publish(call->server, &(struct server_event){
					     .event = "session-opened",
					     .user = session->login,
					     .user_id = session->user_id,
					     .project = verdict->project ? verdict->project->id : NULL,
					     .session = session->id,
					     .has_uid = true,
					     .uid = session->uid,
				     });
}

static void audit_too_many(const struct call *call, const struct login_origin *origin,
			   const struct login_verdict *verdict)
{
	bool privilege = service_rule(origin->service)->privilege;
	struct audit_event event = {
		.kind = privilege ? AUDIT_PRIVILEGE_DENIED : AUDIT_LOGIN_DENIED,
		.reason = verdict->reason,
		.target_user = privilege ? verdict->user->login : NULL,
		.service = origin->service,
		.source = origin->source,
		.terminal = origin->terminal,
		.credential = verdict->credential,
		.detail = verdict->message,
	};

	if (privilege)
		audit_asked_by(&event, call->parts->directory, origin->requesting_user);
	else
		audit_about_user(&event, call->parts->directory, verdict->user);
	event.target_user_id = privilege ? verdict->user->id : NULL;
	event.tenant = verdict->tenant ? verdict->tenant->slug : NULL;
	event.tenant_id = verdict->tenant ? verdict->tenant->id : NULL;
	audit_write(call->parts->audit, &event);
}

/* The newest order to end sessions that the picture has: it ends what it found, and this one is not yet there. */
static int64_t newest_order(const struct directory *d, const char *tenant_id)
{
	const struct revocation_record *order;
	uint32_t cursor = 0;
	int64_t newest = 0;

	while ((order = directory_session_orders(d, tenant_id, &cursor)))
		newest = MAX_OF(newest, order->at);
	return newest;
}

static int open_allowed(struct call *call, const struct open_request *request, const struct login_verdict *verdict)
{
	const struct login_origin *origin = &request->authorize.origin;
	const struct directory *d = call->parts->directory;
	const struct grant_record *grant =
		verdict->user->kind == USER_OPERATOR ? directory_grant_of(d, verdict->user->id) : NULL;
	const struct session *session = NULL;
	struct session data;
	struct json_writer *w;
	int result = 0;

	union {
		const char *text;
		char *field;
	} user_id = {verdict->user->id}, login = {verdict->user->login},
	  tenant = {verdict->tenant ? verdict->tenant->slug : ""},
	  project = {verdict->project ? verdict->project->slug : ""}, role = {verdict->role ? verdict->role : ""},
	  service = {origin->service}, source = {origin->source}, terminal = {origin->terminal},
	  credential = {verdict->credential}, tenant_id = {verdict->user->tenant_id},
	  project_id = {verdict->project ? verdict->project->id : ""}, provider = {verdict->provider},
	  grant_id = {grant ? grant->id : ""},
	  operator= {!grant                  ? ""
		     : *grant->operator_name ? grant->operator_name
					     : grant->operator_id},
	  grant_reason = {grant ? grant->reason : ""};

	data = (struct session){
		.user_id = user_id.field,
		.login = login.field,
		.tenant = tenant.field,
		.project = project.field,
		.role = role.field,
		.service = service.field,
		.source = source.field,
		.terminal = terminal.field,
		.credential = credential.field,
		.tenant_id = tenant_id.field,
		.project_id = project_id.field,
		.provider = provider.field,
		.grant_id = grant_id.field,
		.operator= operator.field,
		.grant_reason = grant_reason.field,
		.valid_from = verdict->user->sessions_valid_from,
		.orders_known = newest_order(d, verdict->user->tenant_id),
		.uid = verdict->user->uid,
		.leader = request->leader ? (pid_t)request->leader : call->connection->peer.pid,
		.opened = call->realtime,
		.opened_usec = call->now_usec,
	};
	sudo_proof_sign_in(verdict, call->now_usec, &data);
	if (!request->leader)
		result = caller_is_alive(call);
	if (result >= 0)
		result = session_open(call->parts->sessions, &data, &session);
	if (result == -ESRCH)
		return call_invalid(call, "leader");
	if (result == -ENOSPC)
		return call_error(call, AGENT_ERROR_TOO_MANY, "limit", "sessions of this host");
	if (result < 0)
		return result;
	audit_open(call, session, verdict);
	if (call->parts->session_opened)
		call->parts->session_opened(call->parts->context, session);
	if (request->authorize.token[0])
		login_forget(call->parts->logins, request->authorize.token);
	w = call_reply(call);
	put_verdict(w, verdict);
	json_put_string(w, "session", session->id);
	put_environment(w, verdict, grant);
	return call_reply_end(call, false);
}

int m_open_session(struct call *call)
{
	struct open_request request = {
		.authorize = {.origin = ORIGIN_INIT, .token = "", .ssh_auth_info = "", .again = true},
	};
	struct login_verdict verdict = {.reason = REASON_BROKEN};
	struct json_field fields[AUTHORIZE_FIELDS + 1];

	_Static_assert(offsetof(struct open_request, authorize) == 0, "authorize_fields fit");
	memcpy(fields, authorize_fields, sizeof(authorize_fields));
	fields[AUTHORIZE_FIELDS] = leader_field;
	if (call_parameters(call, fields, ARRAY_LEN(fields), &request) < 0)
		return 0;
	if (call->parts->directory)
		login_authorize(call->parts->logins, call->parts->directory, &request.authorize, call->now_usec,
				call->realtime, &verdict);
	if (verdict.reason == REASON_ALLOWED && has_too_many(call, &verdict, request.authorize.origin.service)) {
		verdict.reason = REASON_TOO_MANY_SESSIONS;
		audit_too_many(call, &request.authorize.origin, &verdict);
	}
	if (verdict.reason == REASON_ALLOWED && is_ending(call, &verdict))
		verdict.reason = REASON_BROKEN;
	if (verdict.reason == REASON_ALLOWED && !verdict.unknown_user && verdict.user)
		return open_allowed(call, &request, &verdict);
	/* Allowed without a person: a local account that becomes another one. It is not ours to count. */
	put_verdict(call_reply(call), &verdict);
	return call_reply_end(call, false);
}

int m_close_session(struct call *call)
{
	static const struct json_field fields[] = {{"session", JSON_FIELD_STRING, 0, JSON_FIELD_REQUIRED}};
	const char *id = NULL;
	int result;

	if (call_parameters(call, fields, ARRAY_LEN(fields), &id) < 0)
		return 0;
	result = session_close(call->parts->sessions, id);
	/* It may have ended a moment ago by the kernel's word: that is what was asked for. */
	if (result < 0 && result != -ENOENT && result != -ESRCH)
		return result;
	return call_reply_empty(call);
}
