/* SPDX-License-Identifier: MIT */
#include "control_plane/audit/persons.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/secret.h"
#include "control_plane/feed/pg_array.h"

/* What is sealed: the salt, then the patch. Before it the key's number, by which a key that has gone is known from one
 * that is wrong. */
#define NUMBER_BYTES 8U
#define PURPOSE_SIZE 192U

struct person_key {
	char person[LEAF_ID_MAX];
	uint64_t number; /* 0: none */
	struct seal_key key;
};
struct person_keys {
	char log_id[LEAF_ID_MAX];
	struct hash_index index;
	struct person_key *items;
	uint32_t count;
};

void person_keys_free(struct person_keys *keys)
{
	if (!keys)
		return;
	secret_wipe(keys->items, keys->count * sizeof(*keys->items));
	free(keys->items);
	hash_index_finish(&keys->index);
	free(keys);
}

static struct person_key *find(const struct person_keys *keys, const char *person)
{
	uint32_t cursor = 0, i;

	while (hash_index_next(&keys->index, hash_text(person), &cursor, &i))
		if (strcmp(keys->items[i].person, person) == 0)
			return &keys->items[i];
	return NULL;
}

static int add_persons(struct person_keys *keys, const char *const *persons, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		size_t length = strlen(persons[i]);

		if (length == 0 || length >= LEAF_ID_MAX)
			return -EINVAL;
		if (find(keys, persons[i]))
			continue;
		memcpy(keys->items[keys->count].person, persons[i], length + 1);
		if (hash_index_put(&keys->index, hash_text(persons[i]), keys->count) < 0)
			return -ENOMEM;
		keys->count++;
	}
	return 0;
}

/* A sealed key opens for its own person and log, and for nobody else. */
static void purpose_of_key(const char *log_id, const char *person, char out[PURPOSE_SIZE])
{
	(void)snprintf(out, PURPOSE_SIZE, "audit person:%s:%s", log_id, person);
}

static void purpose_of_data(const char *log_id, const char *person, char out[PURPOSE_SIZE])
{
	(void)snprintf(out, PURPOSE_SIZE, "audit personal:%s:%s", log_id, person);
}

/* ---- keys -----------------------------------------------------------------------------------------------------------
 */

static int take_key(const struct seal_key *platform, struct person_keys *keys, const struct db_rows *rows, uint32_t row)
{
	struct person_key *item = find(keys, db_text(rows, row, 0));
	_cleanup_(buffer_finish) struct buffer plain = {.wipe = true};
	_cleanup_(freep) uint8_t *sealed = NULL;
	char purpose[PURPOSE_SIZE];
	size_t length;
	int r;

	if (!item)
		return -EIO;
	r = db_bytes(rows, row, 2, &sealed, &length);
	if (r < 0)
		return r;
	purpose_of_key(keys->log_id, item->person, purpose);
	r = unseal(platform, purpose, sealed, length, &plain);
	if (r == 0 && plain.length != sizeof(item->key.bytes))
		r = -EBADMSG;
	if (r < 0)
		return r;
	memcpy(item->key.bytes, plain.data, sizeof(item->key.bytes));
	item->number = (uint64_t)db_i64(rows, row, 1);
	return 0;
}

static int take_keys(const struct seal_key *platform, struct person_keys *keys, const struct db_rows *rows)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < db_row_count(rows); i++)
		r = take_key(platform, keys, rows, i);
	return r;
}

static int read_keys(const struct seal_key *platform, struct db_tx *tx, struct person_keys *keys)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	_cleanup_(buffer_finish) struct buffer persons = BUFFER_INIT;
	const char *array;
	int r;

	for (uint32_t i = 0; i < keys->count; i++)
		if (keys->items[i].number == 0)
			pg_array_add(&persons, keys->items[i].person);
	array = pg_array_end(&persons);
	if (!array)
		return -ENOMEM;
	r = db_run(tx, &rows,
		   "SELECT person, key_id, sealed FROM control.audit_person_keys WHERE tenant_id = $1 AND person = "
		   "ANY($2::text[])",
		   keys->log_id, array);
	return r < 0 ? r : take_keys(platform, keys, rows);
}

static int add_new_key(const struct seal_key *platform, const struct person_keys *keys, const char *person,
		       struct buffer *persons, struct buffer *sealed)
{
	_cleanup_(buffer_finish) struct buffer bytes = BUFFER_INIT;
	_cleanup_(freep) char *hex = NULL;
	char purpose[PURPOSE_SIZE];
	struct seal_key key;
	int r = random_bytes(key.bytes, sizeof(key.bytes));

	purpose_of_key(keys->log_id, person, purpose);
	if (r == 0)
		r = seal(platform, purpose, key.bytes, sizeof(key.bytes), &bytes);
	secret_wipe(&key, sizeof(key));
	if (r < 0)
		return r;
	hex = db_hex(bytes.data, bytes.length);
	if (!hex)
		return -ENOMEM;
	pg_array_add(persons, person);
	pg_array_add(sealed, hex);
	return 0;
}

/* Two transactions may do this at once for the same person: who comes second waits at the primary key, and reads the
 * other's. In one order everywhere, so that no two wait for each other. */
