/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/macros.h"
#include "feed/delta.h"
#include "feed/internal.h"
#include "json/json_read.h"

void delta_finish(struct delta *delta)
{
	json_decref(delta->json);
	free(delta->ops);
	*delta = (struct delta){0};
}

static enum feed_fault refuse(enum feed_fault fault, struct problem *problem, const char *text)
{
	(void)problem_set(problem, EBADMSG, "%s", text);
	return fault;
}

static enum feed_fault no_memory(struct problem *problem)
{
	return refuse(FEED_TOO_LARGE, problem, "out of memory");
}

struct raw_operation {
	const char *op, *kind, *id;
	uint64_t ver;
	json_t *body;
};

static const struct json_field operation_fields[] = {
	{"op", JSON_FIELD_STRING, offsetof(struct raw_operation, op), JSON_FIELD_REQUIRED},
	{"kind", JSON_FIELD_STRING, offsetof(struct raw_operation, kind), JSON_FIELD_REQUIRED},
	{"id", JSON_FIELD_STRING, offsetof(struct raw_operation, id), JSON_FIELD_REQUIRED},
	{"ver", JSON_FIELD_U64, offsetof(struct raw_operation, ver), JSON_FIELD_REQUIRED},
	{"body", JSON_FIELD_OBJECT, offsetof(struct raw_operation, body), 0},
};

struct raw_revocation {
	int64_t at;
	const char *reason;
};

static const struct json_field key_revocation_fields[] = {
	{"at", JSON_FIELD_I64, offsetof(struct raw_revocation, at), JSON_FIELD_REQUIRED},
	{"reason", JSON_FIELD_STRING, offsetof(struct raw_revocation, reason), 0},
};

/* What a revocation record can be of (record_json_tokens.c). */
static bool has_revocation_record(const char *kind)
{
	static const char *const words[] = {"token", "host", "session", "sessions"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(kind, words[i]) == 0)
			return true;
	return false;
}

/* A key keeps its record; everything else gets a revocation record, which names what it is of. */
static int read_revocation(const struct raw_operation *raw, struct delta_operation *op, struct problem *problem)
{
	struct raw_revocation revocation = {0};
	const char *field;
	int r;

	if (strcmp(raw->kind, "key") == 0) {
		op->kind = RECORD_KEY;
		r = json_fields(raw->body, key_revocation_fields, ARRAY_LEN(key_revocation_fields), &revocation, &field,
				problem);
		if (r == 0 && revocation.at <= 0)
			r = problem_set(problem, EINVAL, "a key is revoked at no time");
		return r;
	}
	if (!has_revocation_record(raw->kind))
		return problem_set(problem, EINVAL, "a record of kind '%s' cannot be revoked", raw->kind);
	op->kind = RECORD_REVOCATION;
	if (json_object_get(raw->body, "of"))
		return problem_set(problem, EINVAL, "field 'of' is not known");
	return json_object_set_new(raw->body, "of", json_string(raw->kind)) < 0 ? -ENOMEM : 0;
}

/* 0, -EINVAL, -ENOMEM. */
static int read_operation(json_t *json, struct delta_operation *op, struct problem *problem)
{
	struct raw_operation raw = {0};
	const char *field;
	int r;

	r = json_fields(json, operation_fields, ARRAY_LEN(operation_fields), &raw, &field, problem);
	if (r < 0)
		return r;
	if (!feed_record_id_is_plain(raw.id))
		return problem_set(problem, EINVAL, "'%s' is not a record's id", raw.id);
	if (raw.ver == 0)
		return problem_set(problem, EINVAL, "record %s has version 0", raw.id);
	if (!raw.body != (strcmp(raw.op, "del") == 0))
		return problem_set(problem, EINVAL, "operation '%s' %s a body", raw.op,
				   raw.body ? "takes no" : "needs");
	*op = (struct delta_operation){.id = raw.id, .version = raw.ver, .body = raw.body};
	if (strcmp(raw.op, "revoke") == 0) {
		op->op = DELTA_REVOKE;
		return read_revocation(&raw, op, problem);
	}
	if (strcmp(raw.op, "put") == 0)
		op->op = DELTA_PUT;
	else if (strcmp(raw.op, "del") == 0)
		op->op = DELTA_DEL;
	else
		return problem_set(problem, EINVAL, "operation '%s' is not known", raw.op);
	if (record_kind_parse(raw.kind, &op->kind) < 0)
		return problem_set(problem, EINVAL, "records of kind '%s' are not known", raw.kind);
	return 0;
}

