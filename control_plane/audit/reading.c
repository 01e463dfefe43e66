/* SPDX-License-Identifier: MIT */
#include "control_plane/audit/reading.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/secret.h"
#include "control_plane/app.h"
#include "control_plane/audit/persons.h"
#include "control_plane/feed/pg_array.h"

#define NUMBER_SIZE 24U
#define TIME_OPEN INT64_C(253402300799999) /* the end of the year 9999 */

enum { IDX, LEAF, EVENT_ID, KIND, HOST_ID, HOST_NAME, SEVERITY, TIME_MS, AT_MS };
#define COLUMNS_SQL                                                                                              \
	"e.idx, e.leaf, e.event_id, e.kind, e.host_id, e.host_name, e.severity_id, (extract(epoch FROM e.time) " \
	"* 1000)::bigint, (extract(epoch FROM e.at) * 1000)::bigint"
#define WHERE_SQL                                                                                                 \
	"e.tenant_id = $1 AND e.idx >= $2::bigint AND e.idx < $3::bigint "                                        \
	"AND ($4::text IS NULL OR e.actor = $4) AND ($5::text IS NULL OR e.project_id = $5) "                     \
	"AND ($6::text IS NULL OR e.host_id = $6) AND ($7::text IS NULL OR e.kind = $7) "                         \
	"AND ($8::text IS NULL OR e.event_id = $8) AND ($9::integer IS NULL OR e.class_uid = $9::integer) "       \
	"AND ($10::smallint IS NULL OR e.outcome = $10::smallint) "                                               \
	"AND ($11::bigint IS NULL OR e.time >= to_timestamp($11::bigint / 1000.0)) "                              \
	"AND ($12::bigint IS NULL OR e.time < to_timestamp($12::bigint / 1000.0)) "                               \
	"AND ($13::text IS NULL OR EXISTS (SELECT FROM control.audit_personal p WHERE p.tenant_id = e.tenant_id " \
	"AND p.idx = e.idx AND p.person = $13))"
#define UP_SQL \
	"SELECT " COLUMNS_SQL " FROM control.audit_entries e WHERE " WHERE_SQL " ORDER BY e.idx LIMIT $14::bigint"
#define DOWN_SQL                                                                                             \
	"SELECT " COLUMNS_SQL " FROM control.audit_entries e WHERE " WHERE_SQL " ORDER BY e.idx DESC LIMIT " \
	"$14::bigint"
#define PARAMS 14U

enum { P_IDX, P_PART, P_PERSON, P_SEALED };
#define PERSONAL_SQL                                                                                         \
	"SELECT p.idx, p.part, p.person, p.sealed FROM control.audit_personal p WHERE p.tenant_id = $1 AND " \
	"p.idx = ANY($2::bigint[]) ORDER BY p.idx, p.part"

/* One reading: rows of the log, and the personal data of them all. */
struct reading {
	struct db_rows *entries, *personal;
	struct person_keys *keys;
};

static void reading_finish(struct reading *reading)
{
	db_rows_free(reading->entries);
	db_rows_free(reading->personal);
	person_keys_free(reading->keys);
}

static const char *number_of(int64_t value, char out[NUMBER_SIZE])
{
	(void)snprintf(out, NUMBER_SIZE, "%" PRId64, value);
	return out;
}

static int read_entries(struct db_tx *tx, const char *log_id, const struct audit_filter *filter, uint32_t limit,
			struct db_rows **ret)
{
	char numbers[7][NUMBER_SIZE];
	int64_t to = filter->to == 0 || filter->to > INT64_MAX ? INT64_MAX : (int64_t)filter->to;
	int64_t from = filter->from > INT64_MAX ? INT64_MAX : (int64_t)filter->from;
	int64_t since = MIN_OF(filter->since_ms, TIME_OPEN), until = MIN_OF(filter->until_ms, TIME_OPEN);
	uint32_t class_uid = MIN_OF(filter->class_uid, (uint32_t)INT32_MAX);
	const char *values[PARAMS] = {
		log_id,
		number_of(from, numbers[0]),
		number_of(to, numbers[1]),
		filter->actor,
		filter->project_id,
		filter->host_id,
		filter->kind,
		filter->event_id,
		filter->class_uid ? number_of(class_uid, numbers[2]) : NULL,
		filter->outcome ? number_of(filter->outcome, numbers[3]) : NULL,
		filter->since_ms > 0 ? number_of(since, numbers[4]) : NULL,
		filter->until_ms > 0 ? number_of(until, numbers[5]) : NULL,
		filter->person,
		number_of(limit, numbers[6]),
	};

	return filter->newest_first ? db_query(tx, ret, DOWN_SQL, PARAMS, values)
				    : db_query(tx, ret, UP_SQL, PARAMS, values);
}

static int read_personal(struct db_tx *tx, const char *log_id, struct reading *reading)
{
	_cleanup_(buffer_finish) struct buffer indices = BUFFER_INIT;
	const char *array;

	for (uint32_t i = 0; i < db_row_count(reading->entries); i++)
		pg_array_add_u64(&indices, (uint64_t)db_i64(reading->entries, i, IDX));
	array = pg_array_end(&indices);
	return array ? db_run(tx, &reading->personal, PERSONAL_SQL, log_id, array) : -ENOMEM;
}

