/* SPDX-License-Identifier: MIT */
#include "control_plane/api/record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control_plane/api/tenant_sql.h"
#include "control_plane/feed/change.h"
#include "crypto/api_key.h"
#include "records/record_json.h"

#define ID_DIGITS 16U

const char *record_new_id(struct request *request, const char *prefix)
{
	char digits[ID_DIGITS + 1];

	return base62_random(digits, ID_DIGITS) < 0 ? NULL : request_text(request, "%s%s", prefix, digits);
}

const char *record_number(struct request *request, int64_t number)
{
	return request_text(request, "%lld", (long long)number);
}

int record_json_text(struct request *request, const json_t *json, const char **ret)
{
	char *text;

	*ret = NULL;
	if (!json)
		return 0;
	text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
	*ret = text ? request_copy(request, text) : NULL;
	free(text);
	return *ret ? 0 : -ENOMEM;
}

int record_json(const struct db_rows *rows, uint32_t row, unsigned column, json_t **ret)
{
	const char *text = db_text(rows, row, column);
	struct problem problem = {0};

	return json_read(text, strlen(text), ret, &problem);
}

/* ---- into the feed --------------------------------------------------------------------------------------------------
 */

struct change *record_change(struct request *request)
{
	if (!request->change && change_new(request->tenant_id, &request->change) < 0)
		return NULL;
	return request->change;
}

static const char *store_text(void *context, const char *text, size_t length)
{
	return arena_strndup(context, text, length);
}

static void *store_room(void *context, size_t size)
{
	return arena_alloc(context, size);
}

/* The field is what the problem's text quotes first: "login" is not a login name … */
static const char *field_of(struct request *request, const char *text)
{
	const char *open = strchr(text, '"'), *close = open ? strchr(open + 1, '"') : NULL;

	return close ? request_text(request, "%.*s", (int)(close - open - 1), open + 1) : NULL;
}

int record_put_body(struct request *request, struct change *change, enum record_kind kind, const char *id,
		    uint64_t version, json_t *body)
{
	const struct record_store store = {.text = store_text, .room = store_room, .context = &request->arena};
	_cleanup_(json_decrefp) json_t *taken = body;
	struct problem problem = {0};
	union any_record record;
	const char *field;
	int r;

	if (!change || !taken)
		return -ENOMEM;
	r = record_read_json(kind, request->tenant_id ? request->tenant_id : id, id, body, &store, &record, &problem);
	if (r == -EINVAL) {
		field = field_of(request, problem.text);
		respond_invalid(request, field ? field : "body", "%s%s%s", problem.text, *problem.remedy ? ": " : "",
				problem.remedy);
		return 1;
	}
	if (r < 0)
		return r;
	change_put(change, kind, id, version, TAKE_PTR(taken));
	return 0;
}

int record_put(struct request *request, struct change *change, enum record_kind kind, const char *id,
	       const struct db_rows *rows, uint32_t row)
{
	json_t *body = NULL;
	int r = record_json(rows, row, 1, &body);

	return r < 0 ? r : record_put_body(request, change, kind, id, (uint64_t)db_i64(rows, row, 0), body);
}

int record_publish(struct request *request, enum record_kind kind, const char *id, const struct db_rows *rows)
{
	return record_put(request, record_change(request), kind, id, rows, 0);
}

/* ---- answers --------------------------------------------------------------------------------------------------------
 */

int record_answer(struct request *request, unsigned status, const struct db_rows *rows)
{
	json_t *view = NULL;
	int r = record_json(rows, 0, 2, &view);

	return r < 0 ? r : respond_record(request, status, (uint64_t)db_i64(rows, 0, 0), view);
}

int record_created(struct request *request, const char *id, const struct db_rows *rows)
{
	respond_header(request, "Location", request_text(request, "%s/%s", request->path, id));
	return record_answer(request, 201, rows);
}

const char *record_limit(struct request *request, const struct page *page)
{
	return record_number(request, (int64_t)page->limit + 1);
}

int record_page(struct request *request, const struct page *page, const struct db_rows *rows)
{
	uint32_t count = MIN_OF(db_row_count(rows), page->limit);
	_cleanup_(json_decrefp) json_t *items = json_array();

	for (uint32_t i = 0; i < count; i++) {
		json_t *view = NULL;
		int r = record_json(rows, i, 1, &view);

		if (r < 0)
			return r;
		if (json_array_append_new(items, view) < 0)
			return -ENOMEM;
	}
	return respond_page(request, TAKE_PTR(items),
			    db_row_count(rows) > page->limit ? db_text(rows, count - 1, 0) : NULL);
}

int record_list(struct request *request, const char *what, const char *select)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct page page;
	int r;

	if (request_page(request, &page) != 0)
		return 0;
	r = db_run(request->tx, &rows, select, request->tenant_id, page.after, record_limit(request, &page));
	return r < 0 ? respond_db(request, r, what) : record_page(request, &page, rows);
}

int record_get(struct request *request, const char *what, const char *select)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows, select, request->tenant_id, request->params[1]);

	if (r < 0)
		return respond_db(request, r, what);
	return db_row_count(rows) == 0 ? respond_problem(request, PROBLEM_NOT_FOUND, NULL)
				       : record_answer(request, 200, rows);
}

int record_fault(struct request *request, int result, const char *what, const struct record_unique *unique,
		 size_t count)
{
	const char *constraint = result == -EEXIST ? db_constraint(request->tx) : NULL;

	for (size_t i = 0; constraint && i < count; i++)
		if (strcmp(unique[i].constraint, constraint) == 0)
			return respond_problem(request, PROBLEM_CONFLICT, "this %s is taken", unique[i].field);
	return respond_db(request, result, what);
}

/* ---- the tenant's block
 * ---------------------------------------------------------------------------------------------- */

#define TAKE_IDS_SQL                                                                          \
	"UPDATE control.tenants t SET id_next = id_next + $2::bigint, version = version + 1 " \
	"WHERE id = $1 AND id_next + $2::bigint <= id_first + id_count "                      \
	"RETURNING version, " TENANT_BODY_SQL ", id_next - $2::bigint"

int record_want_ids(struct request *request, unsigned count, struct db_rows **ret)
{
	return db_want(request->tx, ret, TAKE_IDS_SQL, request->tenant_id, record_number(request, count));
}

int record_taken_ids(struct request *request, const struct db_rows *rows)
{
	if (db_row_count(rows) == 0) {
		respond_problem(request, PROBLEM_CONFLICT, "the tenant's block of uids and gids is used up");
		return 1;
	}
	return record_publish(request, RECORD_TENANT, request->tenant_id, rows);
}

int record_take_ids(struct request *request, unsigned count, int64_t *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows, TAKE_IDS_SQL, request->tenant_id, record_number(request, count));

	if (r == 0)
		r = record_taken_ids(request, rows);
	if (r == 0)
		*ret = db_i64(rows, 0, 2);
	return r;
}

int record_touch_tenant(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "UPDATE control.tenants t SET version = version + 1 WHERE id = $1 "
		       "RETURNING version, " TENANT_BODY_SQL,
		       request->tenant_id);

	return r < 0 ? r : record_publish(request, RECORD_TENANT, request->tenant_id, rows);
}
