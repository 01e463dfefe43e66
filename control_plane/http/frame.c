/* SPDX-License-Identifier: MIT
 *
 * The frame around every handler: route, limits, who it is, body, transaction, gate, Idempotency-Key, publication,
 * commit. Handlers cannot leave any of it out.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "control_plane/api/routes.h"
#include "control_plane/app.h"
#include "control_plane/audit/audit.h"
#include "control_plane/auth/gate.h"
#include "control_plane/feed/change.h"
#include "control_plane/http/idempotency.h"
#include "control_plane/http/internal.h"
#include "control_plane/http/limiter.h"
#include "control_plane/http/router.h"
#include "control_plane/http/stream.h"

#define ATTEMPTS 3U
#define RETRY_MSEC 20U /* the first wait is 0 to this, the next twice that */
#define RETRY_AFTER_SEC 2U

/* 1: an answer is there already. */
static int find_route(struct request *request)
{
	unsigned methods;
	char allow[64] = "";

	request->route = routes_find(api_routes, api_route_tables, request->method, request->path, request, &methods);
	if (request->route)
		return 0;
	if (methods == 0) {
		respond_problem(request, PROBLEM_NOT_FOUND, NULL);
		return 1;
	}
	respond_problem(request, PROBLEM_METHOD_NOT_ALLOWED, NULL);
	for (unsigned m = 0; m < HTTP_METHOD_COUNT; m++) {
		if (!(methods & 1U << m))
			continue;
		if (allow[0])
			strncat(allow, ", ", sizeof(allow) - strlen(allow) - 1);
		strncat(allow, http_method_name(m), sizeof(allow) - strlen(allow) - 1);
	}
	respond_header(request, "Allow", allow);
	return 1;
}

static int too_many(struct request *request, uint32_t wait)
{
	if (wait == 0)
		return 0;
	respond_retry(request, PROBLEM_TOO_MANY, wait, "wait %u s", wait);
	return 1;
}

/* Whoever is not signed in is held back by source; whoever is, by who they are. A source whose credentials are refused
 * again and again is not asked about any more for a while. */
static int authenticate(struct request *request)
{
	struct limiter *limiter = request->app->limiter;
	unsigned flags = request->route->flags;
	uint64_t now = clock_boottime_usec();
	char source[INET6_ADDRSTRLEN];
	int result;

	if (request->principal.kind == PRINCIPAL_LOCAL || (flags & ROUTE_AT_ONCE))
		return 0;
	limiter_source_key(&request->source, source);
	if (too_many(request, limiter_ask(limiter, LIMIT_FAILURES, source, now)))
		return 1;
	if (request->route->access == ROUTE_INTERNAL) {
		result = internal_authenticate(request);
	} else if (request->route->access == ROUTE_PUBLIC) {
		return flags & ROUTE_LIMIT_FAILURES
			       ? 0
			       : too_many(request, limiter_take(limiter, LIMIT_SOURCE, source, now));
	} else {
		if (!request_header(request, "Authorization") &&
		    too_many(request, limiter_take(limiter, LIMIT_SOURCE, source, now)))
			return 1;
		result = gate_authenticate(request);
	}
	if (result == 1 && (request->response.status == 401 || request->route->access == ROUTE_INTERNAL))
		(void)limiter_take(limiter, LIMIT_FAILURES, source, now);
	if (result == 0 && request->principal.kind != PRINCIPAL_INTERNAL)
		return too_many(request, limiter_take(limiter, LIMIT_PRINCIPAL, request->principal.id, now));
	return result;
}

/* 1: an answer that changes nothing. */
static int publish(struct request *request)
{
	struct problem problem = {0};
	int result;

	if (!request->change || change_is_empty(request->change))
		return 0;
	result = change_publish(request->change, request->app, request->tx, &problem);
	if (result == -EMSGSIZE && *problem.text) {
		respond_problem(request, PROBLEM_CONFLICT, "%s", problem.text);
		return 1;
	}
	if (result == -EINVAL)
		log_problem(LOG_ERR, "a change that cannot be published", &problem);
	return result;
}