static int compare_targets(const void *a, const void *b)
{
	const struct delta_operation *const *one = a, *const *other = b;

	if ((*one)->kind != (*other)->kind)
		return (*one)->kind < (*other)->kind ? -1 : 1;
	return strcmp((*one)->id, (*other)->id);
}

static enum feed_fault find_duplicates(const struct delta *delta, struct problem *problem)
{
	_cleanup_(freep) const struct delta_operation **sorted = calloc(delta->op_count, sizeof(*sorted));

	if (!sorted)
		return no_memory(problem);
	for (uint32_t i = 0; i < delta->op_count; i++)
		sorted[i] = &delta->ops[i];
	qsort(sorted, delta->op_count, sizeof(*sorted), compare_targets);
	for (uint32_t i = 1; i < delta->op_count; i++)
		if (compare_targets(&sorted[i - 1], &sorted[i]) == 0) {
			(void)problem_set(problem, EBADMSG, "the delta changes record %s twice", sorted[i]->id);
			return FEED_MALFORMED;
		}
	return FEED_FINE;
}

static enum feed_fault read_operations(json_t *ops, struct delta *delta, struct problem *problem)
{
	size_t count = json_array_size(ops);

	if (count == 0)
		return refuse(FEED_MALFORMED, problem, "the delta has no operations");
	delta->ops = calloc(count, sizeof(*delta->ops));
	if (!delta->ops)
		return no_memory(problem);
	for (size_t i = 0; i < count; i++) {
		int r = read_operation(json_array_get(ops, i), &delta->ops[i], problem);

		if (r == -ENOMEM)
			return no_memory(problem);
		if (r < 0)
			return FEED_MALFORMED;
		delta->op_count++;
	}
	return find_duplicates(delta, problem);
}

struct raw_delta {
	const char *feed;
	uint64_t epoch, prev, rev;
	json_t *ops;
};

static const struct json_field delta_fields[] = {
	{"feed", JSON_FIELD_STRING, offsetof(struct raw_delta, feed), JSON_FIELD_REQUIRED},
	{"epoch", JSON_FIELD_U64, offsetof(struct raw_delta, epoch), JSON_FIELD_REQUIRED},
	{"prev", JSON_FIELD_U64, offsetof(struct raw_delta, prev), JSON_FIELD_REQUIRED},
	{"rev", JSON_FIELD_U64, offsetof(struct raw_delta, rev), JSON_FIELD_REQUIRED},
	{"ops", JSON_FIELD_ARRAY, offsetof(struct raw_delta, ops), JSON_FIELD_REQUIRED},
};

static enum feed_fault read_delta(const char *bytes, size_t length, const char *origin, struct delta *delta,
				  struct problem *problem)
{
	struct raw_delta raw = {0};
	const char *field;
	int r;

	if (length > FEED_DELTA_BYTES_MAX)
		return refuse(FEED_TOO_LARGE, problem, "the delta is too long");
	if (memchr(bytes, '\n', length) || memchr(bytes, '\r', length))
		return refuse(FEED_MALFORMED, problem, "the delta is more than one line");
	r = json_read(bytes, length, &delta->json, problem);
	if (r == -ENOMEM)
		return no_memory(problem);
	if (r < 0 || json_fields(delta->json, delta_fields, ARRAY_LEN(delta_fields), &raw, &field, problem) < 0)
		return FEED_MALFORMED;
	if (strcmp(raw.feed, origin) != 0) {
		(void)problem_set(problem, EBADMSG, "the delta is of feed %s, not of %s", raw.feed, origin);
		return FEED_OTHER_ORIGIN;
	}
	if (raw.epoch == 0 || raw.rev == 0 || raw.prev != raw.rev - 1)
		return refuse(FEED_MALFORMED, problem, "the delta's revision does not follow on the one before");
	delta->epoch = raw.epoch;
	delta->prev = raw.prev;
	delta->rev = raw.rev;
	return read_operations(raw.ops, delta, problem);
}

enum feed_fault delta_read(const char *bytes, size_t length, const char *origin, struct delta *ret,
			   struct problem *problem)
{
	struct delta delta = {0};
	enum feed_fault fault = read_delta(bytes, length, origin, &delta, problem);

	if (fault == FEED_FINE)
		*ret = delta;
	else
		delta_finish(&delta);
	return fault;
}
