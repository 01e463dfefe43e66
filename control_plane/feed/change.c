/* SPDX-License-Identifier: MIT */
#include "control_plane/feed/change.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "control_plane/feed/at_rest.h"
#include "control_plane/feed/internal.h"
#include "control_plane/feed/pg_array.h"
#include "records/record_json.h"

#define BODY_BYTES_MAX (60U * 1024) /* with id and version it fits a snapshot's line */

struct operation {
	enum delta_op op;
	enum record_kind kind;
	char *id;
	uint64_t version;
	json_t *body, *record_body; /* owned */
};
struct change {
	char *tenant_id;
	struct operation *ops;
	uint32_t count, room;
	struct hash_index index; /* by kind and id; made with the first operation */
	int error;
	struct change *next; /* change_also; owned */
	/* Once it is published: */
	uint64_t epoch, first, revision;
	struct buffer *deltas;
	uint32_t delta_count;
	struct buffer head;
	int64_t head_issued, head_expires;
};

int change_new(const char *tenant_id, struct change **ret)
{
	struct change *change = calloc(1, sizeof(*change));

	if (!change)
		return -ENOMEM;
	change->tenant_id = strdup(tenant_id);
	if (!change->tenant_id) {
		free(change);
		return -ENOMEM;
	}
	*ret = change;
	return 0;
}

void change_free(struct change *change)
{
	while (change) {
		struct change *next = change->next;

		for (uint32_t i = 0; i < change->count; i++) {
			free(change->ops[i].id);
			json_decref(change->ops[i].body);
			json_decref(change->ops[i].record_body);
		}
		for (uint32_t i = 0; i < change->delta_count; i++)
			buffer_finish(&change->deltas[i]);
		free(change->deltas);
		buffer_finish(&change->head);
		hash_index_finish(&change->index);
		free(change->ops);
		free(change->tenant_id);
		free(change);
		change = next;
	}
}

static uint64_t operation_hash(enum record_kind kind, const char *id)
{
	return hash_text(id) ^ hash_u32((uint32_t)kind);
}

/* The record's operation: the one that is there already, or a new one. NULL: out of memory. */
static struct operation *operation_of(struct change *change, enum record_kind kind, const char *id)
{
	uint64_t hash = operation_hash(kind, id);
	uint32_t cursor = 0, i;
	struct operation *op;

	if (change->room == 0 && hash_index_init(&change->index, 4) < 0)
		return NULL;
	while (hash_index_next(&change->index, hash, &cursor, &i))
		if (change->ops[i].kind == kind && strcmp(change->ops[i].id, id) == 0)
			return &change->ops[i];
	if (change->count == change->room) {
		uint32_t room = MAX_OF(2 * change->room, 4U);
		struct operation *ops = realloc(change->ops, room * sizeof(*ops));

		if (!ops)
			return NULL;
		change->ops = ops;
		change->room = room;
	}
	op = &change->ops[change->count];
	*op = (struct operation){.kind = kind, .id = strdup(id)};
	if (!op->id)
		return NULL;
	if (hash_index_put(&change->index, hash, change->count) < 0) {
		free(op->id);
		return NULL;
	}
	change->count++;
	return op;
}

static void collect(struct change *change, enum delta_op kind_of, enum record_kind kind, const char *id,
		    uint64_t version, json_t *body, json_t *record_body)
{
	struct operation *op = change->error == 0 ? operation_of(change, kind, id) : NULL;

	if (change->revision > 0 && change->error == 0)
		change->error = -EALREADY;
	if (!op || change->error < 0) {
		if (change->error == 0)
			change->error = -ENOMEM;
		json_decref(body);
		json_decref(record_body);
		return;
	}
	json_decref(op->body);
	json_decref(op->record_body);
	op->op = kind_of;
	op->version = version;
	op->body = body;
	op->record_body = record_body;
	if ((!body && kind_of != DELTA_DEL) || (!record_body && kind_of == DELTA_REVOKE))
		change->error = -ENOMEM;
}

void change_put(struct change *change, enum record_kind kind, const char *id, uint64_t version, json_t *body)
{
	collect(change, DELTA_PUT, kind, id, version, body, NULL);
}

void change_delete(struct change *change, enum record_kind kind, const char *id, uint64_t version)
{
	collect(change, DELTA_DEL, kind, id, version, NULL, NULL);
}

