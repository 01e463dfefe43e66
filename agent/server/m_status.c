/* SPDX-License-Identifier: MIT
 *
 * How the agent is: Status, Metrics, Reload.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "server/call.h"
#include "server/internal.h"
#include "server/m_audit.h"
#include "server/m_bindings.h"
#include "server/m_feeds.h"

static const char *const state_words[] = {
	[AGENT_READY] = "ready",
	[AGENT_DEGRADED] = "degraded",
	[AGENT_BROKEN] = "broken",
};

int m_status(struct call *call)
{
	const struct parts *parts = call->parts;
	const struct directory *d = parts->directory;
	enum agent_state state = parts->state;
	struct directory_counts counts = {0};
	struct json_writer *w;

	if (call_parameters(call, NULL, 0, NULL) < 0)
		return 0;
	if (d)
		counts = directory_counts(d);
	w = call_reply(call);
	if (state == AGENT_READY && (any_feed_is_stale(parts, call->now_usec) || server_audit_is_stuck(call->server)))
		state = AGENT_DEGRADED;
	json_put_string(w, "state", state_words[state]);
	json_put_string(w, "version", TENANTD_VERSION);
	json_put_string(w, "host", parts->config->host_name);
	json_put_u64(w, "generation", d ? directory_generation(d) : 0);
	if (d)
		json_put_i64(w, "loaded_at", parts->loaded_at);
	if (call_is_root(call))
		json_put_string_if(w, "problem", parts->problem);
	json_put_u64(w, "tenants", counts.tenants);
	json_put_u64(w, "projects", counts.projects);
	json_put_u64(w, "users", counts.users);
	json_put_u64(w, "members", counts.members);
	json_put_u64(w, "keys", counts.keys);
	json_put_u64(w, "sessions", session_count(parts->sessions));
	if (call_is_root(call)) {
		json_put_u64(w, "connections", call->server->counts.connections);
		json_put_u64(w, "audit_lost", audit_lost(parts->audit));
	}
	json_put_bool(w, "map_published", parts->map_published);
	if (call_is_root(call))
		put_audit(w, call->server);
	if (call_is_root(call))
		put_feeds(w, parts, call->now_usec, call->realtime);
	return call_reply_end(call, false);
}

static void gauge(struct buffer *out, const char *name, const char *help, uint64_t value)
{
	buffer_printf(out, "# TYPE tenantd_%s gauge\n# HELP tenantd_%s %s\ntenantd_%s %llu\n", name, name, help, name,
		      (unsigned long long)value);
}

static void counter(struct buffer *out, const char *name, const char *help, uint64_t value)
{
	buffer_printf(out, "# TYPE tenantd_%s counter\n# HELP tenantd_%s %s\ntenantd_%s_total %llu\n", name, name, help,
		      name, (unsigned long long)value);
}

int m_metrics(struct call *call)
{
	_cleanup_(buffer_finish) struct buffer out = BUFFER_INIT;
	const struct parts *parts = call->parts;
	const struct server_counts *counts = &call->server->counts;
	struct directory_counts records = {0};
	const struct method *method;

	if (call_parameters(call, NULL, 0, NULL) < 0)
		return 0;
	if (parts->directory)
		records = directory_counts(parts->directory);
	gauge(&out, "ready", "1 when the newest directory is loaded and published.", parts->state == AGENT_READY);
	gauge(&out, "directory_generation", "Pictures of the directory since the agent started.",
	      parts->directory ? directory_generation(parts->directory) : 0);
	gauge(&out, "directory_loaded_seconds", "When the directory in force was loaded.", (uint64_t)parts->loaded_at);
	gauge(&out, "tenants", "Tenants in the directory.", records.tenants);
	gauge(&out, "projects", "Projects in the directory.", records.projects);
	gauge(&out, "users", "People and service accounts in the directory.", records.users);
	gauge(&out, "members", "Memberships in the directory.", records.members);
	gauge(&out, "keys", "API keys in the directory.", records.keys);
	gauge(&out, "sessions", "Sessions that are open.", session_count(parts->sessions));
	gauge_feeds(&out, parts, call->now_usec);
	gauge_sso(&out, parts);
	gauge(&out, "connections", "Connections to the agent's sockets.", counts->connections);
	gauge(&out, "subscribers", "Connections that wait for events.", counts->subscribers);
	counter(&out, "connections_accepted", "Connections that were served.", counts->accepted);
	counter(&out, "connections_turned_away", "Connections beyond a limit.", counts->turned_away);
	counter(&out, "calls_refused", "Calls by somebody who may not make them.", counts->refused);
	counter(&out, "messages_bad", "Messages that were no Varlink call.", counts->bad_messages);
	counter(&out, "connections_timed_out", "Connections closed for being slow.", counts->timeouts);
	counter(&out, "subscribers_dropped", "Subscribers that fell too far behind.", counts->dropped_subscribers);
	counter(&out, "audit_lost", "Audit events that the journal did not take.", audit_lost(parts->audit));
	gauge_audit(&out, call->server);
	buffer_add_text(&out, "# TYPE tenantd_calls counter\n# HELP tenantd_calls Calls by method.\n");
	for (size_t i = 0; (method = method_at(i)); i++)
		buffer_printf(&out, "tenantd_calls_total{method=\"%s\"} %llu\n", method->name,
			      (unsigned long long)call->server->method_calls[i]);
	buffer_add_text(&out, "# EOF\n");
	if (out.failed)
		return -ENOMEM;
	json_put_string_n(call_reply(call), "text", out.data, out.length);
	return call_reply_end(call, false);
}

int m_reload(struct call *call)
{
	if (call_parameters(call, NULL, 0, NULL) < 0)
		return 0;
	if (!call->oneway) {
		call->connection->hold = HOLD_RELOAD;
		call->connection->hold_until = call->now_usec + RELOAD_USEC;
	}
	call->parts->reload(call->parts->context);
	return 0;
}
