/* SPDX-License-Identifier: MIT
 *
 * Shards: a record's place is the hash of its id (of a membership, the user's), so an operation finds its shard
 * without an index. A change copies the shards that it touches, changes the copies, and puts them in at its end.
 */
#include "directory/feed_picture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "directory/unit_store.h"
#include "json/json_read.h"

#define SHARD_RECORDS 96U   /* to a shard, when made for so many */
#define SHARD_CROWDED 1024U /* on the average: then there are to be more */
#define SHARDS_MAX 16384U

struct shard {
	struct unit *unit; /* in force; NULL: empty */
	struct unit *next; /* of the change under way; NULL: as it is */
};
struct feed_picture {
	char *name, *tenant_id;
	struct shard *shards;
	uint32_t shard_count;
	struct unit **units; /* those that are not empty */
	uint32_t unit_count;
	uint64_t records;
	/* The change under way. */
	bool begun, replace;
	struct shard *fresh; /* what a snapshot is read into */
	uint32_t fresh_count;
	uint32_t *touched; /* numbers of shards that have `next` */
	uint32_t touched_count;
	uint64_t records_next;
};

static int append(struct unit *unit, enum record_kind kind, const void *record, uint64_t version)
{
	int r = unit_append(unit, kind, record, (struct place){0});

	if (r == 0)
		unit->versions[kind][records_count(&unit->records, kind) - 1] = version;
	return r;
}

static void set_version(struct unit *unit, enum record_kind kind, uint32_t index, uint64_t version)
{
	if (unit->versions[kind]) /* a unit that has records of the kind has their versions */
		unit->versions[kind][index] = version;
}

static int append_copy(struct unit *unit, enum record_kind kind, const void *record, uint64_t version)
{
	struct unit_store context = {.unit = unit};
	const struct record_store store = unit_store(&context);
	union any_record copy;
	int r;

	if (kind == RECORD_MEMBER)
		unit_store_know_user(&context, ((const struct member_record *)record)->user_id);
	r = record_copy(kind, record, &store, &copy);
	return r < 0 ? r : append(unit, kind, &copy, version);
}

/* ---- shards ------------------------------------------------------------------------------------------------- */

static uint32_t shard_of(uint32_t shard_count, const char *id)
{
	return (uint32_t)(hash_bytes(id, strcspn(id, "/")) & (shard_count - 1));
}

/* The id by which a record's shard is found. */
static const char *id_of(enum record_kind kind, const void *record)
{
	/* All records start with it; a membership with its user's. */
	_Static_assert(offsetof(struct tenant_record, id) == 0 && offsetof(struct project_record, id) == 0 &&
			       offsetof(struct user_record, id) == 0 && offsetof(struct key_record, id) == 0 &&
			       offsetof(struct host_record, id) == 0 && offsetof(struct token_key_record, id) == 0 &&
			       offsetof(struct revocation_record, id) == 0 && offsetof(struct idp_record, id) == 0 &&
			       offsetof(struct member_record, user_id) == 0,
		       "ids come first");
	return *(const char *const *)record;
}

static bool has_id(enum record_kind kind, const void *record, const char *id)
{
	const struct member_record *member = record;
	size_t length;

	if (kind != RECORD_MEMBER)
		return strcmp(id_of(kind, record), id) == 0;
	length = strcspn(id, "/");
	return strncmp(member->user_id, id, length) == 0 && member->user_id[length] == '\0' && id[length] == '/' &&
	       strcmp(member->project_id, id + length + 1) == 0;
}

/* -ENOENT. */
static int find(const struct unit *unit, enum record_kind kind, const char *id, uint32_t *ret_index)
{
	uint32_t count = unit ? records_count(&unit->records, kind) : 0;

	for (uint32_t i = 0; i < count; i++)
		if (has_id(kind, records_at(&unit->records, kind, i), id)) {
			*ret_index = i;
			return 0;
		}
	return -ENOENT;
}

/* A snapshot's ids ascend, so one that stands there twice comes twice in a row. (Others directory_build finds.) */
static bool stands_last(const struct unit *unit, enum record_kind kind, const char *id)
{
	uint32_t count = records_count(&unit->records, kind);

	return count > 0 && has_id(kind, records_at(&unit->records, kind, count - 1), id);
}

static uint32_t shards_for(uint64_t records)
{
	uint32_t count = 1;

	while (count < SHARDS_MAX && records > (uint64_t)count * SHARD_RECORDS)
		count *= 2;
	return count;
}