void change_revoke(struct change *change, enum record_kind kind, const char *id, uint64_t version, json_t *body,
		   json_t *record_body)
{
	collect(change, DELTA_REVOKE, kind, id, version, body, record_body);
}

int change_also(struct change *change, const char *tenant_id, struct change **ret)
{
	struct change *last = change;
	int r;

	for (; strcmp(last->tenant_id, tenant_id) != 0; last = last->next)
		if (!last->next) {
			r = change_new(tenant_id, &last->next);
			if (r < 0)
				return r;
		}
	*ret = last;
	return 0;
}

bool change_is_empty(const struct change *change)
{
	for (; change; change = change->next)
		if (change->count > 0 || change->error < 0)
			return false;
	return true;
}

uint64_t change_revision(const struct change *change)
{
	return change ? change->revision : 0;
}

/* ---- publishing ---------------------------------------------------------------------------------- */

static const char *store_text(void *context, const char *text, size_t length)
{
	return arena_strndup(context, text, length);
}

static void *store_room(void *context, size_t size)
{
	return arena_alloc(context, size);
}

/* No host may ever be sent what it would refuse. */
static int check_body(const struct change *change, const struct operation *op, json_t *body, struct problem *problem)
{
	struct arena arena;
	struct record_store store = {.text = store_text, .room = store_room, .context = &arena};
	union any_record record;
	int r;

	arena_init(&arena);
	r = record_read_json(op->kind, change->tenant_id, op->id, body, &store, &record, problem);
	arena_finish(&arena);
	return r;
}

/* The delta's word for the kind: a revocation names what is revoked. */
static const char *kind_word(const struct operation *op)
{
	if (op->op == DELTA_REVOKE && op->kind == RECORD_REVOCATION) {
		const char *of = json_string_value(json_object_get(op->record_body, "of"));

		return of ? of : "";
	}
	return record_kind_word(op->kind);
}

static int add_operation(const struct change *change, struct revision_writer *writer, const struct operation *op,
			 struct problem *problem)
{
	_cleanup_(freep) char *text = NULL;
	size_t length = 0;
	int r;

	if (!record_id_valid(op->kind, op->id) || op->version == 0)
		return problem_set(problem, EINVAL, "%s '%s' has no proper id or version", record_kind_word(op->kind),
				   op->id);
	if (op->op != DELTA_DEL) {
		r = check_body(change, op, op->op == DELTA_PUT ? op->body : op->record_body, problem);
		if (r < 0)
			return r;
		/* The operation's kind says it. */
		if (op->op == DELTA_REVOKE && op->kind == RECORD_REVOCATION)
			(void)json_object_del(op->body, "of");
		text = json_dumps(op->body, JSON_COMPACT);
		if (!text)
			return -ENOMEM;
		length = strlen(text);
		if (length > BODY_BYTES_MAX)
			return problem_set(problem, EMSGSIZE, "%s %s would have more than %u bytes in the feed",
					   record_kind_word(op->kind), op->id, BODY_BYTES_MAX);
	}
	return revision_add(writer, op->op, kind_word(op), op->id, op->version, text, length);
}

static int add_body(struct publisher *publisher, const char *tenant_id, const struct operation *op, char *text,
		    struct buffer *bodies)
{
	_cleanup_(buffer_finish) struct buffer sealed = BUFFER_INIT;
	const char *stored;
	int r;

	if (!at_rest_is_secret(record_kind_word(op->kind))) {
		pg_array_add(bodies, text);
		return 0;
	}
	r = at_rest_seal_text(&publisher->app->seal_key, tenant_id, text, strlen(text), &sealed);
	secret_wipe(text, strlen(text));
	stored = buffer_text(&sealed);
	if (r < 0 || !stored)
		return r < 0 ? r : -ENOMEM;
	pg_array_add(bodies, stored);
	return 0;
}

