/* SPDX-License-Identifier: MIT
 *
 * PAM's auth and account stages: Login, Answer, Authorize. Root only, by the table.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "audit/user_event.h"
#include "base/secret.h"
#include "login/qr.h"
#include "login/sudo_proof.h"
#include "server/call.h"
#include "server/internal.h"
#include "server/limits.h"
#include "server/login_reply.h"
#include "server/m_origin.h"
#include "server/methods.h"

static int reply_step(struct call *call, struct login_reply *reply)
{
	int result;

	if (reply->step == LOGIN_PENDING) { /* a call that waits for no answer gets none later, either */
		if (!call->oneway) {
			call->connection->hold = HOLD_LOGIN;
			call->connection->hold_until = call->now_usec + LOGIN_HELD_USEC;
		}
		return 0;
	}
	result = login_reply_put(call->connection, reply, call->oneway ? 0 : call->now_usec);
	secret_wipe(reply->token, sizeof(reply->token));
	return result;
}

static int reply_no_directory(struct call *call)
{
	return login_reply_cannot(call->connection, REASON_BROKEN);
}

/* One person in a loop would have all of the host's connections, and nobody could sign in. */
static bool has_too_many(struct call *call, const struct login_origin *origin)
{
	uint64_t local = login_local_place(origin), count;
	uint32_t others = 0;

	for (const struct connection *c = local ? call->server->connections : NULL; c; c = c->next)
		others += c != call->connection && c->local == local;
	if (others < LOGINS_PER_LOCAL) {
		call->connection->local = local;
		return false;
	}
	if (callers_report(&call->server->callers, &call->connection->caller->denied, call->now_usec, &count)) {
		const struct directory *d = call->parts->directory;
		struct audit_event event = {
			.kind = AUDIT_LOGIN_DENIED,
			.reason = REASON_TOO_MANY_ATTEMPTS,
			.user = origin->user,
			.service = origin->service,
			.terminal = origin->terminal,
			.detail = "sign-ins that one local person holds",
			.count = count,
		};

		call_audit_caller(call, &event);
		audit_about_user(&event, d, d ? directory_user_by_login(d, origin->user) : NULL);
		audit_write(call->parts->audit, &event);
	}
	return true;
}

static int refuse_too_many(struct call *call)
{
	struct login_reply reply = {.step = LOGIN_DENIED, .reason = REASON_TOO_MANY_ATTEMPTS, .final = true};

	(void)snprintf(reply.text, sizeof(reply.text),
		       "Too many sign-ins stand at their prompts here; end some of them.");
	return reply_step(call, &reply);
}

int m_login(struct call *call)
{
	struct login_origin origin = ORIGIN_INIT;
	struct login_reply reply = {0};
	struct login_shortcut shortcut;
	struct place place;
	enum qr_form form;

	if (call_parameters(call, login_fields, LOGIN_FIELDS, &origin) < 0)
		return 0;
	if (*origin.qr && !qr_form_parse(origin.qr, &form))
		return call_invalid(call, "qr");
	if (!call->parts->directory)
		return reply_no_directory(call);
	if (has_too_many(call, &origin))
		return refuse_too_many(call);
	if (sudo_proof_matters(call->parts->directory, &origin)) {
		(void)call_place(call, origin.uid, &place); /* nowhere, where that cannot be seen */
		if (sudo_proof_has(call->parts->logins, call->parts->directory, call->parts->sessions, &origin, &place,
				   call->now_usec, call->realtime, &shortcut))
			origin.shortcut = &shortcut;
	}
	call->connection->had_login = true;
	login_start(call->parts->logins, call->parts->directory, &origin, call->connection->id, call->now_usec,
		    call->realtime, &reply);
	return reply_step(call, &reply);
}

int m_answer(struct call *call)
{
	struct {
		const char *login, *text;
	} p = {0};
	static const struct json_field fields[] = {
		{"login", JSON_FIELD_STRING, 0, JSON_FIELD_REQUIRED},
		{"text", JSON_FIELD_STRING, sizeof(char *), JSON_FIELD_REQUIRED},
	};
	struct login_reply reply = {0};

	if (call_parameters(call, fields, ARRAY_LEN(fields), &p) < 0)
		return 0;
	if (!call->parts->directory)
		return reply_no_directory(call);
	login_answer(call->parts->logins, call->parts->directory, p.login, call->connection->id, p.text, strlen(p.text),
		     call->now_usec, call->realtime, &reply);
	return reply_step(call, &reply);
}

