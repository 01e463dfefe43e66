/* SPDX-License-Identifier: MIT
 *
 * One call on its way through a handler, and the few things a handler does with it: read its parameters,
 * reply, refuse.
 */
#pragma once

#include "server/connection.h"
#include "server/request.h"
#include "varlink/varlink.h"
#include "json/json_read.h"

#define AGENT_INTERFACE "io.tenantd.Agent"
#define USERDB_INTERFACE "io.systemd.UserDatabase"
#define AGENT_ERROR_NOT_FOUND AGENT_INTERFACE ".NotFound"
#define AGENT_ERROR_BROKEN AGENT_INTERFACE ".Broken"
#define AGENT_ERROR_TOO_MANY AGENT_INTERFACE ".TooMany"
#define AGENT_ERROR_RELOAD_FAILED AGENT_INTERFACE ".ReloadFailed"
#define AGENT_ERROR_ENROLL_FAILED AGENT_INTERFACE ".EnrollFailed"

struct call {
	struct connection *connection;
	struct server *server;
	const struct parts *parts;
	const struct method *method;
	const struct request *request; /* the parameters, where they are plain; else: */
	json_t *parameters;
	bool more, oneway;
	bool trusted;      /* root, or a named service with the method's right: may ask about others */
	uint64_t now_usec; /* boot time */
	int64_t realtime;
	struct varlink_writer writer;
};

/* Reads the parameters; on failure the error reply is made and the result is negative: return 0. */
int call_parameters(struct call *call, const struct json_field *fields, size_t count, void *out);
/* InvalidParameter with the name. Always 0, for `return`. */
int call_invalid(struct call *call, const char *field);

/* Begins the reply; the handler puts its members and then calls _end. */
struct json_writer *call_reply(struct call *call);
int call_reply_end(struct call *call, bool continues);
int call_reply_empty(struct call *call);
/* An error with one text member (`key` NULL: none). */
int call_error(struct call *call, const char *error, const char *key, const char *value);
/* PermissionDenied, and a word in the audit. */
int call_refuse(struct call *call, const char *why);
/* The word in the audit alone, where the answer has to be that of something that there is not. */
void call_note_refusal(struct call *call, const char *why);
/* Who called, in an event's own fields. */
void call_audit_caller(const struct call *call, struct audit_event *event);
/* Broken: there is no picture, or something failed. Others than root hear no details. */
int call_broken(struct call *call, const char *problem);
/* Holds the reply that was made back for so long. */
void call_delay(struct call *call, uint64_t usec);

uint32_t call_uid(const struct call *call);
bool call_is_root(const struct call *call);

/* The interface's Decision. `message` NULL: the reason's own sentence. */
void put_decision(struct json_writer *w, const char *key, enum reason reason, const char *message);
const char *decision_word(enum reason reason);
/* Where the caller sits, if it stands for `uid` (login/services.h says which sessions count). 0; -ESRCH: it is gone. */
struct place;
int call_place(const struct call *call, uint32_t uid, struct place *ret);
void put_principal(struct json_writer *w, const char *key, const struct directory *d, const struct user_record *user,
		   const struct project_record *project, const char *role);
