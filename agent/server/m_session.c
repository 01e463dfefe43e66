/* SPDX-License-Identifier: MIT
 *
 * PAM's session stage, and who is here: OpenSession, CloseSession, Sessions.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "audit/session_event.h"
#include "base/text.h"
#include "login/codes.h"
#include "login/services.h"
#include "login/sudo_proof.h"
#include "server/call.h"
#include "server/internal.h"
#include "server/m_origin.h"

#define SESSIONS_REPLY_BYTES (VARLINK_MESSAGE_MAX - 4096U) /* one more session fits behind this */

struct open_request {
	struct login_authorize authorize;
	uint32_t leader;
};

static const struct json_field leader_field = {"leader", JSON_FIELD_U32, offsetof(struct open_request, leader),
					       JSON_FIELD_NULLABLE};

/* Becoming somebody else within a session is no session more. */
static bool counts_as_session(const char *service)
{
	const struct service_rule *rule = service_rule(service);

	return !rule->privilege && !rule->implied;
}

/* Of what the policy counts, and of all of the host's places, which su in a loop would fill as well. Root needs
 * nobody's leave, and what root opens is no doing of theirs. */
static bool has_too_many(const struct call *call, struct login_verdict *verdict, const char *service)
{
	uint32_t most = verdict->tenant ? verdict->tenant->sessions.max_per_user : 0;
	const struct session *session;
	uint32_t cursor = 0, count = 0;

	if (!verdict->user)
		return false;
	if (verdict->subject && session_count_user(call->parts->sessions, verdict->user->id) >= SESSIONS_PER_USER) {
		snprintf(verdict->message, sizeof(verdict->message),
			 "you have %u sessions here, the most that one person may have on a host; end one first",
			 SESSIONS_PER_USER);
		return true;
	}
	if (!most || !counts_as_session(service))
		return false;
	while ((session = session_next(call->parts->sessions, &cursor)))
		count += text_equal(session->user_id, verdict->user->id) && counts_as_session(session->service);
	return count >= most;
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

static void put_environment(struct json_writer *w, const struct login_verdict *verdict)
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

	audit_write(call->parts->audit, &(struct audit_event){
						.kind = privilege ? AUDIT_PRIVILEGE_DENIED : AUDIT_LOGIN_DENIED,
						.reason = verdict->reason,
						.tenant = verdict->tenant ? verdict->tenant->slug : NULL,
						.user = privilege ? origin->requesting_user : verdict->user->login,
						.user_id = privilege ? NULL : verdict->user->id,
						.uid = verdict->user->uid,
						.has_uid = !privilege,
						.target_user = privilege ? verdict->user->login : NULL,
						.service = origin->service,
						.source = origin->source,
						.terminal = origin->terminal,
						.credential = verdict->credential,
						.detail = verdict->message,
					});
}