static int read_keys(struct app *app, struct db_tx *tx, const char *log_id, struct reading *reading)
{
	_cleanup_(freep) const char **persons = NULL;
	uint32_t count = db_row_count(reading->personal);

	persons = calloc(MAX_OF(count, 1U), sizeof(*persons));
	if (!persons)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		persons[i] = db_text(reading->personal, i, P_PERSON);
	return person_keys_load(&app->seal_key, tx, log_id, persons, count, false, &reading->keys);
}

/* ---- rows -----------------------------------------------------------------------------------------------------------
 */

/* Is it what the leaf was bound to? */
static bool fits(const struct leaf *leaf, uint32_t part, const struct personal *personal)
{
	uint8_t commitment[SHA256_BYTES];

	return strcmp(leaf->persons[part].person, personal->person) == 0 &&
	       personal_commitment(personal->salt, personal->patch, strlen(personal->patch), commitment) == 0 &&
	       memcmp(commitment, leaf->persons[part].commitment, sizeof(commitment)) == 0;
}

/* 0; 1: it is not there to be read any more; -errno. */
static int open_part(const struct reading *reading, uint32_t at, const struct leaf *leaf, uint32_t part,
		     struct audit_row *row)
{
	struct personal *personal = &row->personal.items[row->personal.count];
	_cleanup_(freep) uint8_t *sealed = NULL;
	size_t length;
	int r = db_bytes(reading->personal, at, P_SEALED, &sealed, &length);

	if (r == 0)
		r = person_open(reading->keys, db_text(reading->personal, at, P_PERSON), sealed, length, personal);
	if (r == 0 && !fits(leaf, part, personal)) {
		secret_free_heap(personal->patch);
		personal->patch = NULL;
		r = -EBADMSG;
	}
	if (r == -EBADMSG)
		log_error("personal data of entry %" PRIu64 " were changed in the database: they are not shown",
			  row->index);
	if (r == 0)
		row->parts[row->personal.count++] = part;
	return r == -ENOKEY || r == -EBADMSG ? 1 : r;
}

/* Rows of personal data are in the order of indices, then parts. */
static int open_personal(const struct reading *reading, const struct leaf *leaf, struct audit_row *row)
{
	uint32_t first = 0, end = db_row_count(reading->personal);

	while (first < end) {
		uint32_t middle = first + (end - first) / 2;

		if ((uint64_t)db_i64(reading->personal, middle, P_IDX) < row->index)
			first = middle + 1;
		else
			end = middle;
	}
	for (uint32_t part = 0; part < leaf->person_count; part++) {
		uint32_t at = first;
		int r = 1;

		while (at < db_row_count(reading->personal) &&
		       (uint64_t)db_i64(reading->personal, at, P_IDX) == row->index &&
		       db_i64(reading->personal, at, P_PART) != part)
			at++;
		if (at < db_row_count(reading->personal) &&
		    (uint64_t)db_i64(reading->personal, at, P_IDX) == row->index)
			r = open_part(reading, at, leaf, part, row);
		if (r < 0)
			return r;
		if (r == 1)
			memcpy(row->erased[row->erased_count++], leaf->persons[part].person, LEAF_ID_MAX);
	}
	return 0;
}

static int give_row(const struct reading *reading, uint32_t at, int (*each)(void *context, const struct audit_row *row),
		    void *context)
{
	const struct db_rows *rows = reading->entries;
	struct audit_row row = {
		.index = (uint64_t)db_i64(rows, at, IDX),
		.leaf = db_text(rows, at, LEAF),
		.event_id = db_text(rows, at, EVENT_ID),
		.kind = db_text(rows, at, KIND),
		.host_id = db_text(rows, at, HOST_ID),
		.host_name = db_text(rows, at, HOST_NAME),
		.severity_id = (uint32_t)db_i64(rows, at, SEVERITY),
		.time_ms = db_i64(rows, at, TIME_MS),
		.at_ms = db_i64(rows, at, AT_MS),
	};
	struct problem problem = {0};
	struct leaf leaf = {0};
	int r = leaf_read(row.leaf, strlen(row.leaf), &leaf, &problem);

	/* One that the log took without being able to read it is shown as it is. */
	if (r == -EBADMSG)
		leaf = (struct leaf){0};
	else if (r < 0)
		return r;
	r = open_personal(reading, &leaf, &row);
	if (r == 0) {
		row.event = leaf_merge(row.leaf, strlen(row.leaf), &row.personal);
		if (!row.event)
			row.event = json_object();
		r = row.event ? each(context, &row) : -ENOMEM;
	}
	json_decref(row.event);
	personal_finish(&row.personal);
	return r;
}

int audit_read(struct app *app, struct db_tx *tx, const char *log_id, const struct audit_filter *filter, uint32_t limit,
	       int (*each)(void *context, const struct audit_row *row), void *context)
{
	_cleanup_(reading_finish) struct reading reading = {0};
	int r = read_entries(tx, log_id, filter, limit, &reading.entries);

	if (r < 0 || db_row_count(reading.entries) == 0)
		return r;
	r = read_personal(tx, log_id, &reading);
	if (r == 0)
		r = read_keys(app, tx, log_id, &reading);
	for (uint32_t i = 0; r == 0 && i < db_row_count(reading.entries); i++)
		r = give_row(&reading, i, each, context);
	return r;
}
