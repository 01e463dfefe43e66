/* SPDX-License-Identifier: MIT
 *
 * What hosts say about sessions on them, for each tenant apart: a whole list once, in parts, and from then on what
 * changed, so that a report is as large as what it reports.
 *
 * A host is believed about itself and nothing else. A session belongs to the host that reported it first; who it is of
 * must be a person of this tenant, or have been one when the session was first reported. What does not fit is left out
 * and counted, so that one bad line does not hide all others.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/record.h"
#include "control_plane/api/sessions.h"
#include "control_plane/app.h"
#include "control_plane/feed/publisher.h"
#include "json/json_read.h"

#define ID_DIGITS 16U
#define PART_MAX 9007199254740991ULL
#define SESSIONS_PER_PART 500U
#define GONE_PER_PART 2000U
#define SESSIONS_PER_HOST 8192 /* as many as a host's own table holds */
#define TEXT_BYTES_MAX 128U
#define BASE62 "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* ---- what it may look like ------------------------------------------------------------------------------------------
 */

static bool is_id(const char *text, const char *prefix)
{
	size_t length = strlen(prefix);

	return text_starts(text, prefix) && strlen(text) == length + ID_DIGITS &&
	       strspn(text + length, BASE62) == ID_DIGITS;
}

struct line {
	const char *id, *user, *project, *role, *service, *source, *terminal, *credential, *provider, *grant,
		*operator_name, *state, *cause;
	int64_t opened;
};
#define LINE(name_, type_, field_, flags_)                                           \
	{                                                                            \
		(name_), JSON_FIELD_##type_, offsetof(struct line, field_), (flags_) \
	}
static const struct json_field line_fields[] = {
	LINE("id", STRING, id, JSON_FIELD_REQUIRED),
	LINE("user", STRING, user, JSON_FIELD_REQUIRED),
	LINE("project", STRING, project, 0),
	LINE("role", STRING, role, 0),
	LINE("service", STRING, service, 0),
	LINE("source", STRING, source, 0),
	LINE("terminal", STRING, terminal, 0),
	LINE("credential", STRING, credential, 0),
	LINE("provider", STRING, provider, 0),
	LINE("grant", STRING, grant, 0),
	LINE("operator", STRING, operator_name, 0),
	LINE("opened", I64, opened, JSON_FIELD_REQUIRED),
	LINE("state", STRING, state, JSON_FIELD_REQUIRED),
	LINE("cause", STRING, cause, 0),
};

/* 1: a problem was set. */
static int check_line(struct request *request, json_t *object)
{
	struct line line = {.project = "", .cause = ""};
	struct problem problem = {0};
	const char *field = NULL;

	if (!json_is_object(object) ||
	    json_fields(object, line_fields, ARRAY_LEN(line_fields), &line, &field, &problem) < 0) {
		respond_invalid(request, "sessions", "%s", problem.text[0] ? problem.text : "an object each");
		return 1;
	}
	for (size_t i = 0; i < ARRAY_LEN(line_fields); i++) {
		const json_t *value = json_object_get(object, line_fields[i].name);

		if (json_is_string(value) && (json_string_length(value) > TEXT_BYTES_MAX ||
					      !text_is_printable(json_string_value(value), json_string_length(value))))
			field = line_fields[i].name;
	}
	if (field) {
		respond_invalid(request, "sessions", "\"%s\": at most %u printable bytes", field, TEXT_BYTES_MAX);
		return 1;
	}
	if (!is_id(line.id, ""))
		field = "id";
	else if (!is_id(line.user, "usr_"))
		field = "user";
	else if (*line.project && !is_id(line.project, "prj_"))
		field = "project";
	else if (!sessions_know_state(line.state))
		field = "state";
	else if (*line.cause && !text_is_word(line.cause))
		field = "cause";
	else if (line.opened < 0)
		field = "opened";
	if (field)
		respond_invalid(request, "sessions", "\"%s\" is not what it should be", field);
	return field ? 1 : 0;
}

struct report {
	const char *list;
	uint64_t part;
	bool complete;
	json_t *sessions, *gone;
};
static const struct json_field report_fields[] = {
	{"list", JSON_FIELD_STRING, offsetof(struct report, list), JSON_FIELD_REQUIRED},
	{"part", JSON_FIELD_U64, offsetof(struct report, part), JSON_FIELD_REQUIRED},
	{"complete", JSON_FIELD_BOOL, offsetof(struct report, complete), JSON_FIELD_REQUIRED},
	{"sessions", JSON_FIELD_ARRAY, offsetof(struct report, sessions), 0},
	{"gone", JSON_FIELD_STRINGS, offsetof(struct report, gone), 0},
};

