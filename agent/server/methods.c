/* SPDX-License-Identifier: MIT */
#include "server/methods.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/secret.h"
#include "server/internal.h"

#define AGENT (1U << SERVER_AGENT)
#define USERDB (1U << SERVER_USERDB)

static const struct method methods[] = {
	/* name, handler, who may call, right that lets a named service ask about others, sockets, settles */
	{"io.tenantd.Agent.VerifyCredential", m_verify_credential, CALLER_ANYBODY, MAY_VERIFY, AGENT, false},
	{"io.tenantd.Agent.CheckAccess", m_check_access, CALLER_ANYBODY, MAY_CHECK, AGENT, false},
	{"io.tenantd.Agent.Login", m_login, CALLER_ROOT, 0, AGENT, true},
	{"io.tenantd.Agent.Answer", m_answer, CALLER_ROOT, 0, AGENT, true},
	{"io.tenantd.Agent.Authorize", m_authorize, CALLER_ROOT, 0, AGENT, true},
	{"io.tenantd.Agent.OpenSession", m_open_session, CALLER_ROOT, 0, AGENT, true},
	{"io.tenantd.Agent.CloseSession", m_close_session, CALLER_ROOT, 0, AGENT, true},
	{"io.tenantd.Agent.WhoAmI", m_who_am_i, CALLER_ANYBODY, 0, AGENT, false},
	{"io.tenantd.Agent.SshKeys", m_ssh_keys, CALLER_ANYBODY, MAY_SSH_KEYS, AGENT, false},
	{"io.tenantd.Agent.Code", m_code, CALLER_ANYBODY, MAY_CODE, AGENT, true},
	{"io.tenantd.Agent.Sessions", m_sessions, CALLER_ANYBODY, MAY_SESSIONS, AGENT, false},
	{"io.tenantd.Agent.EndSession", m_end_session, CALLER_ANYBODY, 0, AGENT, true},
	{"io.tenantd.Agent.EndSessions", m_end_sessions, CALLER_ANYBODY, 0, AGENT, true},
	{"io.tenantd.Agent.Subscribe", m_subscribe, CALLER_ANYBODY, MAY_SUBSCRIBE, AGENT, false},
	{"io.tenantd.Agent.Emit", m_emit, CALLER_NAMED, MAY_EMIT, AGENT, false},
	{"io.tenantd.Agent.Status", m_status, CALLER_ANYBODY, 0, AGENT, false},
	{"io.tenantd.Agent.Metrics", m_metrics, CALLER_NAMED, MAY_METRICS, AGENT, false},
	{"io.tenantd.Agent.Reload", m_reload, CALLER_ROOT, 0, AGENT, true},
	{"io.tenantd.Agent.Enroll", m_enroll, CALLER_ROOT, 0, AGENT, true},
	{"io.tenantd.Agent.Unenroll", m_unenroll, CALLER_ROOT, 0, AGENT, true},
	{"io.tenantd.Agent.Bindings", m_bindings, CALLER_ROOT, 0, AGENT, false},
	{"io.tenantd.Agent.Unbind", m_unbind, CALLER_ROOT, 0, AGENT, false},
	{"io.tenantd.Agent.Providers", m_providers, CALLER_ROOT, 0, AGENT, false},
	{"io.tenantd.Agent.ExplainIdentity", m_explain_identity, CALLER_ROOT, 0, AGENT, false},
	{"io.systemd.UserDatabase.GetUserRecord", m_user_record, CALLER_ANYBODY, 0, USERDB, false},
	{"io.systemd.UserDatabase.GetGroupRecord", m_group_record, CALLER_ANYBODY, 0, USERDB, false},
	{"io.systemd.UserDatabase.GetMemberships", m_memberships, CALLER_ANYBODY, 0, USERDB, false},
	{"org.varlink.service.GetInfo", m_get_info, CALLER_ANYBODY, 0, AGENT | USERDB, false},
	{"org.varlink.service.GetInterfaceDescription", m_get_interface_description, CALLER_ANYBODY, 0, AGENT | USERDB,
	 false},
};
_Static_assert(ARRAY_LEN(methods) <= METHODS_MAX, "counters for every method");

const struct method *method_at(size_t number)
{
	return number < ARRAY_LEN(methods) ? &methods[number] : NULL;
}

static const struct method *find(const char *name, enum server_socket socket)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (strcmp(methods[i].name, name) == 0 && methods[i].sockets & 1U << socket)
			return &methods[i];
	return NULL;
}

/* The name is not one of ours: is it the interface or the method that does not exist here? */
static void reply_unknown(struct call *call, const char *name, enum server_socket socket)
{
	const char *dot = strrchr(name, '.');
	size_t length = dot ? (size_t)(dot - name) : strlen(name);
	char interface[VARLINK_METHOD_MAX + 1];

	for (size_t i = 0; dot && i < ARRAY_LEN(methods); i++) {
		if (methods[i].sockets & 1U << socket && strncmp(methods[i].name, name, length + 1) == 0 &&
		    !strchr(methods[i].name + length + 1, '.')) {
			call_error(call, VARLINK_ERROR_METHOD_NOT_FOUND, "method", name);
			return;
		}
	}
	length = MIN_OF(length, sizeof(interface) - 1);
	memcpy(interface, name, length);
	interface[length] = '\0';
	call_error(call, VARLINK_ERROR_INTERFACE_NOT_FOUND, "interface", interface);
}

