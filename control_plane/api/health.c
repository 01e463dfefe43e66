/* SPDX-License-Identifier: MIT
 *
 * Is it alive, should it get requests, and what does it count.
 *
 * /healthz says that the process answers, and nothing about the database: a supervisor that restarts us because the
 * database is away makes it worse. /readyz says whether a balancer should send requests here. /metrics needs the shared
 * secret of /internal, since the names and numbers of routes are the operator's business.
 */
#include <errno.h>

#include "control_plane/app.h"
#include "control_plane/http/metrics.h"
#include "control_plane/http/router.h"

#define RETRY_AFTER_SEC 5U

static int healthz(struct request *request)
{
	return respond_json(request, 200, json_pack("{s:s}", "status", "ok"));
}

static int readyz(struct request *request)
{
	struct problem problem = {0};

	if (request->app->draining)
		return respond_retry(request, PROBLEM_UNAVAILABLE, RETRY_AFTER_SEC, "draining: go to another one");
	if (db_check(request->app->db, &problem) < 0)
		return respond_retry(request, PROBLEM_UNAVAILABLE, RETRY_AFTER_SEC, "the database is not ready");
	return respond_json(request, 200, json_pack("{s:s}", "status", "ready"));
}

static int metrics(struct request *request)
{
	struct response *response = &request->response;

	metrics_render(request->app->metrics, &response->body);
	if (response->body.failed)
		return -ENOMEM;
	response->status = 200;
	response->content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
	return 0;
}

static const struct route routes[] = {
	ROUTE(HTTP_GET, "/healthz", ROUTE_PUBLIC, "public", ROUTE_NO_TX | ROUTE_AT_ONCE, healthz),
	ROUTE(HTTP_GET, "/readyz", ROUTE_PUBLIC, "public", ROUTE_NO_TX, readyz),
	ROUTE(HTTP_GET, "/metrics", ROUTE_INTERNAL, "internal", ROUTE_NO_TX, metrics),
};
extern const struct route_table health_routes;
const struct route_table health_routes = {routes, ARRAY_LEN(routes)};