/* Nothing is said twice in one report: which of the two would be so? 1: a problem was set. */
static int check_once(struct request *request, json_t *seen, const char *id, const char *field)
{
	if (json_object_get(seen, id)) {
		respond_invalid(request, field, "%s is there twice", id);
		return 1;
	}
	return json_object_set_new(seen, id, json_true()) < 0 ? -ENOMEM : 0;
}

static int check_report(struct request *request, const struct report *report)
{
	_cleanup_(json_decrefp) json_t *seen = json_object();
	json_t *item;
	size_t i;
	int r = 0;

	if (!is_id(report->list, "")) {
		respond_invalid(request, "list", "%u letters and digits", ID_DIGITS);
		return 1;
	}
	if (report->part == 0 || report->part > PART_MAX) {
		respond_invalid(request, "part", "a number from 1 on");
		return 1;
	}
	if (json_array_size(report->sessions) > SESSIONS_PER_PART) {
		respond_invalid(request, "sessions", "at most %u in one part", SESSIONS_PER_PART);
		return 1;
	}
	if (json_array_size(report->gone) > GONE_PER_PART) {
		respond_invalid(request, "gone", "at most %u in one part", GONE_PER_PART);
		return 1;
	}
	json_array_foreach(report->sessions, i, item)
	{
		if (r == 0)
			r = check_line(request, item);
		if (r == 0)
			r = check_once(request, seen, json_string_value(json_object_get(item, "id")), "sessions");
	}
	json_array_foreach(report->gone, i, item)
	{
		if (r == 0 && !is_id(json_string_value(item), "")) {
			respond_invalid(request, "gone", "the ids of sessions");
			r = 1;
		}
		if (r == 0)
			r = check_once(request, seen, json_string_value(item), "gone");
	}
	return r;
}

/* ---- where it goes on -----------------------------------------------------------------------------------------------
 */

static int respond_left_out(struct request *request, int64_t left_out)
{
	return respond_json(request, 200, json_pack("{s:I}", "left_out", (json_int_t)left_out));
}

/* The host's row, locked: its parts come one after the other, whichever replicas they come to. 0: this part is next;
 * 1: answered (it was here before, or is not what comes next); -errno. */
static int take_part(struct request *request, const struct report *report)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *complete = report->complete ? "true" : "false", *host = request->principal.id;
	uint64_t part = 0;
	bool same = false;
	int r = db_run(request->tx, &rows,
		       "SELECT list, part, complete FROM control.session_reports WHERE tenant_id = $1 AND host_id = $2 "
		       "FOR UPDATE",
		       request->tenant_id, host);

	if (r == 0 && db_row_count(rows) > 0) {
		same = text_equal(db_text(rows, 0, 0), report->list);
		part = (uint64_t)db_i64(rows, 0, 1);
	}
	if (r == 0 && same && report->part <= part) {
		respond_left_out(request, 0); /* the answer was lost on its way */
		return 1;
	}
	if (r == 0 && report->part != (same ? part + 1 : 1)) {
		respond_problem(request, PROBLEM_CONFLICT,
				"this part does not follow what is here: send the whole list");
		return 1;
	}
	if (r == 0 && same && db_bool(rows, 0, 2) && !report->complete) {
		respond_invalid(request, "complete", "a list that was complete stays so");
		return 1;
	}
	if (r < 0)
		return r;
	return db_later(
		request->tx,
		"INSERT INTO control.session_reports AS r (tenant_id, host_id, host_name, list, part, complete) "
		"VALUES ($1, $2, $3, $4, $5::bigint, $6::boolean) ON CONFLICT (tenant_id, host_id) DO UPDATE SET "
		"host_name = excluded.host_name, list = excluded.list, part = excluded.part, "
		"complete = excluded.complete, at = now()",
		request->tenant_id, host, request->principal.name, report->list,
		record_number(request, (int64_t)report->part), complete);
}

/* ---- what it says ---------------------------------------------------------------------------------------------------
 */

/* $1 the tenant, $2 the host, $3 the list, $4 the sessions. Who and where must be of this tenant now; a session that is
 * known already keeps both, whatever became of them meanwhile. */