/* In the open transaction. 0: commit; 1: an answer that changes nothing; negative. */
static int run_inside(struct request *request)
{
	bool writes = request->route->flags & ROUTE_WRITES;
	int result;

	result = gate_authorize(request);
	if (result)
		return result;
	if (writes) {
		result = idempotency_begin(request);
		if (result)
			return result;
		if (request->tenant_id) {
			result = change_new(request->tenant_id, &request->change);
			if (result < 0)
				return result;
		}
	}
	result = request->route->handle(request);
	if (result < 0)
		return result;
	if (request->response.status == 0 || request->response.status >= 400)
		return 1;
	if (!writes)
		return 0;
	result = publish(request);
	return result ? result : idempotency_keep(request);
}

static void forget_attempt(struct request *request)
{
	struct response *response = &request->response;

	if (response->stream)
		response->stream->class->close(response->stream);
	response->stream = NULL;
	response->header_count = 0;
	response->status = 0;
	response->secret = response->no_fault = false;
	buffer_clear(&response->body);
	change_free(request->change);
	request->change = NULL;
	request->log_count = 0;
	request->again = NULL;
}

static int attempt(struct request *request)
{
	struct db_scope scope = {0};
	int result;

	result = gate_scope(request, &scope);
	if (result)
		return result < 0 ? result : 0;
	if (request->route->flags & ROUTE_NO_TX) {
		result = gate_authorize(request);
		return result ? MIN_OF(result, 0) : request->route->handle(request);
	}
	scope.read_only = !(request->route->flags & ROUTE_WRITES);
	result = db_begin(request->app->db, &scope, &request->tx);
	if (result < 0)
		return result;
	result = run_inside(request);
	if (result == 0) {
		result = db_commit(TAKE_PTR(request->tx));
		if (result == 0 && request->change)
			change_announce(request->change, request->app);
		if (result == 0 && !scope.read_only)
			audit_log_wake(request->app, request->tenant_id ? request->tenant_id : "");
		for (uint32_t i = 0; result == 0 && i < request->log_count; i++)
			audit_log_wake(request->app, request->logs[i]);
		return result;
	}
	db_rollback(TAKE_PTR(request->tx));
	return MIN_OF(result, 0);
}

static void wait_a_little(unsigned attempt)
{
	uint32_t random = 0, most = RETRY_MSEC << attempt;
	struct timespec span = {0};

	(void)random_bytes(&random, sizeof(random));
	span.tv_nsec = (long)(random % most) * 1000000L;
	(void)nanosleep(&span, NULL);
}

static void explain(struct request *request, int result)
{
	forget_attempt(request);
	if (result == -EAGAIN || result == -EBUSY) {
		respond_retry(request, PROBLEM_UNAVAILABLE, RETRY_AFTER_SEC, "the database cannot be asked just now");
		return;
	}
	log_error("request %s: %s %s: %s", request->id, http_method_name(request->method), request->path,
		  strerror(-result));
	respond_problem(request, PROBLEM_BROKEN, NULL);
}

/* Runs `step` until it is not cut off by the database any more. */
static int repeat(struct request *request, int (*step)(struct request *request))
{
	int result = -EAGAIN;

	for (unsigned i = 0; i < ATTEMPTS && result == -EAGAIN; i++) {
		if (i > 0)
			wait_a_little(i - 1);
		forget_attempt(request);
		request->rerun = i > 0;
		result = step(request);
	}
	return result;
}

void request_run(struct request *request)
{
	int result;

	if (find_route(request))
		return;
	result = repeat(request, authenticate);
	if (result == 0) {
		if (request_parse_body(request))
			return;
		result = repeat(request, attempt);
		if (result == 0 && request->response.status == 0)
			result = -EPROTO; /* a handler that has said nothing */
	}
	if (result < 0)
		explain(request, result);
	if ((request->route->flags & ROUTE_LIMIT_FAILURES) && request->response.status >= 400 &&
	    request->response.status < 500 && !request->response.no_fault &&
	    request->principal.kind != PRINCIPAL_LOCAL) {
		char source[INET6_ADDRSTRLEN];

		limiter_source_key(&request->source, source);
		(void)limiter_take(request->app->limiter, LIMIT_FAILURES, source, clock_boottime_usec());
	}
}

bool request_run_again(struct request *request)
{
	int result = request->again(request);

	if (result > 0)
		return false;
	request->again = NULL;
	if (result < 0)
		explain(request, result);
	return true;
}