static void free_shards(struct shard *shards, uint32_t count)
{
	for (uint32_t i = 0; shards && i < count; i++) {
		unit_unref(shards[i].unit);
		unit_unref(shards[i].next);
	}
	free(shards);
}

static int copy_unit(const struct feed_picture *picture, const struct unit *from, struct unit **ret)
{
	_cleanup_(unit_unrefp) struct unit *unit = NULL;
	int r = unit_new_of_feed(picture->name, picture->tenant_id, &unit);

	for (unsigned kind = 0; r == 0 && from && kind < RECORD_KIND_COUNT; kind++) {
		uint32_t count = records_count(&from->records, kind);

		if (count > 0)
			r = unit_reserve(unit, kind, count + 1);
		for (uint32_t i = 0; r == 0 && i < count; i++)
			r = append_copy(unit, kind, records_at(&from->records, kind, i), from->versions[kind][i]);
	}
	if (r == 0)
		*ret = TAKE_PTR(unit);
	return r;
}

/* The unit that the change under way writes the record with this id to. */
static int unit_to_change(struct feed_picture *picture, const char *id, struct unit **ret)
{
	struct shard *shard;
	uint32_t number;
	int r;

	if (!picture->begun)
		return -EINVAL;
	if (picture->replace) {
		shard = &picture->fresh[shard_of(picture->fresh_count, id)];
		r = shard->unit ? 0 : unit_new_of_feed(picture->name, picture->tenant_id, &shard->unit);
		*ret = shard->unit;
		return r;
	}
	number = shard_of(picture->shard_count, id);
	shard = &picture->shards[number];
	if (!shard->next) {
		r = copy_unit(picture, shard->unit, &shard->next);
		if (r < 0)
			return r;
		picture->touched[picture->touched_count++] = number;
	}
	*ret = shard->next;
	return 0;
}

/* ---- changes ---------------------------------------------------------------------------------------------- */

int feed_picture_new(const char *name, const char *tenant_id, struct feed_picture **ret)
{
	struct feed_picture *picture = calloc(1, sizeof(*picture));

	if (!picture)
		return -ENOMEM;
	picture->name = strdup(name);
	picture->tenant_id = strdup(tenant_id);
	picture->shards = calloc(1, sizeof(*picture->shards));
	picture->touched = calloc(1, sizeof(*picture->touched));
	picture->units = calloc(1, sizeof(struct unit *));
	picture->shard_count = 1;
	if (!picture->name || !picture->tenant_id || !picture->shards || !picture->touched || !picture->units) {
		feed_picture_free(picture);
		return -ENOMEM;
	}
	*ret = picture;
	return 0;
}

void feed_picture_free(struct feed_picture *picture)
{
	if (!picture)
		return;
	free_shards(picture->shards, picture->shard_count);
	free_shards(picture->fresh, picture->fresh_count);
	free(picture->touched);
	free(picture->units);
	free(picture->tenant_id);
	free(picture->name);
	free(picture);
}

int feed_picture_begin(struct feed_picture *picture, bool replace, uint64_t expected)
{
	if (picture->begun)
		return -EBUSY;
	if (replace) {
		picture->fresh_count = shards_for(expected);
		picture->fresh = calloc(picture->fresh_count, sizeof(*picture->fresh));
		if (!picture->fresh)
			return -ENOMEM;
	}
	picture->begun = true;
	picture->replace = replace;
	picture->records_next = replace ? 0 : picture->records;
	return 0;
}

/* May this version come after that? */
static int check_version(enum record_kind kind, const char *id, uint64_t have, uint64_t next, struct problem *problem)
{
	if (next > have)
		return 0;
	problem_set(problem, EINVAL, "%s %s: version %llu does not follow on version %llu", record_kind_word(kind), id,
		    (unsigned long long)next, (unsigned long long)have);
	return -EINVAL;
}

/* Tells which record a problem is about. */
static void name_record(struct problem *problem, enum record_kind kind, const char *id)
{
	char text[sizeof(problem->text)];

	snprintf(text, sizeof(text), "%s %.80s: %.*s", record_kind_word(kind), id, (int)sizeof(text) - 120,
		 problem->text);
	memcpy(problem->text, text, sizeof(text));
}

int feed_picture_put(struct feed_picture *picture, enum record_kind kind, const char *id, uint64_t version,
		     struct json_view body, struct problem *problem)
{
	struct unit_store context = {0};
	const struct record_store store = unit_store(&context);
	union any_record record;
	struct unit *unit = NULL;
	uint32_t index = UINT32_MAX;
	int r = unit_to_change(picture, id, &unit);

