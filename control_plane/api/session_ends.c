/* SPDX-License-Identifier: MIT
 *
 * Ending sessions: an order in the tenant's signed feed, so that every host learns of it as it learns of all else, also
 * one that comes back only tomorrow. It is about what hosts have when they hear of it, never about what begins later.
 *
 * The answer says how many hosts know, and what became of the sessions that were known here when it was given.
 */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/api/acks_answer.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/events.h"
#include "control_plane/api/record.h"
#include "control_plane/api/revocations.h"
#include "control_plane/api/sessions.h"
#include "control_plane/api/users.h"

#define REASON_BYTES_MAX 200
#define ORDER_SEC (INT64_C(30) * 86400) /* so long a host may be away and still hear of it */

/* Which sessions, and when it was said. "" stands for any. */
struct order {
	const char *session, *user, *project, *host;
	int64_t at;
};

static int check_reason(struct request *request, const char *reason)
{
	if (strlen(reason) <= REASON_BYTES_MAX && text_is_printable(reason, strlen(reason)))
		return 0;
	respond_invalid(request, "reason", "at most %d printable bytes", REASON_BYTES_MAX);
	return 1;
}

/* ---- what becomes of them -------------------------------------------------------------------------------------------
 */

/* $1 the tenant, $2 … $5 which, $6 when. A newer order about the same session does not hide this one. */
/* clang-format off */
#define ORDERED_SQL \
	"s.tenant_id = $1 AND ($2 = '' OR s.id = $2) AND ($3 = '' OR s.user_id = $3) " \
	"AND ($4 = '' OR s.project_id = $4) AND ($5 = '' OR s.host_id = $5)"
/* clang-format on */

struct asked {
	struct order order;
	const char *at;
	int64_t count;
};

static int look(struct request *request, struct db_tx *tx, const void *context, json_t *answer)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const struct asked *asked = context;
	const struct order *order = &asked->order;
	int64_t left, away;
	int r = db_run(tx, &rows,
		       SESSION_HOSTS_SQL
		       "SELECT count(*), count(*) FILTER (WHERE h.unknown IS NOT NULL) " SESSION_FROM_SQL
		       "WHERE " ORDERED_SQL " AND s.ordered >= $6::bigint",
		       request->tenant_id, order->session, order->user, order->project, order->host, asked->at);

	if (r < 0)
		return r;
	left = MIN_OF(db_i64(rows, 0, 0), asked->count);
	away = MIN_OF(db_i64(rows, 0, 1), left);
	if (json_object_set_new(answer, "sessions",
				json_pack("{s:I, s:I, s:I}", "asked", (json_int_t)asked->count, "gone",
					  (json_int_t)(asked->count - left), "away", (json_int_t)away)) < 0)
		return -ENOMEM;
	return left > away;
}

/* ---- giving the order -----------------------------------------------------------------------------------------------
 */

/* A host takes an order for what it has when it comes to know of it, by this time alone: two of one second would be
 * one, and what began between them would go on. The feed's row is locked. */
static int next_time(struct request *request, int64_t *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = revocations_lock(request);

	if (r == 0)
		r = db_run(request->tx, &rows,
			   "SELECT coalesce(max((body::jsonb ->> 'at')::bigint), 0) + 1 FROM control.feed_records "
			   "WHERE tenant_id = $1 AND kind = $2::smallint AND body::jsonb ->> 'of' IN ('session', "
			   "'sessions')",
			   request->tenant_id, record_number(request, RECORD_REVOCATION));
	if (r == 0)
		*ret = MAX_OF(db_i64(rows, 0, 0), request->now);
	return r;
}

/* A newer order about the same sessions says all that the older one did, and takes its place: else anybody could fill
 * the tenant's feed, and every host that follows it, by ending their own again and again. */
static int find_same(struct request *request, const struct order *order, const char **id)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = revocations_lock(request);

	if (r == 0)
		r = db_run(
			request->tx, &rows,
			"SELECT id FROM (SELECT id, body::jsonb AS b FROM control.feed_records WHERE tenant_id = $1 "
			"AND kind = $2::smallint) o WHERE b ->> 'of' = 'sessions' AND coalesce(b ->> 'user', '') = $3 "
			"AND coalesce(b ->> 'project', '') = $4 AND coalesce(b ->> 'host', '') = $5 "
			"ORDER BY (b ->> 'at')::bigint DESC LIMIT 1",
			request->tenant_id, record_number(request, RECORD_REVOCATION), order->user, order->project,
			order->host);
	if (r < 0 || db_row_count(rows) == 0)
		return r;
	*id = request_copy(request, db_text(rows, 0, 0));
	return *id ? 0 : -ENOMEM;
}

