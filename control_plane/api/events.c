/* SPDX-License-Identifier: MIT */
#include "control_plane/api/events.h"

#include <errno.h>

#include "base/log.h"
#include "base/parse.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/record.h"
#include "control_plane/app.h"

#define INSERT_SQL                                                                                                    \
	"INSERT INTO control.events (tenant_id, kind, outcome, actor, credential, source, request_id, target, data) " \
	"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, coalesce($9::jsonb, '{}'))"

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static int insert(struct request *request, struct db_tx *tx, const char *tenant_id, const char *actor, const char *kind,
		  const char *outcome, const char *target, json_t *data)
{
	_cleanup_(json_decrefp) json_t *own = data;
	const char *text;
	int r = record_json_text(request, own, &text);

	if (r < 0)
		return r;
	return db_later(tx, INSERT_SQL, or_empty(tenant_id), kind, outcome, or_empty(actor),
			or_empty(request->principal.credential), request->source_text, request->id, or_empty(target),
			text);
}

static const char *actor_of(const struct request *request)
{
	return request->principal.kind == PRINCIPAL_LOCAL ? "local" : request->principal.id;
}

int event_write(struct request *request, const char *kind, const char *target, json_t *data)
{
	return insert(request, request->tx, request->tenant_id, actor_of(request), kind, "success", target, data);
}

void event_failure(struct request *request, const char *tenant_id, const char *actor, const char *kind,
		   const char *target, json_t *data)
{
	const struct db_scope scope = {.tenant_id = tenant_id, .platform = !tenant_id};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	int r = db_begin(request->app->db, &scope, &tx);

	if (r < 0)
		json_decref(data);
	else
		r = insert(request, tx, tenant_id, actor ? actor : actor_of(request), kind, "failure", target, data);
	if (r == 0)
		r = db_commit(TAKE_PTR(tx));
	if (r < 0)
		log_warning("event %s about %s could not be written", kind, or_empty(target));
}

/* ---- reading --------------------------------------------------------------------------------------------------------
 */

#define VIEW_SQL                                                                                                 \
	"jsonb_build_object('id', id, 'at', extract(epoch FROM at), 'kind', kind, 'outcome', outcome, 'actor', " \
	"actor, "                                                                                                \
	"'credential', credential, 'source', source, 'request_id', request_id, 'target', target, 'data', data)"

/* Newest first, and by the primary key: the cursor is the last id of the page before. */
static int list_of(struct request *request, const char *tenant_id)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct page page;
	uint64_t before = INT64_MAX;
	int r = request_page(request, &page);

	if (r != 0)
		return 0;
	if (*page.after && (parse_u64(page.after, &before) < 0 || before > INT64_MAX))
		return respond_invalid(request, "cursor", "give what `next` said in the page before");
	r = db_run(request->tx, &rows,
		   "SELECT id, " VIEW_SQL " FROM control.events WHERE tenant_id = $1 AND id < $2::bigint "
		   "AND ($3::text IS NULL OR kind = $3) ORDER BY id DESC LIMIT $4::bigint",
		   tenant_id, record_number(request, (int64_t)before), request_query(request, "kind"),
		   record_limit(request, &page));
	return r < 0 ? respond_db(request, r, "events") : record_page(request, &page, rows);
}

static int list_tenant(struct request *request)
{
	return list_of(request, request->tenant_id);
}

static int list_platform(struct request *request)
{
	return list_of(request, "");
}

static const struct route routes[] = {
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}/events", ROUTE_TENANT, "audit.view", 0, list_tenant),
	ROUTE(HTTP_GET, "/v1/events", ROUTE_OPERATOR, "event.view", 0, list_platform),
};
const struct route_table events_routes = {routes, ARRAY_LEN(routes)};