	if (r < 0)
		return r;
	if (picture->replace ? stands_last(unit, kind, id) : find(unit, kind, id, &index) == 0) {
		r = picture->replace
			    ? problem_set(problem, EINVAL, "%s %s stands there twice", record_kind_word(kind), id)
			    : check_version(kind, id, unit->versions[kind][index], version, problem);
	} else {
		r = check_version(kind, id, 0, version, problem);
	}
	if (r < 0)
		return r;
	context.unit = unit;
	if (kind == RECORD_MEMBER)
		unit_store_know_user(&context, id);
	r = record_read(kind, picture->tenant_id, id, body, &store, &record, problem);
	if (r == -EINVAL)
		name_record(problem, kind, id);
	if (r < 0)
		return r;
	if (index == UINT32_MAX) {
		picture->records_next++;
		return append(unit, kind, &record, version);
	}
	memcpy((void *)(uintptr_t)records_at(&unit->records, kind, index), &record, record_size(kind));
	set_version(unit, kind, index, version);
	return 0;
}

/* Finds a record to delete or revoke, in the unit to change. */
static int find_to_change(struct feed_picture *picture, enum record_kind kind, const char *id, uint64_t version,
			  struct unit **ret_unit, uint32_t *ret_index, struct problem *problem)
{
	int r = unit_to_change(picture, id, ret_unit);

	if (r < 0)
		return r;
	if (find(*ret_unit, kind, id, ret_index) < 0) {
		problem_set(problem, EINVAL, "there is no %s %s", record_kind_word(kind), id);
		return -EINVAL;
	}
	return check_version(kind, id, (*ret_unit)->versions[kind][*ret_index], version, problem);
}

int feed_picture_delete(struct feed_picture *picture, enum record_kind kind, const char *id, uint64_t version,
			struct problem *problem)
{
	struct unit *unit = NULL;
	uint32_t index = UINT32_MAX;
	int r = find_to_change(picture, kind, id, version, &unit, &index, problem);

	if (r < 0)
		return r;
	unit_remove(unit, kind, index);
	picture->records_next--;
	return 0;
}

struct revoke_body {
	int64_t at;
	const char *reason;
};
static const struct json_field revoke_fields[] = {
	{.name = "at",
	 .type = JSON_FIELD_I64,
	 .offset = offsetof(struct revoke_body, at),
	 .flags = JSON_FIELD_REQUIRED},
	{.name = "reason", .type = JSON_FIELD_STRING, .offset = offsetof(struct revoke_body, reason)},
};

int feed_picture_revoke(struct feed_picture *picture, enum record_kind kind, const char *id, uint64_t version,
			json_t *body, struct problem *problem)
{
	struct revoke_body revoke = {.reason = ""};
	struct unit_store context = {0};
	const struct record_store store = unit_store(&context);
	struct key_record *key;
	struct unit *unit = NULL;
	uint32_t index = UINT32_MAX;
	int r;

	if (kind != RECORD_KEY)
		return feed_picture_put(picture, RECORD_REVOCATION, id, version, json_view(body), problem);
	r = json_fields(body, revoke_fields, ARRAY_LEN(revoke_fields), &revoke, NULL, problem);
	if (r == 0 && (revoke.at <= 0 || !text_is_printable(revoke.reason, strlen(revoke.reason))))
		r = problem_set(problem, EINVAL, "key %s: its revocation has no time, or a reason that cannot be shown",
				id);
	if (r == 0)
		r = find_to_change(picture, kind, id, version, &unit, &index, problem);
	if (r < 0)
		return r;
	context.unit = unit;
	key = (struct key_record *)(uintptr_t)records_at(&unit->records, kind, index);
	key->revoked_at = revoke.at;
	key->revoked_reason = *revoke.reason ? store.text(&context, revoke.reason, strlen(revoke.reason)) : "";
	set_version(unit, kind, index, version);
	return key->revoked_reason ? 0 : -ENOMEM;
}

/* Spreads the records in force over more shards. */
static int spread(struct feed_picture *picture, struct shard *from, uint32_t from_count, uint32_t count,
		  struct shard **ret)
{
	struct shard *shards = calloc(count, sizeof(*shards));
	int r = shards ? 0 : -ENOMEM;