/* feed_records says what every record is as of this revision. */
static int store_records(const struct change *change, struct publisher *publisher, struct db_tx *tx)
{
	_cleanup_(buffer_finish) struct buffer kinds = BUFFER_INIT, ids = BUFFER_INIT, versions = BUFFER_INIT,
					       bodies = BUFFER_INIT, gone_kinds = BUFFER_INIT, gone_ids = BUFFER_INIT;
	int r = 0;

	for (uint32_t i = 0; i < change->count; i++) {
		const struct operation *op = &change->ops[i];
		_cleanup_(freep) char *text = NULL;

		if (op->op == DELTA_DEL) {
			pg_array_add_u64(&gone_kinds, (uint64_t)op->kind);
			pg_array_add(&gone_ids, op->id);
			continue;
		}
		text = json_dumps(op->op == DELTA_PUT ? op->body : op->record_body, JSON_COMPACT);
		if (!text)
			return -ENOMEM;
		pg_array_add_u64(&kinds, (uint64_t)op->kind);
		pg_array_add(&ids, op->id);
		pg_array_add_u64(&versions, op->version);
		r = add_body(publisher, change->tenant_id, op, text, &bodies);
		if (r < 0)
			return r;
	}
	if (kinds.length > 0) {
		const char *k = pg_array_end(&kinds), *id = pg_array_end(&ids), *v = pg_array_end(&versions),
			   *b = pg_array_end(&bodies);

		if (!k || !id || !v || !b)
			return -ENOMEM;
		r = db_later(tx,
			     "INSERT INTO feed_records (tenant_id, kind, id, version, body) "
			     "SELECT $1, t.k, t.i, t.v, t.b "
			     "FROM unnest($2::smallint[], $3::text[], $4::bigint[], $5::text[]) AS t(k, i, v, b) "
			     "ON CONFLICT (tenant_id, kind, id) "
			     "DO UPDATE SET version = excluded.version, body = excluded.body",
			     change->tenant_id, k, id, v, b);
	}
	if (r == 0 && gone_kinds.length > 0) {
		const char *k = pg_array_end(&gone_kinds), *id = pg_array_end(&gone_ids);

		if (!k || !id)
			return -ENOMEM;
		r = db_later(tx,
			     "DELETE FROM feed_records r USING unnest($2::smallint[], $3::text[]) AS t(k, i) "
			     "WHERE r.tenant_id = $1 AND r.kind = t.k AND r.id = t.i",
			     change->tenant_id, k, id);
	}
	return r;
}

static int publish_one(struct change *change, struct publisher *publisher, struct db_tx *tx, struct problem *problem)
{
	_cleanup_(revision_finish) struct revision_writer writer = {0};
	int r = revision_begin(publisher, tx, change->tenant_id, &writer);

	if (r == -ENOENT)
		return problem_set(problem, EINVAL, "tenant %s has no feed", change->tenant_id);
	if (r == -ENOKEY)
		return problem_set(problem, EIO, "the feed of %s has no key that can be used", change->tenant_id);
	change->first = writer.row.revision + 1;
	for (uint32_t i = 0; r == 0 && i < change->count; i++)
		r = add_operation(change, &writer, &change->ops[i], problem);
	if (r == 0)
		r = store_records(change, publisher, tx);
	if (r == 0)
		r = revision_end(&writer, &change->head, &change->head_issued, &change->head_expires);
	if (r < 0)
		return r;
	change->epoch = writer.row.epoch;
	change->revision = writer.row.revision;
	change->deltas = TAKE_PTR(writer.deltas);
	change->delta_count = writer.count;
	writer.count = 0;
	atomic_fetch_add(&publisher->counts.revisions, change->delta_count);
	return 0;
}

int change_publish(struct change *change, struct app *app, struct db_tx *tx, struct problem *problem)
{
	const char *own = change->tenant_id;
	int r = 0;

	for (struct change *c = change; c && r == 0; c = c->next) {
		if (c->error < 0)
			return problem_set(problem, -c->error, "a change could not be collected");
		if (c->count == 0 || c->revision > 0)
			continue;
		/* A route of the platform (a host is disabled) has no tenant of its own. Sent with what follows. */
		r = db_switch_tenant(tx, c->tenant_id);
		if (r == 0)
			r = publish_one(c, app->publisher, tx, problem);
	}
	/* What the frame writes last belongs to the request's own tenant. */
	return r == 0 ? db_switch_tenant(tx, own) : r;
}

void change_announce(struct change *change, struct app *app)
{
	for (; change; change = change->next) {
		struct published published = {
			.tenant_id = change->tenant_id,
			.epoch = change->epoch,
			.first = change->first,
			.count = change->delta_count,
			.deltas = change->deltas,
			.head = change->head.data,
			.head_length = change->head.length,
			.head_issued = change->head_issued,
			.head_expires = change->head_expires,
		};

		if (change->revision > 0)
			publisher_announce(app->publisher, &published);
	}
}