static int open_allowed(struct call *call, const struct open_request *request, const struct login_verdict *verdict)
{
	const struct login_origin *origin = &request->authorize.origin;
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
	  credential = {verdict->credential};

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
		.uid = verdict->user->uid,
		.leader = request->leader ? (pid_t)request->leader : call->connection->peer.pid,
		.opened = call->realtime,
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
	if (request->authorize.token[0])
		login_forget(call->parts->logins, request->authorize.token);
	w = call_reply(call);
	put_verdict(w, verdict);
	json_put_string(w, "session", session->id);
	put_environment(w, verdict);
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

static void put_session(struct json_writer *w, const struct session *session)
{
	json_begin(w, NULL, '{');
	json_put_string(w, "session", session->id);
	json_put_string(w, "user", session->login);
	json_put_u64(w, "uid", session->uid);
	json_put_string(w, "tenant", session->tenant ? session->tenant : "");
	json_put_string_if(w, "project", session->project);
	json_put_string_if(w, "role", session->role);
	json_put_string(w, "service", session->service ? session->service : "");
	json_put_string_if(w, "source", session->source);
	json_put_string_if(w, "terminal", session->terminal);
	json_put_string_if(w, "credential", session->credential);
	json_put_i64(w, "leader", session->leader);
	json_put_i64(w, "opened", session->opened);
	json_end(w, '}');
}

int m_sessions(struct call *call)
{
	static const struct json_field fields[] = {{"user", JSON_FIELD_STRING, 0, JSON_FIELD_NULLABLE}};
	const struct buffer *out = &call->connection->out;
	const struct session *session;
	const char *user = NULL;
	uint32_t cursor = 0;
	struct json_writer *w;
	size_t start = out->length;

	if (call_parameters(call, fields, ARRAY_LEN(fields), &user) < 0)
		return 0;
	w = call_reply(call);
	json_begin(w, "sessions", '[');
	while ((session = session_next(call->parts->sessions, &cursor))) {
		/* Somebody else's are not there at all for those who may not see them. */
		if (!call->trusted && session->uid != call_uid(call))
			continue;
		if (user && !text_equal(session->login, user))
			continue;
		if (out->length - start > SESSIONS_REPLY_BYTES) {
			int result;

			if (!call->more)
				return -EMSGSIZE;
			json_end(w, ']');
			result = call_reply_end(call, true);
			if (result < 0)
				return result;
			start = out->length;
			w = call_reply(call);
			json_begin(w, "sessions", '[');
		}
		put_session(w, session);
	}
	json_end(w, ']');
	return call_reply_end(call, false);
}

struct end_request {
	const char *session, *reason;
};

static const struct json_field end_fields[] = {
	{"session", JSON_FIELD_STRING, offsetof(struct end_request, session), JSON_FIELD_REQUIRED},
	{"reason", JSON_FIELD_STRING, offsetof(struct end_request, reason), JSON_FIELD_NULLABLE},
};

static void report_end(const struct call *call, const struct session *session, const char *reason)
{
	struct audit_event event = session_event(AUDIT_SERVICE_EVENT, session);

	event.action = "session.end";
	event.detail = reason;
	event.caller_pid = (uint32_t)call->connection->peer.pid;
	event.caller_uid = call_uid(call);
	event.has_caller = true;
	audit_write(call->parts->audit, &event);
	server_publish(call->server, &(struct server_event){
					     .event = "session-ended",
					     .user = session->login,
					     .user_id = session->user_id,
					     .session = session->id,
					     .has_uid = true,
					     .uid = session->uid,
				     });
}

int m_end_session(struct call *call)
{
	struct end_request p = {0};
	const struct session *session;
	int result;

	if (call_parameters(call, end_fields, ARRAY_LEN(end_fields), &p) < 0)
		return 0;
	if (p.reason && (strlen(p.reason) > EMIT_MESSAGE_MAX || !text_is_printable(p.reason, strlen(p.reason))))
		return call_invalid(call, "reason");
	session = session_find(call->parts->sessions, p.session);
	/* Somebody else's session is as good as none: its id is nobody's business. */
	if (session && call_uid(call) != 0 && session->uid != call_uid(call))
		return call_refuse(call, "asked to end somebody else's session");
	if (!session)
		return call_error(call, AGENT_ERROR_NOT_FOUND, "what", "session");
	/* Once asked is enough: somebody who asks again and again would keep the helper from others' sessions, and
	 * fill the journal. Root may have reason to try again. */
	if (call_uid(call) != 0 && session->ending && call->now_usec - session->ending < END_AGAIN_USEC)
		return call_reply_empty(call);
	result = call->parts->end_session(call->parts->context, session, call->connection->id);
	if (result < 0)
		return call_broken(call, "the root helper cannot be reached (tenantd-helper.socket)");
	(void)session_mark_ending(call->parts->sessions, session->id, call->now_usec, "asked");
	login_drop_code(call->parts->logins, session->user_id); /* what was taken out of it a moment ago */
	report_end(call, session, p.reason);
	if (!call->oneway) {
		call->connection->hold = HOLD_END;
		call->connection->hold_until = call->now_usec + END_USEC;
	}
	return 0;
}