	for (uint32_t s = 0; r == 0 && s < from_count; s++) {
		const struct unit *unit = from[s].next ? from[s].next : from[s].unit;

		for (unsigned kind = 0; r == 0 && unit && kind < RECORD_KIND_COUNT; kind++)
			for (uint32_t i = 0; r == 0 && i < records_count(&unit->records, kind); i++) {
				const void *record = records_at(&unit->records, kind, i);
				struct shard *to = &shards[shard_of(count, id_of(kind, record))];

				if (!to->unit)
					r = unit_new_of_feed(picture->name, picture->tenant_id, &to->unit);
				if (r == 0)
					r = append_copy(to->unit, kind, record, unit->versions[kind][i]);
			}
	}
	if (r < 0)
		free_shards(shards, count);
	else
		*ret = shards;
	return r;
}

static bool is_empty(const struct unit *unit)
{
	for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++)
		if (records_count(&unit->records, kind) > 0)
			return false;
	return true;
}

static void list_units(struct feed_picture *picture)
{
	picture->unit_count = 0;
	for (uint32_t i = 0; i < picture->shard_count; i++)
		if (picture->shards[i].unit)
			picture->units[picture->unit_count++] = picture->shards[i].unit;
}

/* Puts other shards in the place of all. On failure nothing is changed. */
static int replace_shards(struct feed_picture *picture, struct shard *shards, uint32_t count)
{
	uint32_t *touched = calloc(count, sizeof(*touched));
	struct unit **units = calloc(count, sizeof(*units));

	if (!touched || !units) {
		free(touched);
		free(units);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < count; i++)
		if (shards[i].unit)
			unit_finish(shards[i].unit);
	free_shards(picture->shards, picture->shard_count);
	free(picture->touched);
	free(picture->units);
	picture->shards = shards;
	picture->shard_count = count;
	picture->touched = touched;
	picture->touched_count = 0;
	picture->units = units;
	return 0;
}

static void put_touched(struct feed_picture *picture)
{
	for (uint32_t i = 0; i < picture->touched_count; i++) {
		struct shard *shard = &picture->shards[picture->touched[i]];

		unit_unref(shard->unit);
		shard->unit = TAKE_PTR(shard->next);
		if (is_empty(shard->unit)) {
			unit_unref(shard->unit);
			shard->unit = NULL;
		} else {
			unit_finish(shard->unit);
		}
	}
	picture->touched_count = 0;
}

int feed_picture_commit(struct feed_picture *picture)
{
	uint32_t count = shards_for(picture->records_next);
	struct shard *shards = NULL;
	int r = 0;

	if (!picture->begun)
		return -EINVAL;
	if (picture->replace) {
		r = replace_shards(picture, picture->fresh, picture->fresh_count);
		if (r < 0)
			return r;
		picture->fresh = NULL;
		picture->fresh_count = 0;
	} else if (count > picture->shard_count &&
		   picture->records_next > (uint64_t)picture->shard_count * SHARD_CROWDED) {
		r = spread(picture, picture->shards, picture->shard_count, count, &shards);
		if (r < 0)
			return r;
		r = replace_shards(picture, shards, count);
		if (r < 0) {
			free_shards(shards, count);
			return r;
		}
	} else {
		put_touched(picture);
	}
	list_units(picture);
	picture->records = picture->records_next;
	picture->begun = false;
	return 0;
}

void feed_picture_rollback(struct feed_picture *picture)
{
	for (uint32_t i = 0; i < picture->touched_count; i++) {
		struct shard *shard = &picture->shards[picture->touched[i]];

		unit_unref(shard->next);
		shard->next = NULL;
	}
	picture->touched_count = 0;
	free_shards(picture->fresh, picture->fresh_count);
	picture->fresh = NULL;
	picture->fresh_count = 0;
	picture->begun = false;
}

/* ---- what there is ---------------------------------------------------------------------------------------- */

void feed_picture_units(const struct feed_picture *picture, struct unit *const **ret_units, uint32_t *ret_count)
{
	*ret_units = picture->units;
	*ret_count = picture->unit_count;
}

const struct revocation_record *feed_picture_host_revocation(const struct feed_picture *picture, const char *host_id)
{
	const struct unit *unit = picture->shards[shard_of(picture->shard_count, host_id)].unit;
	uint32_t index;

	if (find(unit, RECORD_REVOCATION, host_id, &index) < 0)
		return NULL;
	return unit->records.revocations[index].of == REVOCATION_HOST ? &unit->records.revocations[index] : NULL;
}

uint64_t feed_picture_records(const struct feed_picture *picture)
{
	return picture->records;
}

uint64_t feed_picture_records_begun(const struct feed_picture *picture)
{
	return picture->records_next;
}
