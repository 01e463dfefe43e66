/* SPDX-License-Identifier: MIT
 *
 * What only the platform's own machines ask, with the shared secret: how this replica is.
 */
#include "control_plane/app.h"
#include "control_plane/db/migrate.h"
#include "control_plane/http/router.h"

static int replica(struct request *request)
{
	const struct app *app = request->app;
	struct db_counts counts = db_counts(app->db);
	struct problem problem = {0};
	bool reachable = db_check(app->db, &problem) == 0;
	json_t *database = json_pack("{s:b, s:i, s:i, s:I, s:I, s:I, s:I}", "ready", reachable, "connections",
				     (int)counts.open, "busy", (int)counts.busy, "transactions",
				     (json_int_t)counts.transactions, "retries", (json_int_t)counts.retries, "lost",
				     (json_int_t)counts.lost, "timeouts", (json_int_t)counts.timeouts);

	if (database && !reachable)
		(void)json_object_set_new(database, "problem", json_string(problem.text));
	return respond_json(request, 200,
			    json_pack("{s:s, s:s, s:s, s:b, s:o}", "version", TENANTD_VERSION, "schema",
				      migrate_newest(), "url", app->config->url, "draining", app->draining, "database",
				      database));
}

static const struct route routes[] = {
	ROUTE(HTTP_GET, "/internal/replica", ROUTE_INTERNAL, "internal", ROUTE_NO_TX, replica),
};
extern const struct route_table internal_routes;
const struct route_table internal_routes = {routes, ARRAY_LEN(routes)};
