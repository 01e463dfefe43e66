/* SPDX-License-Identifier: MIT
 *
 * Persons' keys in the database: made once, read by their log and person alone, gone for good.
 */
#include "../unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_plane/audit/persons.h"
#include "db_rig.h"

#define ALICE "usr_AAAAAAAAAAAAAAAA"
#define BOB "usr_BBBBBBBBBBBBBBBB"

static const struct seal_key platform = {.bytes = "0123456789abcdef0123456789abcde"};
static const struct db_scope in_a = {.tenant_id = TENANT_A};
static const struct db_scope in_b = {.tenant_id = TENANT_B};

static struct personal of(const char *person, const char *patch)
{
	struct personal personal = {.salt = {1, 2, 3}, .patch = (char *)(uintptr_t)patch};

	(void)snprintf(personal.person, sizeof(personal.person), "%s", person);
	return personal;
}

static struct person_keys *load(struct db_tx *tx, const char *log, const char *person, bool make)
{
	struct person_keys *keys = NULL;

	assert_int_equal(person_keys_load(&platform, tx, log, &person, 1, make, &keys), 0);
	return keys;
}

/* One patch of this person's, as it is kept. */
static void seal_one(struct db *db, const struct db_scope *scope, const char *person, struct buffer *ret)
{
	struct db_tx *tx = db_rig_begin(db, scope);
	struct person_keys *keys = load(tx, scope->tenant_id, person, true);
	struct personal personal = of(person, "{\"user\":{\"name\":\"alice\"}}");

	assert_int_equal(person_seal(keys, &personal, ret), 0);
	assert_null(memmem(ret->data, ret->length, "alice", 5));
	person_keys_free(keys);
	assert_int_equal(db_commit(tx), 0);
}

static int open_one(struct db *db, const struct db_scope *scope, const char *person, const struct buffer *sealed)
{
	struct db_tx *tx = db_rig_begin(db, scope);
	struct person_keys *keys = load(tx, scope->tenant_id, person, false);
	struct personal personal = {0};
	int r = person_open(keys, person, sealed->data, sealed->length, &personal);

	if (r == 0) {
		assert_string_equal(personal.person, person);
		assert_string_equal(personal.patch, "{\"user\":{\"name\":\"alice\"}}");
		assert_int_equal(personal.salt[2], 3);
	} else {
		assert_null(personal.patch);
	}
	free(personal.patch);
	person_keys_free(keys);
	db_rollback(tx);
	return r;
}

static bool erase(struct db *db, const struct db_scope *scope, const char *person)
{
	struct db_tx *tx = db_rig_begin(db, scope);
	bool was_there = false;

	assert_int_equal(person_erase(tx, scope->tenant_id, person, &was_there), 0);
	assert_int_equal(db_commit(tx), 0);
	return was_there;
}

static void test_what_is_sealed_opens_for_its_own(void **state)
{
	_cleanup_(db_destroyp) struct db *db = db_rig_pool(2, 1000, 5000);
	_cleanup_(buffer_finish) struct buffer sealed = BUFFER_INIT, of_b = BUFFER_INIT;

	(void)state;
	seal_one(db, &in_a, ALICE, &sealed);
	seal_one(db, &in_a, BOB, &of_b);
	assert_int_equal(open_one(db, &in_a, ALICE, &sealed), 0);
	/* Another person's, another log's. */
	assert_int_equal(open_one(db, &in_a, BOB, &sealed), -ENOKEY);
	assert_int_equal(open_one(db, &in_b, ALICE, &sealed), -ENOKEY);
	buffer_clear(&of_b);
	seal_one(db, &in_b, ALICE, &of_b);
	assert_int_equal(open_one(db, &in_b, ALICE, &sealed), -ENOKEY);
	assert_int_equal(open_one(db, &in_a, ALICE, &of_b), -ENOKEY);
}

static void test_every_changed_byte_is_seen(void **state)
{
	_cleanup_(db_destroyp) struct db *db = db_rig_pool(2, 1000, 5000);
	_cleanup_(buffer_finish) struct buffer sealed = BUFFER_INIT;

	(void)state;
	seal_one(db, &in_a, ALICE, &sealed);
	for (size_t i = 0; i < sealed.length; i++) {
		sealed.data[i] ^= 1;
		assert_int_not_equal(open_one(db, &in_a, ALICE, &sealed), 0);
		sealed.data[i] ^= 1;
	}
	for (size_t length = 0; length < sealed.length; length++) {
		const struct buffer cut = {.data = sealed.data, .length = length};
		int r = open_one(db, &in_a, ALICE, &cut);

		assert_true(r == -EBADMSG || r == -ENOKEY);
	}
}

