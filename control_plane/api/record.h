/* SPDX-License-Identifier: MIT
 *
 * What all resources have in common. Statements make two JSON texts of a row: its body as the feed has it
 * (docs/feed.md) and its view as the API shows it (docs/openapi.yaml). Here the body is judged by the hosts' own rules
 * before it is put into the feed, so that what a host would refuse comes back as a problem that names the field.
 */
#pragma once

#include "control_plane/http/router.h"
#include "records/records.h"
#include "json/json_read.h"

#define RECORD_ID_MAX 24U

/* Appended to statements' column lists: empty texts, lists and zeros are left out of bodies and views. */
#define SQL_LIST(column) "CASE WHEN " column " <> '{}' THEN to_jsonb(" column ") END"
#define SQL_TEXT(column) "nullif(" column ", '')"
#define SQL_NUMBER(column) "nullif(" column ", 0)"
#define SQL_FLAG(column) "nullif(" column ", false)"
/* A parameter that holds JSON's list of texts, as an array; NULL keeps what the column has. */
#define SQL_SET_LIST(column, number)                                 \
	column " = CASE WHEN " number "::jsonb IS NULL THEN " column \
	       " ELSE ARRAY(SELECT jsonb_array_elements_text(" number "::jsonb)) END"
#define SQL_SET(column, number) column " = coalesce(" number ", " column ")"
#define SQL_SET_AS(column, number, type) column " = coalesce(" number "::" type ", " column ")"
#define SQL_NEW_LIST(number) "ARRAY(SELECT jsonb_array_elements_text(coalesce(" number ", '[]')::jsonb))"

/* "usr_" and 16 random digits, in the arena; NULL: out of memory or no random bytes. */
const char *record_new_id(struct request *request, const char *prefix);
/* A number as a parameter. */
const char *record_number(struct request *request, int64_t number);
/* JSON as a parameter: NULL stays NULL. 0 or -ENOMEM. */
int record_json_text(struct request *request, const json_t *json, const char **ret);
/* A column's JSON. 0 or -errno. */
int record_json(const struct db_rows *rows, uint32_t row, unsigned column, json_t **ret);

/* The request's change, for its tenant: made when it is first wanted. NULL: out of memory. */
struct change *record_change(struct request *request);
/* Takes a body from the database into the change. Columns of `row`: version, body. 0; 1: a problem was set (a host
 * would refuse it: the field is named); -errno. */
int record_put(struct request *request, struct change *change, enum record_kind kind, const char *id,
	       const struct db_rows *rows, uint32_t row);
/* A body that is no column as it stands; its reference is taken. */
int record_put_body(struct request *request, struct change *change, enum record_kind kind, const char *id,
		    uint64_t version, json_t *body);
/* The same for the request's own tenant. */
int record_publish(struct request *request, enum record_kind kind, const char *id, const struct db_rows *rows);
/* Answers with a view. Columns of row 0: version, body, view. */
int record_answer(struct request *request, unsigned status, const struct db_rows *rows);
/* 201 with Location: `path` below the request's own. */
int record_created(struct request *request, const char *id, const struct db_rows *rows);
/* Answers with a page. Rows: id, view; one more than the page holds when there is more. */
int record_page(struct request *request, const struct page *page, const struct db_rows *rows);
/* Answers with a page of the tenant's records, or with the one that the path's second parameter names. `select`: of the
 * columns of record_page by $1 the tenant, $2 what comes before the page, $3 the limit; of record_answer by $1 the
 * tenant, $2 the name in the path. `what`: for people. */
int record_list(struct request *request, const char *what, const char *select);
int record_get(struct request *request, const char *what, const char *select);
/* The parameter for LIMIT. */
const char *record_limit(struct request *request, const struct page *page);

/* A unique constraint is a conflict about a field; everything else is respond_db's. */
struct record_unique {
	const char *constraint, *field;
};
int record_fault(struct request *request, int result, const char *what, const struct record_unique *unique,
		 size_t count);

/* Counts up ids of the tenant's block and publishes the tenant, whose body says what is next. 0 with the first of
 * `count`; 1: a problem was set (the block is used up). */
int record_take_ids(struct request *request, unsigned count, int64_t *ret);
/* The same, wanted (db_want) for a statement that goes with it in one round trip and finds the first id by itself … */
int record_want_ids(struct request *request, unsigned count, struct db_rows **ret);
#define SQL_TAKEN_ID(tenant, count) "(SELECT id_next - " count "::bigint FROM control.tenants WHERE id = " tenant ")"
/* … and then: 0; 1; -errno. */
int record_taken_ids(struct request *request, const struct db_rows *rows);
/* Locks the tenant's row and publishes it with one version more. 0; 1; -errno. */
int record_touch_tenant(struct request *request);