static void run(struct call *call)
{
	struct connection *c = call->connection;
	const struct method *method = call->method;
	unsigned may = c->peer.uid ? config_may(call->parts->config, c->peer.uid, NULL) : 0;
	size_t before = c->out.length;
	int result;

	call->trusted = c->peer.uid == 0 || (may & method->may);
	call->now_usec = clock_boottime_usec();
	call->realtime = clock_realtime_sec();
	if (method->who == CALLER_ROOT && c->peer.uid != 0) {
		call_refuse(call, "only root may call this");
		return;
	}
	if (method->who == CALLER_NAMED && !call->trusted) {
		call_refuse(call, "only root and services named in agent.yaml may call this");
		return;
	}
	result = method->handle(call);
	if (method->settles)
		server_wake_loop(call->server);
	if (result < 0 && !c->dead) {
		c->out.length = before; /* half a reply is none */
		if (result == -EMSGSIZE)
			call_error(call, AGENT_ERROR_TOO_MANY, "limit", "bytes of one reply");
		else
			call_error(call, AGENT_ERROR_BROKEN, "problem", strerror(-result));
	}
}

/* What a call held may be a credential: it does not stay in freed memory. */
static void wipe_strings(json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value) if (json_is_string(value))
	{
		union {
			const char *text;
			char *bytes;
		} string = {.text = json_string_value(value)};

		secret_wipe(string.bytes, json_string_length(value));
	}
}

/* Reads the frame the quick way where it is plain enough, else with the JSON library. -EBADMSG: no call. */
static int read_call(struct call *call, struct varlink_call *tree, struct request *request, char *frame, size_t length,
		     const char **ret_method, bool *ret_upgrade)
{
	struct problem problem = {0};
	int result;

	*ret_upgrade = false;
	if (request_read(frame, length, request)) {
		call->request = request;
		call->more = request->more;
		call->oneway = request->oneway;
		*ret_method = request->method;
		return 0;
	}
	result = varlink_call_read(frame, length, tree, &problem);
	if (result < 0) {
		log_debug("uid %u sent no varlink call: %s", call->connection->peer.uid, problem.text);
		return result;
	}
	call->parameters = tree->parameters;
	call->more = tree->more;
	call->oneway = tree->oneway;
	*ret_method = tree->method;
	*ret_upgrade = tree->upgrade;
	return 0;
}

/* Which answers let somebody in. */
static enum audit_form form_of(const struct method *method)
{
	if (method && (method->handle == m_login || method->handle == m_answer))
		return AUDIT_FORM_STEP;
	if (method && (method->handle == m_authorize || method->handle == m_open_session))
		return AUDIT_FORM_DECISION;
	return AUDIT_FORM_SAME;
}

#define BIT(kind) (UINT64_C(1) << (kind))

/* A sign-in waits for the disk once. What is written at a right key lies before what Authorize writes, whose answer
 * waits for both; and when a session opens, that its owner may come in is on disk already. Where a program leaves
 * Authorize out, or sshd names the key only now, it is not, and is waited for. */
static uint64_t excused_of(const struct method *method)
{
	if (method && method->handle == m_answer)
		return BIT(AUDIT_KEY_USED) | BIT(AUDIT_CODE_USED);
	return method && method->handle == m_open_session ? BIT(AUDIT_SESSION_OPENED) : 0;
}

void methods_dispatch(struct connection *c, char *frame, size_t length)
{
	struct server *server = c->server;
	struct varlink_call tree = {0};
	struct request request;
	struct call call = {.connection = c, .server = server, .parts = server->parts};
	struct audit_mark mark = audit_hold_mark(server);
	size_t before = c->out.length;
	const char *name;
	bool upgrade;

	server->counts.calls++;
	if (read_call(&call, &tree, &request, frame, length, &name, &upgrade) < 0) {
		server->counts.bad_messages++;
		connection_kill(c);
		return;
	}
	call.method = find(name, c->kind);
	if (!call.method) {
		reply_unknown(&call, name, c->kind);
	} else if (upgrade) {
		call_error(&call, VARLINK_ERROR_INVALID_PARAMETER, "parameter", "upgrade");
	} else {
		server->method_calls[call.method - methods]++;
		run(&call);
	}
	if (tree.parameters)
		wipe_strings(tree.parameters);
	varlink_call_finish(&tree);
	if (c->dead)
		return;
	if (c->out.failed) { /* no memory for an answer: the end is at least unmistakable */
		connection_kill(c);
		return;
	}
	if (call.oneway && !c->closing && c->hold != HOLD_STREAM && c->hold != HOLD_EVENTS)
		c->out.length = before; /* nobody waits for it */
	mark.excused = excused_of(call.method);
	audit_hold_answer(c, &mark, before, form_of(call.method));
}