static void test_erased_stays_erased(void **state)
{
	_cleanup_(db_destroyp) struct db *db = db_rig_pool(2, 1000, 5000);
	_cleanup_(buffer_finish) struct buffer before = BUFFER_INIT, after = BUFFER_INIT;
	const char *person = "usr_FFFFFFFFFFFFFFFF";

	(void)state;
	seal_one(db, &in_a, person, &before);
	assert_false(erase(db, &in_b, person));
	assert_int_equal(open_one(db, &in_a, person, &before), 0);
	assert_true(erase(db, &in_a, person));
	assert_int_equal(open_one(db, &in_a, person, &before), -ENOKEY);
	assert_false(erase(db, &in_a, person));
	/* A new key opens what comes, and not what was. */
	seal_one(db, &in_a, person, &after);
	assert_int_equal(open_one(db, &in_a, person, &after), 0);
	assert_int_equal(open_one(db, &in_a, person, &before), -ENOKEY);
}

/* Two at once make one key: what each of them sealed opens. */
static void test_two_at_once(void **state)
{
	_cleanup_(db_destroyp) struct db *db = db_rig_pool(3, 1000, 5000);
	_cleanup_(buffer_finish) struct buffer first = BUFFER_INIT, second = BUFFER_INIT;
	struct personal personal = of("usr_CCCCCCCCCCCCCCCC", "{\"user\":{\"name\":\"alice\"}}");
	struct db_tx *tx = db_rig_begin(db, &in_a);
	struct person_keys *keys = load(tx, TENANT_A, personal.person, true);

	(void)state;
	assert_int_equal(person_seal(keys, &personal, &first), 0);
	person_keys_free(keys);
	assert_int_equal(db_commit(tx), 0);
	seal_one(db, &in_a, personal.person, &second);
	assert_int_equal(open_one(db, &in_a, personal.person, &first), 0);
	assert_int_equal(open_one(db, &in_a, personal.person, &second), 0);
	assert_memory_equal(first.data, second.data, 8);
	/* The salt of the sealing, not only the nonce, is another one each time. */
	assert_memory_not_equal(first.data + 8, second.data + 8, first.length - 8);
}

static void test_who_was_not_named_has_no_key(void **state)
{
	_cleanup_(db_destroyp) struct db *db = db_rig_pool(2, 1000, 5000);
	_cleanup_(buffer_finish) struct buffer sealed = BUFFER_INIT;
	struct db_tx *tx = db_rig_begin(db, &in_a);
	struct personal personal = of(BOB, "{}");
	struct person_keys *keys = load(tx, TENANT_A, ALICE, true), *none = NULL;
	const char *names[] = {"", ALICE};
	char large[LEAF_ID_MAX + 1];

	(void)state;
	assert_int_equal(person_seal(keys, &personal, &sealed), -ENOKEY);
	person_keys_free(keys);
	assert_int_equal(person_keys_load(&platform, tx, TENANT_A, names, 2, true, &none), -EINVAL);
	memset(large, 'a', sizeof(large));
	large[LEAF_ID_MAX] = '\0';
	names[0] = large;
	assert_int_equal(person_keys_load(&platform, tx, TENANT_A, names, 2, true, &none), -EINVAL);
	assert_null(none);
	/* Named twice is named. */
	names[0] = ALICE;
	assert_int_equal(person_keys_load(&platform, tx, TENANT_A, names, 2, true, &none), 0);
	person_keys_free(none);
	db_rollback(tx);
}

/* Another seal key, or a key that was moved in the database to another person, opens nothing. */
static void test_keys_are_bound(void **state)
{
	_cleanup_(db_destroyp) struct db *db = db_rig_pool(2, 1000, 5000);
	_cleanup_(buffer_finish) struct buffer sealed = BUFFER_INIT;
	struct seal_key other = platform;
	struct person_keys *keys = NULL;
	const char *person = "usr_DDDDDDDDDDDDDDDD", *thief = "usr_EEEEEEEEEEEEEEEE";
	struct db_tx *tx;

	(void)state;
	seal_one(db, &in_a, person, &sealed);
	other.bytes[5] ^= 1;
	tx = db_rig_begin(db, &in_a);
	assert_int_equal(person_keys_load(&other, tx, TENANT_A, &person, 1, false, &keys), -EBADMSG);
	db_rollback(tx);
	cluster_sql(
		&db_rig_cluster,
		"INSERT INTO control.audit_person_keys (tenant_id, person, sealed) SELECT tenant_id, "
		"'usr_EEEEEEEEEEEEEEEE', sealed FROM control.audit_person_keys WHERE person = 'usr_DDDDDDDDDDDDDDDD'",
		NULL, 0);
	tx = db_rig_begin(db, &in_a);
	assert_int_equal(person_keys_load(&platform, tx, TENANT_A, &thief, 1, false, &keys), -EBADMSG);
	db_rollback(tx);
	assert_null(keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_sealed_opens_for_its_own),
		cmocka_unit_test(test_every_changed_byte_is_seen),
		cmocka_unit_test(test_erased_stays_erased),
		cmocka_unit_test(test_two_at_once),
		cmocka_unit_test(test_who_was_not_named_has_no_key),
		cmocka_unit_test(test_keys_are_bound),
	};

	return cmocka_run_group_tests(tests, db_rig_set_up, db_rig_tear_down);
}
