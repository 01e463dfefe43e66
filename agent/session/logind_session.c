/* SPDX-License-Identifier: MIT */
#include "session/logind_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

#define NAME "org.freedesktop.login1"
#define SESSIONS "/org/freedesktop/login1/session"
#define INTERFACE "org.freedesktop.login1.Session"
#define PROPERTIES "org.freedesktop.DBus.Properties"

int logind_session_ask(sd_bus *bus, const char *name, sd_bus_slot **ret_slot, sd_bus_message_handler_t callback,
		       void *context)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *message = NULL;
	_cleanup_(freep) char *path = NULL;
	int r = sd_bus_path_encode(SESSIONS, name, &path);

	r = r < 0 ? r : sd_bus_message_new_method_call(bus, &message, NAME, path, PROPERTIES, "GetAll");
	r = r < 0 ? r : sd_bus_message_set_auto_start(message, false);
	r = r < 0 ? r : sd_bus_message_append(message, "s", INTERFACE);
	return r < 0 ? r : sd_bus_call_async(bus, ret_slot, message, callback, context, 0);
}

static int read_property(sd_bus_message *reply, const char *name, struct logind_session *session)
{
	const char *text;
	int r, flag;

	if (strcmp(name, "Leader") == 0)
		return sd_bus_message_read(reply, "v", "u", &session->leader);
	if (strcmp(name, "IdleSinceHintMonotonic") == 0)
		return sd_bus_message_read(reply, "v", "t", &session->idle_since);
	if (strcmp(name, "IdleHint") == 0) {
		r = sd_bus_message_read(reply, "v", "b", &flag);
		session->is_idle = r > 0 && flag;
		return r;
	}
	if (strcmp(name, "Type") == 0) {
		r = sd_bus_message_read(reply, "v", "s", &text);
		session->is_terminal = r > 0 && strcmp(text, "tty") == 0;
		return r;
	}
	return sd_bus_message_skip(reply, "v");
}

int logind_session_read(sd_bus_message *reply, struct logind_session *ret)
{
	struct logind_session session = {0};
	const char *name;
	int r = sd_bus_message_enter_container(reply, 'a', "{sv}");

	while (r > 0 && (r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
		r = sd_bus_message_read(reply, "s", &name);
		r = r <= 0 ? r : read_property(reply, name, &session);
		r = r < 0 ? r : sd_bus_message_exit_container(reply);
	}
	if (r < 0)
		return r;
	*ret = session;
	return 0;
}
