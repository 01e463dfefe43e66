/* SPDX-License-Identifier: MIT
 *
 * Routes: one const table a resource (api/…), all of them listed in api/routes.c. A route cannot be written without
 * saying who may take it: ROUTE() does not compile without an action, and routes_check() stops the start when an action
 * is none that the matrix or the operators' list knows.
 */
#pragma once

#include "base/macros.h"
#include "base/problem.h"
#include "control_plane/http/request.h"

enum route_access {
	ROUTE_PUBLIC,   /* nobody needs to sign in; limited by source */
	ROUTE_SELF,     /* any user or operator, about themselves */
	ROUTE_TENANT,   /* first parameter {tenant}: its users by tenant role, operators by grant */
	ROUTE_PROJECT,  /* {tenant}/{project}: by project role, or the tenant role of an owner or admin */
	ROUTE_OPERATOR, /* operators only */
	ROUTE_SERVICE,  /* an enrolled host, or a tenant's service account whose tenant role gives the action */
	ROUTE_HOST,     /* an enrolled host; with {tenant}: only one that serves it */
	ROUTE_INTERNAL, /* the shared secret; 404 when none is configured */
};
enum {
	ROUTE_WRITES = 1U << 0,   /* a transaction that may write; takes Idempotency-Key */
	ROUTE_NO_TX = 1U << 1,    /* the handler needs no transaction */
	ROUTE_NO_BODY = 1U << 2,  /* a body is refused (GET and DELETE: always) */
	ROUTE_FORM = 1U << 3,     /* application/x-www-form-urlencoded, as `body` */
	ROUTE_RAW = 1U << 4,      /* any body, not parsed */
	ROUTE_PLATFORM = 1U << 5, /* the transaction sees the platform's own tables, too */
	/* Not signed in, but proves something (a host's assertion): only what is refused counts against its source. */
	ROUTE_LIMIT_FAILURES = 1U << 6,
	ROUTE_LARGE = 1U << 8,   /* a body of up to 2 MiB and some lines, not of 1 MiB */
	ROUTE_AT_ONCE = 1U << 7, /* public, never waits for anything: answered even when all workers are busy */
};
struct route {
	enum http_method method;
	const char
		*pattern; /* "/v1/tenants/{tenant}/users/{user}"; {path} at the end is the rest of it, with its '/' */
	enum route_access access;
	const char *action; /* "member.manage", "tenant.manage"; ROUTE_PUBLIC: "public" */
	unsigned flags;
	/* 0: request->response is set; -EAGAIN: run the whole request again; other negatives: 500, logged. */
	int (*handle)(struct request *request);
	/* How problems look to those who come here. NULL: as problem documents. */
	problem_writer *problem;
};
#define ROUTE(method_, pattern_, access_, action_, flags_, handle_) \
	ROUTE_SAYING(method_, pattern_, access_, action_, flags_, handle_, NULL)
#define ROUTE_SAYING(method_, pattern_, access_, action_, flags_, handle_, problem_)                                 \
	{                                                                                                            \
		.method = (method_), .pattern = "" pattern_ "", .access = (access_),                                 \
		.action = &("" action_ "")[0 * sizeof(char[sizeof("" action_ "") > 1 ? 1 : -1])], .flags = (flags_), \
		.handle = (handle_), .problem = (problem_)                                                           \
	}
struct route_table {
	const struct route *routes;
	size_t count;
};
const char *http_method_name(enum http_method method);
/* Every route has a known action, a pattern of known parameters, and no two answer to the same. */
int routes_check(const struct route_table *const *tables, size_t count, struct problem *problem);
/* NULL, and the methods that the path has (bits; 0: no such path). Fills params (in the arena). */
const struct route *routes_find(const struct route_table *const *tables, size_t count, enum http_method method,
				const char *path, struct request *request, unsigned *ret_methods);

/* From a parsed request to its response: route, gate, limits, idempotency, transaction, handler, publish, commit.
 * Called on a worker thread, or by the command line. Never fails: what goes wrong is a problem in the response. */
void request_run(struct request *request);
/* Calls request->again: true when it has answered; false: again, in request->again_ms. */
bool request_run_again(struct request *request);
