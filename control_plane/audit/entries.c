/* SPDX-License-Identifier: MIT
 *
 * From lines of the inbox to rows of the log, many by one statement: columns travel as arrays.
 *
 * A row of the inbox holds two lines for each record: the leaf, and its personal data, "<person> <sealed, in hex>" for
 * each part with spaces between (inbox.c writes them).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control_plane/audit/internal.h"
#include "control_plane/feed/pg_array.h"

#define TIME_MS_MAX INT64_C(253402300799999) /* the end of the year 9999, as PostgreSQL's clients print it */

struct entry_batch {
	uint64_t first;
	uint32_t count, room;
	struct tlog_hash *hashes;
	/* Columns of entries … */
	struct buffer ids, times, kinds, classes, activities, severities, outcomes, actors, projects, hosts, names,
		leaves;
	/* … and of personal data. */
	struct buffer indices, parts, persons, sealed;
	uint32_t personal_count;
};

int entry_batch_new(uint64_t first, struct entry_batch **ret)
{
	struct entry_batch *batch = calloc(1, sizeof(*batch));

	if (!batch)
		return -ENOMEM;
	batch->first = first;
	*ret = batch;
	return 0;
}

void entry_batch_free(struct entry_batch *batch)
{
	if (!batch)
		return;
	struct buffer *const buffers[] = {&batch->ids,        &batch->times,      &batch->kinds,    &batch->classes,
					  &batch->activities, &batch->severities, &batch->outcomes, &batch->actors,
					  &batch->projects,   &batch->hosts,      &batch->names,    &batch->leaves,
					  &batch->indices,    &batch->parts,      &batch->persons,  &batch->sealed};

	for (size_t i = 0; i < ARRAY_LEN(buffers); i++)
		buffer_finish(buffers[i]);
	free(batch->hashes);
	free(batch);
}

uint32_t entry_batch_count(const struct entry_batch *batch)
{
	return batch->count;
}

const struct tlog_hash *entry_batch_hashes(const struct entry_batch *batch)
{
	return batch->hashes;
}

static int add_hash(struct entry_batch *batch, const char *leaf, size_t length)
{
	if (batch->count == batch->room) {
		uint32_t room = MAX_OF(2 * batch->room, 64U);
		struct tlog_hash *hashes = realloc(batch->hashes, room * sizeof(*hashes));

		if (!hashes)
			return -ENOMEM;
		batch->hashes = hashes;
		batch->room = room;
	}
	return tlog_leaf_hash(leaf, length, &batch->hashes[batch->count]);
}

static int add_leaf(struct entry_batch *batch, const char *host_id, const char *host_name, const char *text,
		    size_t length)
{
	struct problem problem = {0};
	struct leaf leaf = {0};
	int r = leaf_read(text, length, &leaf, &problem);

	if (r == -EBADMSG) {
		leaf = (struct leaf){0};
		(void)snprintf(leaf.kind, sizeof(leaf.kind), "unreadable");
		log_error("an event in the inbox cannot be read: %s", problem.text);
		r = 0;
	}
	if (r == 0)
		r = add_hash(batch, text, length);
	if (r < 0)
		return r;
	pg_array_add(&batch->ids, leaf.id);
	pg_array_add_u64(&batch->times, (uint64_t)MIN_OF(MAX_OF(leaf.time_ms, INT64_C(0)), TIME_MS_MAX));
	pg_array_add(&batch->kinds, leaf.kind);
	pg_array_add_u64(&batch->classes, MIN_OF(leaf.class_uid, (uint32_t)INT32_MAX));
	pg_array_add_u64(&batch->activities, MIN_OF(leaf.activity_id, (uint32_t)INT32_MAX));
	pg_array_add_u64(&batch->severities, MIN_OF(leaf.severity_id, (uint32_t)INT16_MAX));
	pg_array_add_u64(&batch->outcomes, (uint64_t)leaf.outcome);
	pg_array_add(&batch->actors, leaf.actor);
	pg_array_add(&batch->projects, leaf.project_id);
	pg_array_add(&batch->hosts, *host_id ? host_id : leaf.host_id);
	pg_array_add(&batch->names, host_name);
	/* The text is one line of a NUL-terminated whole, but not terminated itself. */
	{
		_cleanup_(freep) char *copy = strndup(text, length);

		if (!copy)
			return -ENOMEM;
		pg_array_add(&batch->leaves, copy);
	}
	return 0;
}

