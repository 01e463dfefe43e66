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
	/* name, handler, who may call, right that lets a named service ask about others, sockets */
	{"io.tenantd.Agent.VerifyCredential", m_verify_credential, CALLER_ANYBODY, MAY_VERIFY, AGENT},
	{"io.tenantd.Agent.CheckAccess", m_check_access, CALLER_ANYBODY, MAY_CHECK, AGENT},
	{"io.tenantd.Agent.Login", m_login, CALLER_ROOT, 0, AGENT},
	{"io.tenantd.Agent.Answer", m_answer, CALLER_ROOT, 0, AGENT},
	{"io.tenantd.Agent.Authorize", m_authorize, CALLER_ROOT, 0, AGENT},
	{"io.tenantd.Agent.OpenSession", m_open_session, CALLER_ROOT, 0, AGENT},
	{"io.tenantd.Agent.CloseSession", m_close_session, CALLER_ROOT, 0, AGENT},
	{"io.tenantd.Agent.WhoAmI", m_who_am_i, CALLER_ANYBODY, 0, AGENT},
	{"io.tenantd.Agent.SshKeys", m_ssh_keys, CALLER_ANYBODY, MAY_SSH_KEYS, AGENT},
	{"io.tenantd.Agent.Sessions", m_sessions, CALLER_ANYBODY, MAY_SESSIONS, AGENT},
	{"io.tenantd.Agent.Subscribe", m_subscribe, CALLER_ANYBODY, MAY_SUBSCRIBE, AGENT},
	{"io.tenantd.Agent.Emit", m_emit, CALLER_NAMED, MAY_EMIT, AGENT},
	{"io.tenantd.Agent.Status", m_status, CALLER_ANYBODY, 0, AGENT},
	{"io.tenantd.Agent.Metrics", m_metrics, CALLER_NAMED, MAY_METRICS, AGENT},
	{"io.tenantd.Agent.Reload", m_reload, CALLER_ROOT, 0, AGENT},
	{"io.systemd.UserDatabase.GetUserRecord", m_user_record, CALLER_ANYBODY, 0, USERDB},
	{"io.systemd.UserDatabase.GetGroupRecord", m_group_record, CALLER_ANYBODY, 0, USERDB},
	{"io.systemd.UserDatabase.GetMemberships", m_memberships, CALLER_ANYBODY, 0, USERDB},
	{"org.varlink.service.GetInfo", m_get_info, CALLER_ANYBODY, 0, AGENT | USERDB},
	{"org.varlink.service.GetInterfaceDescription", m_get_interface_description, CALLER_ANYBODY, 0, AGENT | USERDB},
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

void methods_dispatch(struct connection *c, const char *frame, size_t length)
{
	struct server *server = c->server;
	struct varlink_call read = {0};
	struct problem problem = {0};
	struct call call = {.connection = c, .server = server, .parts = server->parts};
	size_t before = c->out.length;

	server->counts.calls++;
	if (varlink_call_read(frame, length, &read, &problem) < 0) {
		server->counts.bad_messages++;
		log_debug("uid %u sent no varlink call: %s", c->peer.uid, problem.text);
		connection_kill(c);
		return;
	}
	call.parameters = read.parameters;
	call.more = read.more;
	call.oneway = read.oneway;
	call.method = find(read.method, c->kind);
	if (!call.method || read.upgrade) {
		if (call.method)
			call_error(&call, VARLINK_ERROR_INVALID_PARAMETER, "parameter", "upgrade");
		else
			reply_unknown(&call, read.method, c->kind);
	} else {
		server->method_calls[call.method - methods]++;
		run(&call);
	}
	if (read.parameters)
		wipe_strings(read.parameters);
	varlink_call_finish(&read);
	if (c->dead)
		return;
	if (c->out.failed) { /* no memory for an answer: the end is at least unmistakable */
		connection_kill(c);
		return;
	}
	if (call.oneway && !c->closing && c->hold != HOLD_STREAM && c->hold != HOLD_EVENTS)
		c->out.length = before; /* nobody waits for it */
}
