/* SPDX-License-Identifier: MIT
 *
 * Inside libtenant: the handle, one call on it, and reading what comes back.
 */
#pragma once

#include <pthread.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/macros.h"
#include "base/text.h"
#include "tenant/client.h"
#include "varlink/varlink_client.h"
#include "json/json_read.h"
#include "json/json_write.h"

#define AGENT_INTERFACE "io.tenantd.Agent."

struct tenant {
	pthread_mutex_t lock; /* over `connection` and what describes it */
	uint64_t serial;      /* tells handles apart, also after one's memory was reused */
	char *path;
	unsigned timeout_msec; /* atomic */
	char qr[8];            /* tenant_set_qr; "": the agent's own way */
	struct varlink_client *connection;
	pid_t owner;  /* the process that made the connection */
	dev_t device; /* of the connection's descriptor, so that a stolen one is noticed */
	ino_t inode;
};

/* Writes the members of a call's parameters. */
typedef void (*compose_fn)(struct json_writer *w, const void *arguments);

enum {
	CALL_ONCE = 1,     /* must not be sent a second time on a fresh connection */
	CALL_ATTACHED = 2, /* only on the connection that is there: -ENOTCONN otherwise */
};

/* One call and its reply. Errors of the agent come back as the errno that client.h documents. On 0 the
 * caller owns ret->root; ret->parameters is an object or NULL. Sets the thread's error text. */
int ask_agent(struct tenant *tenant, const char *method, unsigned flags, compose_fn compose, const void *arguments,
	      struct varlink_reply *ret);
/* The same, for an answer that may take so much longer than the handle's timeout. */
int ask_agent_for(struct tenant *tenant, const char *method, unsigned flags, unsigned extra_msec, compose_fn compose,
		  const void *arguments, struct varlink_reply *ret);
/* The same for a list that may come in several replies: the members of `list` of the later ones are
 * appended to the first one's. */
int ask_agent_list(struct tenant *tenant, const char *method, const char *list, compose_fn compose,
		   const void *arguments, struct varlink_reply *ret);
/* The same on a connection of its own, which is handed over (for `more`). */
int ask_agent_more(struct tenant *tenant, const char *method, struct varlink_client **ret_connection,
		   struct varlink_reply *ret);
unsigned client_timeout(const struct tenant *tenant);

/* What tenant_error gives to this thread. client_fail returns `error` (negative) for `return`. */
void client_error_clear(const struct tenant *tenant);
int client_fail(const struct tenant *tenant, int error, const char *format, ...) _printf_(3, 4);
/* The errno for an error reply of the agent, with its text. */
int client_fail_reply(const struct tenant *tenant, const struct varlink_reply *reply);
/* For a reply that is not of the form which the interface promises. */
int client_fail_form(const struct tenant *tenant, const char *method);

/* Fields of a reply: 0 or -EPROTO. Unknown members are a newer agent's business and are passed over.
 * An optional one that is absent or null leaves *ret as it was. */
int reply_text(json_t *object, const char *key, bool required, const char **ret);
int reply_integer(json_t *object, const char *key, bool required, int64_t low, int64_t high, int64_t *ret);
int reply_flag(json_t *object, const char *key, bool *ret);
int reply_uid(json_t *object, const char *key, uid_t *ret);
int reply_object(json_t *object, const char *key, bool required, json_t **ret);
int reply_array(json_t *object, const char *key, bool required, json_t **ret);
/* A principal's kind; an operator's is no service's. */
int reply_kind(const char *kind, int *ret_is_service);
/* A NULL-terminated vector of the strings of an array (borrowed); NULL when the member is absent. */
int reply_texts(json_t *object, const char *key, const char *const **ret);
int reply_decision(json_t *parameters, enum tenant_decision *ret, const char **ret_reason, const char **ret_message);