static int put_if(json_t *object, const char *name, const char *text)
{
	return *text && json_object_set_new(object, name, json_string(text)) < 0 ? -ENOMEM : 0;
}

/* What the order says of whose sessions, for the feed, the event and the answer. */
static int put_selectors(json_t *object, const struct order *order, const char *reason)
{
	int r = put_if(object, "user", order->user);

	if (r == 0)
		r = put_if(object, "project", order->project);
	if (r == 0)
		r = put_if(object, "host", order->host);
	return r < 0 ? r : put_if(object, "reason", reason);
}

static int publish(struct request *request, const struct order *order, const char *id, const char *reason)
{
	json_int_t at = order->at, until = at + ORDER_SEC;
	_cleanup_(json_decrefp) json_t *body =
		json_pack("{s:s, s:I, s:I}", "of", *order->session ? "session" : "sessions", "at", at, "until", until);
	int r = body ? put_selectors(body, order, reason) : -ENOMEM;

	return r < 0 ? r : revocations_publish(request, id, json_incref(body));
}

/* Marks what it is about, so that it can be counted. */
static int mark(struct request *request, struct asked *asked)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const struct order *order = &asked->order;
	int r;

	asked->at = record_number(request, order->at);
	r = db_run(request->tx, &rows, "UPDATE control.sessions s SET ordered = $6::bigint WHERE " ORDERED_SQL,
		   request->tenant_id, order->session, order->user, order->project, order->host, asked->at);
	if (r == 0)
		asked->count = (int64_t)db_affected(rows);
	return r;
}

/* `view` (taken) is what the answer begins with; `data` (taken) what the event says. */
static int give(struct request *request, const struct order *order, const char *id, const char *reason, json_t *view,
		json_t *data)
{
	_cleanup_(json_decrefp) json_t *own = view, *event = data;
	struct acks_more *more = arena_alloc(&request->arena, sizeof(*more));
	struct asked *asked = arena_alloc(&request->arena, sizeof(*asked));
	int r;

	if (!more || !asked || !own || !event)
		return -ENOMEM;
	*asked = (struct asked){.order = *order};
	*more = (struct acks_more){.look = look, .context = asked};
	r = next_time(request, &asked->order.at);
	if (r == 0)
		r = publish(request, &asked->order, id, reason);
	if (r == 0)
		r = mark(request, asked);
	if (r == 0 && (json_object_set_new(event, "sessions", json_integer(asked->count)) < 0 ||
		       json_object_set_new(own, "ordered_at", json_integer(asked->order.at)) < 0))
		r = -ENOMEM;
	if (r == 0)
		r = event_write(request, "session.end", id, TAKE_PTR(event));
	if (r < 0)
		return respond_db(request, r, "session");
	return acks_answer_more(request, 200, 1, TAKE_PTR(own), more);
}

static int end_one(struct request *request)
{
	const struct json_field field = {"reason", JSON_FIELD_STRING, 0, 0};
	_cleanup_(json_decrefp) json_t *view = NULL, *data = NULL;
	struct order order = {.user = "", .project = "", .host = ""};
	const char *reason = "";
	int r;

	if (request_fields(request, &field, 1, &reason) != 0 || check_reason(request, reason) != 0)
		return 0;
	r = sessions_find(request, &view);
	if (r != 0)
		return r < 0 ? respond_db(request, r, "session") : 0;
	order.session = request->params[1];
	data = json_pack("{s:O, s:O, s:s}", "user", json_object_get(view, "user"), "host",
			 json_object_get(view, "host"), "reason", reason);
	return give(request, &order, order.session, reason, TAKE_PTR(view), TAKE_PTR(data));
}

/* ---- whose ----------------------------------------------------------------------------------------------------------
 */

struct selectors {
	const char *user, *project, *host, *reason;
	bool all;
};
static const struct json_field selector_fields[] = {
	{"user", JSON_FIELD_STRING, offsetof(struct selectors, user), 0},
	{"project", JSON_FIELD_STRING, offsetof(struct selectors, project), 0},
	{"host", JSON_FIELD_STRING, offsetof(struct selectors, host), 0},
	{"all", JSON_FIELD_BOOL, offsetof(struct selectors, all), 0},
	{"reason", JSON_FIELD_STRING, offsetof(struct selectors, reason), 0},
};

static int not_found(struct request *request, const char *what)
{
	respond_problem(request, PROBLEM_NOT_FOUND, "there is no such %s", what);
	return 1;
}

/* The project's id. Who does not look after all of the tenant's sessions names a project where they look after them, or
 * (`own`) just one of theirs; one in which they have nothing is not theirs to know of. */