/* clang-format off */
#define PUT_SQL \
	"INSERT INTO control.sessions AS s (tenant_id, id, host_id, list, user_id, project_id, role, service, " \
	"source, terminal, credential, provider, grant_id, operator_name, opened, state, cause) " \
	"SELECT $1, x.id, $2, $3, x.\"user\", coalesce((SELECT p.id FROM control.projects p WHERE p.tenant_id = $1 " \
	"AND p.id = x.project), (SELECT o.project_id FROM control.sessions o WHERE o.tenant_id = $1 " \
	"AND o.id = x.id AND o.project_id = x.project), ''), " \
	"coalesce(x.role, ''), coalesce(x.service, ''), coalesce(x.source, ''), coalesce(x.terminal, ''), " \
	"coalesce(x.credential, ''), coalesce(x.provider, ''), coalesce(x.\"grant\", ''), " \
	"coalesce(x.operator, ''), x.opened, x.state, coalesce(x.cause, '') " \
	"FROM jsonb_to_recordset($4::jsonb) AS x (id text, \"user\" text, project text, role text, service text, " \
	"source text, terminal text, credential text, provider text, \"grant\" text, operator text, opened bigint, " \
	"state text, cause text) " \
	"WHERE coalesce((SELECT true FROM control.users u WHERE u.tenant_id = $1 AND u.id = x.\"user\"), " \
	"(SELECT o.host_id = $2 AND o.user_id = x.\"user\" FROM control.sessions o WHERE o.tenant_id = $1 " \
	"AND o.id = x.id), false) ORDER BY x.id " \
	"ON CONFLICT (tenant_id, id) DO UPDATE SET list = excluded.list, project_id = excluded.project_id, " \
	"role = excluded.role, service = excluded.service, source = excluded.source, " \
	"terminal = excluded.terminal, credential = excluded.credential, provider = excluded.provider, " \
	"grant_id = excluded.grant_id, operator_name = excluded.operator_name, opened = excluded.opened, " \
	"state = excluded.state, cause = excluded.cause " \
	"WHERE s.host_id = excluded.host_id AND s.user_id = excluded.user_id"
/* clang-format on */

static int put_sessions(struct request *request, const struct report *report, int64_t *ret_left_out)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL, *count = NULL;
	const char *sessions;
	int r;

	*ret_left_out = 0;
	if (json_array_size(report->sessions) == 0)
		return 0;
	r = record_json_text(request, report->sessions, &sessions);
	if (r == 0)
		r = db_want(request->tx, &rows, PUT_SQL " RETURNING 1", request->tenant_id, request->principal.id,
			    report->list, sessions);
	if (r == 0)
		r = db_run(request->tx, &count,
			   "SELECT count(*) FROM control.sessions WHERE tenant_id = $1 AND host_id = $2",
			   request->tenant_id, request->principal.id);
	if (r < 0)
		return r;
	/* Those of the list before may still be here beside those of this one. */
	if (db_i64(count, 0, 0) > 2 * SESSIONS_PER_HOST) {
		respond_problem(request, PROBLEM_CONFLICT, "a host has at most %d sessions", SESSIONS_PER_HOST);
		return 1;
	}
	*ret_left_out = (int64_t)json_array_size(report->sessions) - db_row_count(rows);
	return 0;
}

static int take_gone(struct request *request, const struct report *report)
{
	const char *gone;
	int r = 0;

	if (json_array_size(report->gone) > 0) {
		r = record_json_text(request, report->gone, &gone);
		if (r == 0)
			r = db_later(request->tx,
				     "DELETE FROM control.sessions WHERE tenant_id = $1 AND host_id = $2 "
				     "AND id IN (SELECT jsonb_array_elements_text($3::jsonb))",
				     request->tenant_id, request->principal.id, gone);
	}
	/* While the list comes, what the one before said stands: nobody sees half of a host. */
	if (r == 0 && report->complete)
		r = db_later(request->tx,
			     "DELETE FROM control.sessions WHERE tenant_id = $1 AND host_id = $2 AND list <> $3",
			     request->tenant_id, request->principal.id, report->list);
	return r;
}

static int post(struct request *request)
{
	struct report report = {0};
	int64_t left_out;
	int r;

	if (request_fields(request, report_fields, ARRAY_LEN(report_fields), &report) != 0)
		return 0;
	r = check_report(request, &report);
	if (r == 0)
		r = take_part(request, &report);
	if (r == 0)
		r = put_sessions(request, &report, &left_out);
	if (r == 0)
		r = take_gone(request, &report);
	if (r != 0)
		return r < 0 ? respond_db(request, r, "sessions") : 0;
	return respond_left_out(request, left_out);
}

static const struct route routes[] = {
	ROUTE(HTTP_POST, "/v1/feeds/{tenant}/sessions", ROUTE_HOST, "host.report", ROUTE_WRITES, post),
};
const struct route_table session_reports_routes = {routes, ARRAY_LEN(routes)};
