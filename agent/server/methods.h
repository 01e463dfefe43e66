/* SPDX-License-Identifier: MIT
 *
 * The calls that may be made: one const table of name, handler, who may call and where. A call that is not
 * in it does not exist; a caller that the table turns away never reaches the handler.
 */
#pragma once

#include <stddef.h>

#include "server/call.h"

#define METHODS_MAX 32

enum caller_class {
	CALLER_ANYBODY, /* the handler narrows it where the interface text says so */
	CALLER_ROOT,
	CALLER_NAMED, /* root, and services that have the right `may` in agent.yaml */
};

struct method {
	const char *name;
	int (*handle)(struct call *call); /* 0, or -errno: answered as broken */
	enum caller_class who;
	unsigned may;     /* enum config_may that lifts a CALLER_NAMED's or an own-matters limit */
	unsigned sockets; /* 1 << enum server_socket */
	bool settles;     /* may set timers or sources of the event loop, which then has to look */
};

/* Looks the method up, decides whether the caller may, and runs it. `frame` may be changed. */
void methods_dispatch(struct connection *connection, char *frame, size_t length);
/* For Metrics: NULL at the end. */
const struct method *method_at(size_t number);

/* org.varlink.service: service.c */
int m_get_info(struct call *call);
int m_get_interface_description(struct call *call);
/* m_login.c */
int m_login(struct call *call);
int m_answer(struct call *call);
int m_authorize(struct call *call);
/* m_session_open.c */
int m_open_session(struct call *call);
int m_close_session(struct call *call);
/* m_session_list.c */
int m_sessions(struct call *call);
/* m_session_end.c */
int m_end_session(struct call *call);
int m_end_sessions(struct call *call);
/* m_code.c */
int m_code(struct call *call);
/* m_access.c */
int m_verify_credential(struct call *call);
int m_check_access(struct call *call);
int m_who_am_i(struct call *call);
int m_ssh_keys(struct call *call);
/* m_events.c */
int m_subscribe(struct call *call);
int m_emit(struct call *call);
/* m_status.c */
int m_status(struct call *call);
int m_metrics(struct call *call);
int m_reload(struct call *call);
/* m_feeds.c */
int m_enroll(struct call *call);
int m_unenroll(struct call *call);
/* m_bindings.c */
int m_bindings(struct call *call);
int m_unbind(struct call *call);
/* m_providers.c */
int m_providers(struct call *call);
int m_explain_identity(struct call *call);
/* m_userdb.c */
int m_user_record(struct call *call);
int m_group_record(struct call *call);
int m_memberships(struct call *call);
