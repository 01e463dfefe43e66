/* SPDX-License-Identifier: MIT
 *
 * Events: Subscribe, and Emit.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "server/call.h"
#include "server/internal.h"

static int put_event(struct connection *c, const struct server_event *event)
{
	struct varlink_writer writer;
	struct json_writer *w = &writer.json;

	varlink_reply_begin(&writer, &c->out);
	json_put_string(w, "event", event->event);
	json_put_string_if(w, "user", event->user);
	json_put_string_if(w, "user_id", event->user_id);
	json_put_string_if(w, "key_id", event->key_id);
	json_put_string_if(w, "project", event->project);
	json_put_string_if(w, "session", event->session);
	json_put_string_if(w, "cause", event->cause);
	if (event->generation)
		json_put_u64(w, "generation", event->generation);
	return varlink_end(&writer, true);
}

/* Tells the subscriber that it missed something, which ends the subscription: it has to look anew. */
static void drop(struct connection *c)
{
	struct varlink_writer writer;

	c->server->counts.dropped_subscribers++;
	varlink_error_begin(&writer, &c->out, AGENT_ERROR_TOO_MANY);
	json_put_string(&writer.json, "limit", "events that wait for this subscriber");
	if (varlink_end(&writer, false) < 0)
		connection_kill(c);
	else
		connection_close_after(c);
}

void server_publish(struct server *server, const struct server_event *event)
{
	if (!server->counts.subscribers)
		return;
	for (struct connection *c = server->connections, *next; c; c = next) {
		next = c->next;
		if (c->hold != HOLD_EVENTS)
			continue;
		if (!c->subscribed_all && !(event->has_uid && event->uid == c->peer.uid))
			continue;
		if (connection_backlog(c) > SUBSCRIBER_BACKLOG || put_event(c, event) < 0)
			drop(c);
		else
			connection_settle(c);
	}
	server_finish(server);
}

int m_subscribe(struct call *call)
{
	struct connection *c = call->connection;
	uint32_t most = SUBSCRIPTIONS_PER_UID * (call->trusted ? TRUSTED_FACTOR : 1);

	if (call_parameters(call, NULL, 0, NULL) < 0)
		return 0;
	if (!call->more || call->oneway)
		return call_error(call, VARLINK_ERROR_EXPECTED_MORE, NULL, NULL);
	if (call_uid(call) != 0 && c->caller->subscriptions >= most)
		return call_error(call, AGENT_ERROR_TOO_MANY, "limit", "subscriptions of this user");
	c->hold = HOLD_EVENTS;
	c->subscribed_all = call->trusted;
	c->subscribed = true;
	c->caller->subscriptions++;
	call->server->counts.subscribers++;
	return put_event(
		c, &(struct server_event){
			   .event = "ready",
			   .generation = call->parts->directory ? directory_generation(call->parts->directory) : 0,
		   });
}

struct emit_request {
	const char *action, *outcome, *user, *project, *message;
	json_t *data;
};

static const struct json_field emit_fields[] = {
	{"action", JSON_FIELD_STRING, offsetof(struct emit_request, action), JSON_FIELD_REQUIRED},
	{"outcome", JSON_FIELD_STRING, offsetof(struct emit_request, outcome), JSON_FIELD_REQUIRED},
	{"user", JSON_FIELD_STRING, offsetof(struct emit_request, user), JSON_FIELD_NULLABLE},
	{"project", JSON_FIELD_STRING, offsetof(struct emit_request, project), JSON_FIELD_NULLABLE},
	{"message", JSON_FIELD_STRING, offsetof(struct emit_request, message), JSON_FIELD_NULLABLE},
	{"data", JSON_FIELD_OBJECT, offsetof(struct emit_request, data), JSON_FIELD_NULLABLE},
};

static bool is_short_text(const char *text, size_t most)
{
	size_t length = strlen(text);

	return length <= most && text_is_printable(text, length);
}

int m_emit(struct call *call)
{
	struct emit_request p = {0};
	_cleanup_(freep) char *data = NULL;
	const struct directory *d = call->parts->directory;
	const struct project_record *project;
	const struct user_record *user;
	const char *service = NULL;
	struct audit_event event;

	if (call_parameters(call, emit_fields, ARRAY_LEN(emit_fields), &p) < 0)
		return 0;
	if (!text_is_word(p.action))
		return call_invalid(call, "action");
	if (!text_equal(p.outcome, "success") && !text_equal(p.outcome, "failure"))
		return call_invalid(call, "outcome");
	if (p.user && !is_short_text(p.user, NAME_MAX_BYTES))
		return call_invalid(call, "user");
	if (p.project && !is_short_text(p.project, 2 * ID_MAX_BYTES))
		return call_invalid(call, "project");
	if (p.message && !is_short_text(p.message, EMIT_MESSAGE_MAX))
		return call_invalid(call, "message");
	if (p.data) {
		data = json_dumps(p.data, JSON_COMPACT);
		if (!data)
			return -ENOMEM;
		if (strlen(data) > EMIT_DATA_MAX)
			return call_invalid(call, "data");
	}
	config_may(call->parts->config, call_uid(call), &service);
	user = d && p.user ? directory_user_by_login(d, p.user) : NULL;
	event = (struct audit_event){
		.kind = AUDIT_SERVICE_EVENT,
		.failure = text_equal(p.outcome, "failure"),
		.action = p.action,
		.user = p.user,
		.user_id = user ? user->id : NULL,
		.uid = user ? user->uid : 0,
		.has_uid = user != NULL,
		.tenant_id = user ? user->tenant_id : NULL,
		.project = p.project,
		.service = service,
		.detail = p.message,
		.data_json = data,
	};
	/* In whose log it belongs: the person's tenant's, else the project's. A service may name what does not fit. */
	project = d && p.project ? directory_project_by_name(d, p.project) : NULL;
	if (project && (!user || text_equal(project->tenant_id, user->tenant_id))) {
		event.project_id = project->id;
		event.tenant_id = project->tenant_id;
	}
	call_audit_caller(call, &event);
	audit_write(call->parts->audit, &event);
	return call_reply_empty(call);
}
