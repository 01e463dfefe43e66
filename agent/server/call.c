/* SPDX-License-Identifier: MIT */
#include "server/call.h"

#include <errno.h>
#include <string.h>

#include "audit/user_event.h"
#include "server/internal.h"

uint32_t call_uid(const struct call *call)
{
	return call->connection->peer.uid;
}

bool call_is_root(const struct call *call)
{
	return call_uid(call) == 0;
}

int call_parameters(struct call *call, const struct json_field *fields, size_t count, void *out)
{
	struct problem problem = {0};
	const char *field = "parameters";
	int result = call->request ? request_fields(call->request, fields, count, out, &field)
				   : json_fields(call->parameters, fields, count, out, &field, &problem);

	if (result < 0)
		call_invalid(call, field ? field : "parameters");
	return result;
}

int call_invalid(struct call *call, const char *field)
{
	return call_error(call, VARLINK_ERROR_INVALID_PARAMETER, "parameter", field);
}

struct json_writer *call_reply(struct call *call)
{
	varlink_reply_begin(&call->writer, &call->connection->out);
	return &call->writer.json;
}

int call_reply_end(struct call *call, bool continues)
{
	return varlink_end(&call->writer, continues);
}

int call_reply_empty(struct call *call)
{
	call_reply(call);
	return call_reply_end(call, false);
}

int call_error(struct call *call, const char *error, const char *key, const char *value)
{
	varlink_error_begin(&call->writer, &call->connection->out, error);
	if (key)
		json_put_string(&call->writer.json, key, value);
	return varlink_end(&call->writer, false);
}

void call_audit_caller(const struct call *call, struct audit_event *event)
{
	audit_about_caller(event, call->parts->directory, call_uid(call), (uint32_t)call->connection->peer.pid);
}

void call_note_refusal(struct call *call, const char *why)
{
	struct server *server = call->server;
	uint64_t count;

	server->counts.refused++;
	if (callers_report(&server->callers, &call->connection->caller->refused, call->now_usec, &count)) {
		struct audit_event event = {
			.kind = AUDIT_CALL_REFUSED,
			.reason = REASON_NOT_PERMITTED,
			.action = call->method->name,
			.detail = why,
			.count = count,
		};

		call_audit_caller(call, &event);
		audit_write(call->parts->audit, &event);
	}
}

int call_refuse(struct call *call, const char *why)
{
	call_note_refusal(call, why);
	return call_error(call, VARLINK_ERROR_PERMISSION_DENIED, NULL, NULL);
}

int call_broken(struct call *call, const char *problem)
{
	const char *text = problem;

	if (!text)
		text = call_is_root(call) && call->parts->problem[0] ? call->parts->problem
								     : "the agent has no directory to decide from";
	return call_error(call, AGENT_ERROR_BROKEN, "problem", text);
}

void call_delay(struct call *call, uint64_t usec)
{
	if (!usec || call->oneway)
		return;
	call->connection->hold = HOLD_DELAY;
	call->connection->hold_until = call->now_usec + MIN_OF(usec, DELAY_MOST_USEC);
}

const char *decision_word(enum reason reason)
{
	if (reason == REASON_ALLOWED)
		return "allowed";
	return reason_is_broken(reason) ? "broken" : "denied";
}

void put_decision(struct json_writer *w, const char *key, enum reason reason, const char *message)
{
	json_begin(w, key, '{');
	json_put_string(w, "decision", decision_word(reason));
	json_put_string(w, "reason", reason_word(reason));
	json_put_string(w, "message", message ? message : reason == REASON_ALLOWED ? "" : reason_text(reason));
	json_end(w, '}');
}

void put_principal(struct json_writer *w, const char *key, const struct directory *d, const struct user_record *user,
		   const struct project_record *project, const char *role)
{
	static const char *const kinds[] = {
		[USER_PERSON] = "person", [USER_SERVICE] = "service", [USER_OPERATOR] = "operator"};
	const struct tenant_record *tenant = directory_tenant(d, user->tenant_id);
	const struct grant_record *grant = user->kind == USER_OPERATOR ? directory_grant_of(d, user->id) : NULL;

	json_begin(w, key, '{');
	json_put_string(w, "user", user->login);
	json_put_string(w, "user_id", user->id);
	json_put_u64(w, "uid", user->uid);
	json_put_string(w, "kind", kinds[user->kind]);
	json_put_string(w, "tenant", tenant ? tenant->slug : "");
	json_put_string(w, "tenant_id", user->tenant_id);
	if (project) {
		json_put_string(w, "project", project->slug);
		json_put_string(w, "project_id", project->id);
	}
	json_put_string_if(w, "role", role);
	if (grant) {
		json_put_string(w, "operator", grant->operator_name);
		json_put_string(w, "grant", grant->id);
	}
	json_end(w, '}');
}