/* "<person> <hex> <person> <hex>" */
static int add_personal(struct entry_batch *batch, const char *text, size_t length)
{
	_cleanup_(freep) char *line = strndup(text, length);
	char *at = line, *rest = NULL;
	unsigned part = 0;

	if (!line)
		return -ENOMEM;
	for (char *person = strtok_r(at, " ", &rest); person; person = strtok_r(NULL, " ", &rest)) {
		char *hex = strtok_r(NULL, " ", &rest);

		if (!hex)
			return -EBADMSG;
		pg_array_add_u64(&batch->indices, batch->first + batch->count);
		pg_array_add_u64(&batch->parts, part++);
		pg_array_add(&batch->persons, person);
		(void)buffer_add_text(&batch->sealed, batch->sealed.length == 0 ? "{\"\\\\x" : ",\"\\\\x");
		(void)buffer_add_text(&batch->sealed, hex);
		(void)buffer_add_char(&batch->sealed, '"');
		batch->personal_count++;
	}
	return 0;
}

int entry_batch_add(struct entry_batch *batch, const char *host_id, const char *host_name, const char *records)
{
	while (*records) {
		const char *end = strchr(records, '\n'), *next = end ? strchr(end + 1, '\n') : NULL;
		int r;

		if (!next)
			return -EBADMSG;
		r = add_leaf(batch, host_id, host_name, records, (size_t)(end - records));
		if (r == 0)
			r = add_personal(batch, end + 1, (size_t)(next - end - 1));
		if (r < 0)
			return r;
		batch->count++;
		records = next + 1;
	}
	return 0;
}

static int insert_personal(struct entry_batch *batch, struct db_tx *tx, const char *log_id, const char *at)
{
	const char *values[] = {log_id,
				at,
				pg_array_end(&batch->indices),
				pg_array_end(&batch->parts),
				pg_array_end(&batch->persons),
				pg_array_end(&batch->sealed)};

	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		if (!values[i])
			return -ENOMEM;
	return db_queue(tx,
			"INSERT INTO control.audit_personal (tenant_id, idx, part, at, person, sealed) "
			"SELECT $1, p.idx, p.part, $2::timestamptz, p.person, p.sealed FROM unnest($3::bigint[], "
			"$4::smallint[], $5::text[], $6::bytea[]) AS p (idx, part, person, sealed)",
			ARRAY_LEN(values), values);
}

int entry_batch_insert(struct entry_batch *batch, struct db_tx *tx, const char *log_id, const char *at)
{
	_cleanup_(freep) char *hashes = db_hex(batch->hashes, batch->count * sizeof(*batch->hashes));
	char first[24];
	const char *values[] = {log_id,
				first,
				at,
				hashes,
				pg_array_end(&batch->ids),
				pg_array_end(&batch->times),
				pg_array_end(&batch->kinds),
				pg_array_end(&batch->classes),
				pg_array_end(&batch->activities),
				pg_array_end(&batch->severities),
				pg_array_end(&batch->outcomes),
				pg_array_end(&batch->actors),
				pg_array_end(&batch->projects),
				pg_array_end(&batch->hosts),
				pg_array_end(&batch->names),
				pg_array_end(&batch->leaves)};
	int r;

	(void)snprintf(first, sizeof(first), "%" PRIu64, batch->first);
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		if (!values[i])
			return -ENOMEM;
	r = db_queue(
		tx,
		"INSERT INTO control.audit_entries (tenant_id, idx, at, event_id, hash, time, kind, class_uid, "
		"activity_id, severity_id, outcome, actor, project_id, host_id, host_name, leaf) "
		"SELECT $1, $2::bigint + e.o - 1, $3::timestamptz, e.id, substring($4::bytea FROM "
		"((e.o - 1) * 32 + 1)::int FOR 32), to_timestamp(e.ms / 1000.0::float8), e.kind, e.class, "
		"e.activity, e.severity, e.outcome, e.actor, e.project, e.host, e.host_name, e.leaf "
		"FROM unnest($5::text[], $6::bigint[], $7::text[], $8::int[], $9::int[], $10::smallint[], "
		"$11::smallint[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[]) WITH ORDINALITY "
		"AS e (id, ms, kind, class, activity, severity, outcome, actor, project, host, host_name, leaf, o)",
		ARRAY_LEN(values), values);
	return r == 0 && batch->personal_count > 0 ? insert_personal(batch, tx, log_id, at) : r;
}