static int find_project(struct request *request, const struct sessions_reach *reach, bool own, const char *name,
			const char **ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "SELECT s.project_id, " SESSION_IN_REACH_SQL ", EXISTS (SELECT FROM control.members n WHERE "
		       "n.tenant_id = $1 AND n.user_id = $2 AND n.project_id = s.project_id) "
		       "FROM (SELECT id AS project_id, ''::text AS user_id FROM control.projects WHERE tenant_id = $1 "
		       "AND (id = $5 OR slug = $5) ORDER BY id = $5 DESC LIMIT 1) s",
		       request->tenant_id, reach->user, reach->roles, reach->source, name);

	if (r < 0)
		return r;
	if (db_row_count(rows) == 0 || (!db_bool(rows, 0, 1) && !db_bool(rows, 0, 2)))
		return not_found(request, "project");
	if (!db_bool(rows, 0, 1) && !own) {
		respond_problem(request, PROBLEM_FORBIDDEN, "your role in the project does not allow this");
		return 1;
	}
	*ret = request_copy(request, db_text(rows, 0, 0));
	return *ret ? 0 : -ENOMEM;
}

/* Hosts that serve the tenant, and those that did and whose last word is still here. */
static int find_host(struct request *request, const char *name, const char **ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "SELECT x.id FROM (SELECT h.id, h.name FROM control.hosts h JOIN control.host_tenants t "
		       "ON t.host_id = h.id WHERE t.tenant_id = $1 UNION ALL SELECT r.host_id, r.host_name "
		       "FROM control.session_reports r WHERE r.tenant_id = $1) x "
		       "WHERE x.id = $2 OR x.name = $2 ORDER BY x.id = $2 DESC LIMIT 1",
		       request->tenant_id, name);

	if (r < 0)
		return r;
	if (db_row_count(rows) == 0)
		return not_found(request, "host");
	*ret = request_copy(request, db_text(rows, 0, 0));
	return *ret ? 0 : -ENOMEM;
}

/* 0: they may; 1; -errno. */
static int find_selectors(struct request *request, const struct selectors *form, struct order *order)
{
	const struct principal *caller = &request->principal;
	struct sessions_reach reach;
	bool own = form->user && caller->kind == PRINCIPAL_USER &&
		   (text_equal(form->user, caller->id) || text_equal(form->user, caller->name));
	int r = sessions_reach(request, &reach);

	/* Whoever ends only their own needs nobody's leave; else it takes all, or a project. */
	if (r == 0 && *reach.user && !own && !form->project) {
		respond_problem(request, PROBLEM_FORBIDDEN, "your role does not allow this");
		return 1;
	}
	if (r == 0 && form->project)
		r = find_project(request, &reach, own, form->project, &order->project);
	if (r == 0 && form->user)
		r = users_find(request, form->user, &order->user);
	if (r == 0 && form->host)
		r = find_host(request, form->host, &order->host);
	return r;
}

static int end_many(struct request *request)
{
	struct selectors form = {.reason = ""};
	struct order order = {.session = "", .user = "", .project = "", .host = ""};
	_cleanup_(json_decrefp) json_t *view = NULL, *data = NULL;
	const char *id = record_new_id(request, "end_");
	int r;

	if (!id)
		return -ENOMEM;
	if (request_fields(request, selector_fields, ARRAY_LEN(selector_fields), &form) != 0 ||
	    check_reason(request, form.reason) != 0)
		return 0;
	if (form.all == (form.user || form.project || form.host))
		return respond_invalid(request, "all", "say whose sessions (user, project, host), or that it is all");
	r = find_selectors(request, &form, &order);
	if (r == 0)
		r = find_same(request, &order, &id);
	if (r != 0)
		return r < 0 ? respond_db(request, r, "session") : 0;
	view = json_pack("{s:s}", "id", id);
	data = json_object();
	if (!view || !data || put_selectors(view, &order, form.reason) < 0 ||
	    put_selectors(data, &order, form.reason) < 0)
		return -ENOMEM;
	return give(request, &order, id, form.reason, TAKE_PTR(view), TAKE_PTR(data));
}

static const struct route routes[] = {
	ROUTE(HTTP_POST, "/v1/tenants/{tenant}/sessions/end", ROUTE_TENANT, "self:session.manage", ROUTE_WRITES,
	      end_many),
	ROUTE(HTTP_POST, "/v1/tenants/{tenant}/sessions/{session}/end", ROUTE_TENANT, "self:session.manage",
	      ROUTE_WRITES, end_one),
};
const struct route_table session_ends_routes = {routes, ARRAY_LEN(routes)};
