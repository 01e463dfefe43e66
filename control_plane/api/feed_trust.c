/* SPDX-License-Identifier: MIT
 *
 * What operators do about a tenant's feed: look at it, change its keys, begin a new epoch.
 */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/events.h"
#include "control_plane/app.h"
#include "control_plane/feed/trust.h"
#include "json/json_read.h"

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static int show(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *keys = NULL, *sums = NULL;
	_cleanup_(json_decrefp) json_t *list = json_array();
	struct feed_row row;
	char chain[2 * SHA256_BYTES + 1];
	int r = feed_row_get(request->tx, request->tenant_id, &row);

	if (r == -ENOENT)
		return respond_problem(request, PROBLEM_NOT_FOUND, NULL);
	if (r == 0)
		r = db_run(request->tx, &keys,
			   "SELECT vkey FROM feed_keys WHERE tenant_id = $1 AND signs ORDER BY created_at, vkey",
			   request->tenant_id);
	if (r == 0)
		r = db_run(request->tx, &sums,
			   "SELECT (SELECT count(*) FROM feed_records WHERE tenant_id = $1), "
			   "(SELECT count(*) FROM feed_deltas WHERE tenant_id = $1), "
			   "(SELECT coalesce(max(s.revision), 0) FROM feed_snapshots s JOIN feeds f "
			   "USING (tenant_id, epoch) WHERE s.tenant_id = $1)",
			   request->tenant_id);
	if (r < 0)
		return respond_db(request, r, "feed");
	for (uint32_t i = 0; i < db_row_count(keys); i++)
		if (json_array_append_new(list, json_string(db_text(keys, i, 0))) < 0)
			return -ENOMEM;
	text_to_hex(row.chain, sizeof(row.chain), chain);
	return respond_json(request, 200,
			    json_pack("{s:s, s:o, s:o, s:s, s:o, s:o, s:O, s:o, s:o, s:o}", "origin", row.origin,
				      "epoch", number(row.epoch), "revision", number(row.revision), "chain", chain,
				      "head_issued", json_integer(row.head_issued), "trust_version",
				      number(row.trust_version), "keys", list, "records",
				      json_integer(db_i64(sums, 0, 0)), "deltas", json_integer(db_i64(sums, 0, 1)),
				      "snapshot_revision", json_integer(db_i64(sums, 0, 2))));
}

struct rotation {
	bool finish;
};
static const struct json_field rotation_fields[] = {
	{"finish", JSON_FIELD_BOOL, offsetof(struct rotation, finish), 0},
};

static int rotate(struct request *request)
{
	struct rotation rotation = {0};
	uint64_t version;
	int r;

	if (request_fields(request, rotation_fields, ARRAY_LEN(rotation_fields), &rotation))
		return 0;
	r = trust_rotate(request->app->publisher, request->tx, request->tenant_id, rotation.finish, &version);
	if (r == -ENOENT)
		return respond_problem(request, PROBLEM_NOT_FOUND, NULL);
	if (r == -EALREADY)
		return respond_problem(request, PROBLEM_CONFLICT, "%s",
				       rotation.finish ? "no change of keys is under way"
						       : "a change of keys is under way: finish it first");
	if (r == 0)
		r = event_write(request, rotation.finish ? "feed.key.rotated" : "feed.key.rotate", request->tenant_id,
				json_pack("{s:o}", "trust_version", number(version)));
	return r < 0 ? respond_db(request, r, "feed")
		     : respond_json(request, 200, json_pack("{s:o}", "trust_version", number(version)));
}

static int new_epoch(struct request *request)
{
	struct feed_row row;
	int r = trust_new_epoch(request->app->publisher, request->tx, request->tenant_id, &row);

	if (r == -ENOENT)
		return respond_problem(request, PROBLEM_NOT_FOUND, NULL);
	if (r == 0)
		r = event_write(request, "feed.epoch", request->tenant_id,
				json_pack("{s:o}", "epoch", number(row.epoch)));
	return r < 0 ? respond_db(request, r, "feed")
		     : respond_json(request, 200,
				    json_pack("{s:o, s:o, s:o}", "epoch", number(row.epoch), "revision",
					      number(row.revision), "trust_version", number(row.trust_version)));
}

#define FEED "/v1/tenants/{tenant}/feed"

static const struct route routes[] = {
	ROUTE(HTTP_GET, FEED, ROUTE_OPERATOR, "host.view", 0, show),
	ROUTE(HTTP_POST, FEED "/keys", ROUTE_OPERATOR, "platform.manage", ROUTE_WRITES, rotate),
	ROUTE(HTTP_POST, FEED "/epochs", ROUTE_OPERATOR, "platform.manage", ROUTE_WRITES | ROUTE_NO_BODY, new_epoch),
};
const struct route_table feed_trust_routes = {.routes = routes, .count = ARRAY_LEN(routes)};