const struct json_field login_fields[LOGIN_FIELDS] = {
	{"user", JSON_FIELD_STRING, offsetof(struct login_origin, user), JSON_FIELD_REQUIRED},
	{"service", JSON_FIELD_STRING, offsetof(struct login_origin, service), JSON_FIELD_REQUIRED},
	{"source", JSON_FIELD_STRING, offsetof(struct login_origin, source), JSON_FIELD_NULLABLE},
	{"terminal", JSON_FIELD_STRING, offsetof(struct login_origin, terminal), JSON_FIELD_NULLABLE},
	{"requesting_user", JSON_FIELD_STRING, offsetof(struct login_origin, requesting_user), JSON_FIELD_NULLABLE},
	{"uid", JSON_FIELD_U32, offsetof(struct login_origin, uid), JSON_FIELD_NULLABLE},
	{"requesting_uid", JSON_FIELD_U32, offsetof(struct login_origin, requesting_uid), JSON_FIELD_NULLABLE},
	{"qr", JSON_FIELD_STRING, offsetof(struct login_origin, qr), JSON_FIELD_NULLABLE},
};

const struct json_field authorize_fields[AUTHORIZE_FIELDS] = {
	{"user", JSON_FIELD_STRING, offsetof(struct login_authorize, origin.user), JSON_FIELD_REQUIRED},
	{"service", JSON_FIELD_STRING, offsetof(struct login_authorize, origin.service), JSON_FIELD_REQUIRED},
	{"source", JSON_FIELD_STRING, offsetof(struct login_authorize, origin.source), JSON_FIELD_NULLABLE},
	{"terminal", JSON_FIELD_STRING, offsetof(struct login_authorize, origin.terminal), JSON_FIELD_NULLABLE},
	{"requesting_user", JSON_FIELD_STRING, offsetof(struct login_authorize, origin.requesting_user),
	 JSON_FIELD_NULLABLE},
	{"uid", JSON_FIELD_U32, offsetof(struct login_authorize, origin.uid), JSON_FIELD_NULLABLE},
	{"requesting_uid", JSON_FIELD_U32, offsetof(struct login_authorize, origin.requesting_uid),
	 JSON_FIELD_NULLABLE},
	{"login", JSON_FIELD_STRING, offsetof(struct login_authorize, token), JSON_FIELD_NULLABLE},
	{"ssh_auth_info", JSON_FIELD_STRING, offsetof(struct login_authorize, ssh_auth_info), JSON_FIELD_NULLABLE},
};

int m_authorize(struct call *call)
{
	struct login_authorize request = {.origin = ORIGIN_INIT, .token = "", .ssh_auth_info = ""};
	struct login_verdict verdict = {.reason = REASON_BROKEN};
	struct json_writer *w;
	struct place place;

	if (call_parameters(call, authorize_fields, AUTHORIZE_FIELDS, &request) < 0)
		return 0;
	if (call->parts->directory)
		login_authorize(call->parts->logins, call->parts->directory, &request, call->now_usec, call->realtime,
				&verdict);
	if (verdict.reason == REASON_ALLOWED && sudo_proof_matters(call->parts->directory, &request.origin)) {
		(void)call_place(call, request.origin.uid, &place);
		sudo_proof_given(call->parts->directory, call->parts->sessions, &request.origin, &place, &verdict,
				 call->now_usec);
	}
	w = call_reply(call);
	put_verdict(w, &verdict);
	if (verdict.reason == REASON_ALLOWED) {
		json_put_string_if(w, "tenant", verdict.tenant ? verdict.tenant->slug : NULL);
		json_put_string_if(w, "project", verdict.project ? verdict.project->slug : NULL);
		json_put_string_if(w, "role", verdict.role);
	}
	return call_reply_end(call, false);
}

void put_verdict(struct json_writer *w, const struct login_verdict *verdict)
{
	enum reason reason = verdict->unknown_user ? REASON_UNKNOWN_USER : verdict->reason;

	put_decision(w, "decision", reason, verdict->message[0] ? verdict->message : NULL);
	if (reason == REASON_ALLOWED)
		json_put_string_if(w, "warning", verdict->warning);
}