static int make_keys(const struct seal_key *platform, struct db_tx *tx, struct person_keys *keys)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	_cleanup_(buffer_finish) struct buffer persons = BUFFER_INIT, sealed = BUFFER_INIT;
	const char *array, *bytes;
	uint32_t missing = 0;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < keys->count; i++) {
		if (keys->items[i].number > 0)
			continue;
		r = add_new_key(platform, keys, keys->items[i].person, &persons, &sealed);
		missing++;
	}
	if (r < 0 || missing == 0)
		return r;
	array = pg_array_end(&persons);
	bytes = pg_array_end(&sealed);
	if (!array || !bytes)
		return -ENOMEM;
	r = db_run(
		tx, &rows,
		"INSERT INTO control.audit_person_keys (tenant_id, person, sealed) SELECT $1, n.person, n.sealed FROM "
		"unnest($2::text[], $3::bytea[]) AS n (person, sealed) ORDER BY n.person ON CONFLICT DO NOTHING "
		"RETURNING person, key_id, sealed",
		keys->log_id, array, bytes);
	if (r == 0)
		r = take_keys(platform, keys, rows);
	if (r < 0 || db_row_count(rows) == missing)
		return r;
	return read_keys(platform, tx, keys);
}

static bool complete(const struct person_keys *keys)
{
	for (uint32_t i = 0; i < keys->count; i++)
		if (keys->items[i].number == 0)
			return false;
	return true;
}

int person_keys_load(const struct seal_key *platform, struct db_tx *tx, const char *log_id, const char *const *persons,
		     uint32_t count, bool make, struct person_keys **ret)
{
	_cleanup_(person_keys_freep) struct person_keys *keys = calloc(1, sizeof(*keys));
	int r;

	if (!keys || strlen(log_id) >= sizeof(keys->log_id))
		return keys ? -EINVAL : -ENOMEM;
	(void)snprintf(keys->log_id, sizeof(keys->log_id), "%s", log_id);
	keys->items = calloc(MAX_OF(count, 1U), sizeof(*keys->items));
	if (!keys->items || hash_index_init(&keys->index, count) < 0)
		return -ENOMEM;
	r = add_persons(keys, persons, count);
	if (r == 0 && keys->count > 0)
		r = read_keys(platform, tx, keys);
	if (r == 0 && make)
		r = make_keys(platform, tx, keys);
	/* Erased between the two: the caller's transaction runs once more. */
	if (r == 0 && make && !complete(keys))
		r = -EAGAIN;
	if (r == 0)
		*ret = TAKE_PTR(keys);
	return r;
}

/* ---- what they seal -------------------------------------------------------------------------------------------------
 */

int person_seal(const struct person_keys *keys, const struct personal *personal, struct buffer *ret)
{
	const struct person_key *item = find(keys, personal->person);
	_cleanup_(buffer_finish) struct buffer plain = {.wipe = true};
	uint8_t number[NUMBER_BYTES];
	char purpose[PURPOSE_SIZE];
	int r;

	if (!item || item->number == 0)
		return -ENOKEY;
	for (unsigned i = 0; i < NUMBER_BYTES; i++)
		number[i] = (uint8_t)(item->number >> (56 - 8 * i));
	(void)buffer_add(&plain, personal->salt, sizeof(personal->salt));
	(void)buffer_add_text(&plain, personal->patch);
	(void)buffer_add(ret, number, sizeof(number));
	if (plain.failed || ret->failed)
		return -ENOMEM;
	purpose_of_data(keys->log_id, item->person, purpose);
	r = seal(&item->key, purpose, plain.data, plain.length, ret);
	return r < 0 ? r : 0;
}

static uint64_t read_number(const uint8_t *bytes)
{
	uint64_t number = 0;

	for (unsigned i = 0; i < NUMBER_BYTES; i++)
		number = number << 8 | bytes[i];
	return number;
}

int person_open(const struct person_keys *keys, const char *person, const void *sealed, size_t length,
		struct personal *ret)
{
	const struct person_key *item = find(keys, person);
	_cleanup_(buffer_finish) struct buffer plain = {.wipe = true};
	char purpose[PURPOSE_SIZE];
	char *patch;
	int r;

	if (length <= NUMBER_BYTES)
		return -EBADMSG;
	if (!item || item->number != read_number(sealed))
		return -ENOKEY;
	purpose_of_data(keys->log_id, item->person, purpose);
	r = unseal(&item->key, purpose, (const uint8_t *)sealed + NUMBER_BYTES, length - NUMBER_BYTES, &plain);
	if (r < 0)
		return r;
	if (plain.length < SALT_BYTES || memchr(plain.data + SALT_BYTES, '\0', plain.length - SALT_BYTES))
		return -EBADMSG;
	patch = strndup(plain.data + SALT_BYTES, plain.length - SALT_BYTES);
	if (!patch)
		return -ENOMEM;
	memcpy(ret->person, item->person, sizeof(ret->person));
	memcpy(ret->salt, plain.data, SALT_BYTES);
	ret->patch = patch;
	return 0;
}

int person_erase(struct db_tx *tx, const char *log_id, const char *person, bool *ret_was_there)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(tx, &rows, "DELETE FROM control.audit_person_keys WHERE tenant_id = $1 AND person = $2", log_id,
		       person);

	if (r == 0)
		*ret_was_there = db_affected(rows) > 0;
	return r;
}
