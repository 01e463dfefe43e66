/* SPDX-License-Identifier: MIT
 *
 * Publishing against a real database: what a transaction leaves behind when it ends at each of its steps, what is
 * refused, what is split, and whether two that publish at once come out in a row.
 */
#include "../unit.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cluster.h"
#include "control_plane/config.h"
#include "control_plane/feed/change.h"
#include "control_plane/feed/internal.h"
#include "control_plane/feed/snapshots.h"
#include "control_plane/feed/trust.h"

#define TENANT "ten_AAAAAAAAAAAAAAAA"
#define OTHER "ten_BBBBBBBBBBBBBBBB"
#define USER "usr_0000000000000001"

static struct cluster cluster;
static struct app app;
static struct config config = {.stale_sec = 300, .head_sec = 15, .keep_deltas_sec = 86400};
static const struct db_scope tenant = {.tenant_id = TENANT};

static struct db_tx *begin(const struct db_scope *scope)
{
	struct db_tx *tx = NULL;

	assert_result(db_begin(app.db, scope, &tx), 0);
	return tx;
}

static void make_tenant(const char *id, const char *slug, const char *gid)
{
	const struct db_scope platform = {.platform = true};
	struct db_tx *tx = begin(&platform);
	char first[16], last[16];

	(void)snprintf(first, sizeof(first), "%s", gid);
	(void)snprintf(last, sizeof(last), "%d", atoi(gid) + 1);
	assert_result(db_run(tx, NULL,
			     "INSERT INTO tenants (id, slug, gid, id_first, id_count, id_next) "
			     "VALUES ($1, $2, $3, $3, 16384, $4)",
			     id, slug, first, last),
		      0);
	assert_result(feed_create(tx, &app, id), 0);
	assert_result(db_commit(tx), 0);
}

static struct feed_row row_of(const char *id)
{
	const struct db_scope scope = {.tenant_id = id, .read_only = true};
	struct db_tx *tx = begin(&scope);
	struct feed_row row;

	assert_result(feed_row_get(tx, id, &row), 0);
	db_rollback(tx);
	return row;
}

/* As a host would: chain and head from the first delta on. */
static void check_feed(const char *id)
{
	const struct db_scope scope = {.tenant_id = id, .read_only = true};
	struct db_rows *trusts = NULL, *heads = NULL, *deltas = NULL;
	struct feed_row row = row_of(id);
	struct db_tx *tx = begin(&scope);
	uint8_t chain[SHA256_BYTES];
	struct feed_trust trust, next;
	struct feed_head head;
	struct problem problem = {0};
	char epoch[24];

	(void)snprintf(epoch, sizeof(epoch), "%" PRIu64, row.epoch);
	assert_result(db_run(tx, &trusts, "SELECT note FROM feed_trust WHERE tenant_id = $1 ORDER BY version", id), 0);
	assert_result(db_run(tx, &heads, "SELECT head FROM feeds WHERE tenant_id = $1", id), 0);
	assert_result(db_run(tx, &deltas,
			     "SELECT bytes FROM feed_deltas WHERE tenant_id = $1 AND epoch = $2 ORDER BY revision", id,
			     epoch),
		      0);
	for (uint32_t i = 0; i < db_row_count(trusts); i++) {
		const char *note = db_text(trusts, i, 0);

		assert_int_equal(feed_trust_read(note, strlen(note), i == 0 ? NULL : &trust, &next, &problem),
				 FEED_FINE);
		trust = next;
	}
	assert_int_equal(trust.version, row.trust_version);
	assert_int_equal(feed_head_read(db_text(heads, 0, 0), strlen(db_text(heads, 0, 0)), &trust,
					clock_realtime_sec(), &head, &problem),
			 FEED_FINE);
	assert_int_equal(db_row_count(deltas), row.revision);
	assert_result(feed_chain_start(row.origin, row.epoch, chain), 0);
	for (uint32_t i = 0; i < db_row_count(deltas); i++) {
		const char *bytes = db_text(deltas, i, 0);
		struct delta delta;

		assert_int_equal(delta_read(bytes, strlen(bytes), row.origin, &delta, &problem), FEED_FINE);
		assert_int_equal(delta.rev, i + 1);
		delta_finish(&delta);
		assert_result(feed_chain_add(chain, bytes, strlen(bytes)), 0);
	}
	assert_memory_equal(chain, row.chain, sizeof(chain));
	assert_memory_equal(chain, head.chain, sizeof(chain));
	assert_int_equal(head.revision, row.revision);
	db_rows_free(trusts);
	db_rows_free(heads);
	db_rows_free(deltas);
	db_rollback(tx);
}

static json_t *user_body(unsigned number)
{
	char login[32];

	(void)snprintf(login, sizeof(login), "user%u", number);
	return json_pack("{s:s, s:i, s:s}", "login", login, "uid", 1879048200 + (int)number, "name", "A \"B\" \\ C");
}

static struct change *put_user(unsigned number, uint64_t version)
{
	struct change *change = NULL;
	char id[32];

	(void)snprintf(id, sizeof(id), "usr_%016u", number);
	assert_result(change_new(TENANT, &change), 0);
	change_put(change, RECORD_USER, id, version, user_body(number));
	return change;
}

static void publish(struct change *change)
{
	struct problem problem = {0};
	struct db_tx *tx = begin(&tenant);

	assert_result(change_publish(change, &app, tx, &problem), 0);
	assert_result(db_commit(tx), 0);
	change_announce(change, &app);
	change_free(change);
}

static void a_new_feed_verifies(void **state)
{
	struct feed_row row = row_of(TENANT);

	assert_string_equal(row.origin, "control.example/feed/" TENANT);
	assert_int_equal(row.epoch, 1);
	check_feed(TENANT);
}

static void one_change_is_one_revision(void **state)
{
	uint64_t before = row_of(TENANT).revision;
	char count[16];

	publish(put_user(1, 1));
	publish(put_user(1, 2));
	assert_int_equal(row_of(TENANT).revision, before + 2);
	check_feed(TENANT);
	cluster_sql(&cluster, "SELECT version FROM control.feed_records WHERE id = 'usr_0000000000000001'", count,
		    sizeof(count));
	assert_string_equal(count, "2");
}

/* The transaction ends after each step, as in a crash: nothing of it is there. */
static void nothing_is_left_of_what_does_not_commit(void **state)
{
	struct feed_row before = row_of(TENANT), after;
	char records[16], again[16];

	cluster_sql(&cluster, "SELECT count(*) FROM control.feed_records", records, sizeof(records));
	for (unsigned step = 0; step < 4; step++) {
		struct change *change = put_user(50 + step, 1);
		struct problem problem = {0};
		struct db_tx *tx = begin(&tenant);
		struct feed_row row;

		if (step > 0)
			assert_result(feed_row_lock(tx, TENANT, &row), 0);
		if (step > 1)
			assert_result(change_publish(change, &app, tx, &problem), 0);
		if (step > 2) /* and what it has queued is on its way */
			assert_result(db_run(tx, NULL, "SELECT 1"), 0);
		db_rollback(tx);
		change_free(change);
	}
	after = row_of(TENANT);
	assert_memory_equal(&before, &after, sizeof(before));
	cluster_sql(&cluster, "SELECT count(*) FROM control.feed_records", again, sizeof(again));
	assert_string_equal(records, again);
	publish(put_user(60, 1));
	check_feed(TENANT);
}

static void refuse(struct change *change, int expected)
{
	struct problem problem = {0};
	struct db_tx *tx = begin(&tenant);

	assert_result(change_publish(change, &app, tx, &problem), expected);
	assert_true(problem.text[0] != '\0');
	db_rollback(tx);
	change_free(change);
}

static void what_no_host_would_take_is_never_signed(void **state)
{
	struct feed_row before = row_of(TENANT), after;
	struct change *change = put_user(70, 1);

	change_put(change, RECORD_USER, "usr_0000000000000071", 1, json_pack("{s:s}", "login", "no uid"));
	refuse(change, -EINVAL);
	assert_result(change_new(TENANT, &change), 0);
	change_put(change, RECORD_USER, "not an id", 1, user_body(1));
	refuse(change, -EINVAL);
	change = put_user(72, 0);
	refuse(change, -EINVAL);
	assert_result(change_new(TENANT, &change), 0);
	change_put(change, RECORD_USER, USER, 1, NULL); /* as when there was no memory for a body */
	refuse(change, -ENOMEM);
	/* What feed_records holds after a revocation is checked, too. */
	assert_result(change_new(TENANT, &change), 0);
	change_revoke(change, RECORD_KEY, "key_0000000000000001", 2, json_pack("{s:i}", "at", 5),
		      json_pack("{s:s}", "user", USER));
	refuse(change, -EINVAL);
	assert_result(change_new("ten_CCCCCCCCCCCCCCCC", &change), 0);
	change_put(change, RECORD_USER, USER, 1, user_body(1));
	refuse(change, -EINVAL);
	after = row_of(TENANT);
	assert_memory_equal(&before, &after, sizeof(before));
}

static void the_last_word_about_a_record_counts(void **state)
{
	struct change *change = put_user(80, 1);
	uint64_t before = row_of(TENANT).revision;
	char count[16];

	assert_false(change_is_empty(change));
	change_put(change, RECORD_USER, "usr_0000000000000080", 2, user_body(81));
	change_delete(change, RECORD_USER, "usr_0000000000000080", 3);
	publish(change);
	assert_int_equal(row_of(TENANT).revision, before + 1);
	cluster_sql(&cluster, "SELECT count(*) FROM control.feed_records WHERE id = 'usr_0000000000000080'", count,
		    sizeof(count));
	assert_string_equal(count, "0");
	check_feed(TENANT);
}

static void revocations_name_what_they_are_of(void **state)
{
	struct change *change = NULL;
	char text[256];

	assert_result(change_new(TENANT, &change), 0);
	change_revoke(change, RECORD_REVOCATION, "hst_0000000000000001", 1,
		      json_pack("{s:s, s:i, s:s}", "of", "host", "at", 1790000000, "reason", "stolen"),
		      json_pack("{s:s, s:i, s:s}", "of", "host", "at", 1790000000, "reason", "stolen"));
	publish(change);
	cluster_sql(&cluster,
		    "SELECT (bytes::json)->'ops'->0->>'kind' || ((bytes::json)->'ops'->0->'body')::text FROM "
		    "control.feed_deltas WHERE tenant_id = '" TENANT "' ORDER BY revision DESC LIMIT 1",
		    text, sizeof(text));
	assert_string_equal(text, "host{\"at\":1790000000,\"reason\":\"stolen\"}");
	check_feed(TENANT);
}

static void large_changes_are_several_revisions(void **state)
{
	uint64_t before = row_of(TENANT).revision;
	struct change *change = NULL;
	char reason[200];

	memset(reason, 'r', sizeof(reason));
	reason[sizeof(reason) - 1] = '\0';
	assert_result(change_new(TENANT, &change), 0);
	for (unsigned i = 0; i < 20000; i++) {
		json_t *body = user_body(100 + i);
		char id[32];

		(void)snprintf(id, sizeof(id), "usr_%016u", 100 + i);
		(void)json_object_set_new(body, "status_reason", json_string(reason));
		change_put(change, RECORD_USER, id, 1, body);
	}
	publish(change);
	assert_true(row_of(TENANT).revision >= before + 2);
	check_feed(TENANT);
}

static void several_feeds_in_one_transaction(void **state)
{
	uint64_t before = row_of(TENANT).revision, other = row_of(OTHER).revision;
	struct change *change = put_user(90, 1), *also = NULL, *same = NULL;

	assert_result(change_also(change, OTHER, &also), 0);
	assert_result(change_also(change, TENANT, &same), 0);
	assert_ptr_equal(same, change);
	change_put(also, RECORD_USER, "usr_0000000000000091", 1, user_body(91));
	publish(change);
	assert_int_equal(row_of(TENANT).revision, before + 1);
	assert_int_equal(row_of(OTHER).revision, other + 1);
	check_feed(TENANT);
	check_feed(OTHER);
}

static void *publish_many(void *argument)
{
	unsigned from = *(const unsigned *)argument;

	for (unsigned i = 0; i < 25; i++)
		publish(put_user(from + i, 1));
	return NULL;
}

static void those_at_once_come_one_after_the_other(void **state)
{
	unsigned from[] = {30000, 31000, 32000, 33000};
	uint64_t before = row_of(TENANT).revision;
	pthread_t threads[ARRAY_LEN(from)];

	for (size_t i = 0; i < ARRAY_LEN(from); i++)
		assert_result(pthread_create(&threads[i], NULL, publish_many, &from[i]), 0);
	for (size_t i = 0; i < ARRAY_LEN(from); i++)
		assert_result(pthread_join(threads[i], NULL), 0);
	assert_int_equal(row_of(TENANT).revision, before + 100);
	check_feed(TENANT);
}

static void keys_change_and_an_epoch_begins(void **state)
{
	struct db_tx *tx = begin(&tenant);
	uint64_t version;
	struct feed_row row;

	assert_result(trust_rotate(app.publisher, tx, TENANT, true, &version), -EALREADY);
	assert_result(trust_rotate(app.publisher, tx, TENANT, false, &version), 0);
	assert_result(db_commit(tx), 0);
	check_feed(TENANT);
	publish(put_user(95, 1));
	check_feed(TENANT);
	tx = begin(&tenant);
	assert_result(trust_rotate(app.publisher, tx, TENANT, false, &version), -EALREADY);
	assert_result(trust_rotate(app.publisher, tx, TENANT, true, &version), 0);
	assert_int_equal(version, 3);
	assert_result(db_commit(tx), 0);
	check_feed(TENANT);
	tx = begin(&tenant);
	assert_result(trust_new_epoch(app.publisher, tx, TENANT, &row), 0);
	assert_result(db_commit(tx), 0);
	assert_int_equal(row.epoch, 2);
	check_feed(TENANT);
	publish(put_user(96, 1));
	check_feed(TENANT);
}

static void snapshots_say_what_the_records_are(void **state)
{
	struct db_tx *tx;
	char *note = NULL, count[16];

	assert_result(snapshot_make(app.publisher, TENANT), 0);
	tx = begin(&tenant);
	assert_result(snapshot_find(tx, TENANT, true, &note), 0);
	assert_non_null(strstr(note, "tenantd-feed-snapshot/v1\ncontrol.example/feed/" TENANT "\nepoch 2\n"));
	db_rollback(tx);
	free(note);
	/* A younger delta than the snapshot is never pruned, nor one that is not old enough. */
	publish(put_user(97, 1));
	cluster_sql(&cluster, "UPDATE control.feed_deltas SET created_at = now() - interval '2 days'", NULL, 0);
	assert_result(snapshot_prune(app.publisher, TENANT), 0);
	cluster_sql(&cluster, "SELECT count(*) FROM control.feed_deltas WHERE tenant_id = '" TENANT "'", count,
		    sizeof(count));
	assert_string_equal(count, "1");
}

static void another_seal_key_signs_nothing(void **state)
{
	struct app stranger = app;
	struct problem problem = {0};
	struct change *change = put_user(98, 1);
	struct db_tx *tx;

	stranger.seal_key.bytes[0] ^= 1;
	assert_result(publisher_create(&stranger, false, &stranger.publisher, &problem), 0);
	tx = begin(&tenant);
	assert_result(change_publish(change, &stranger, tx, &problem), -EIO);
	db_rollback(tx);
	change_free(change);
	publisher_destroy(stranger.publisher);
}

static int set_up(void **state)
{
	struct db_options options = {.connections = 6, .wait_ms = 5000, .statement_ms = 30000};
	struct problem problem = {0};

	cluster_start(&cluster);
	cluster_sql(&cluster,
		    "INSERT INTO control.platform (authority, next_id_block) VALUES ('control.example', 1900000000)",
		    NULL, 0);
	options.dsn = cluster.service;
	assert_result(db_create(&options, &app.db), 0);
	app.config = &config;
	assert_result(publisher_create(&app, false, &app.publisher, &problem), 0);
	make_tenant(TENANT, "acme", "1879048192");
	make_tenant(OTHER, "beta", "1879064576");
	return 0;
}

static int tear_down(void **state)
{
	publisher_destroy(app.publisher);
	db_destroy(app.db);
	cluster_stop(&cluster);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_feed_verifies),
		cmocka_unit_test(one_change_is_one_revision),
		cmocka_unit_test(nothing_is_left_of_what_does_not_commit),
		cmocka_unit_test(what_no_host_would_take_is_never_signed),
		cmocka_unit_test(the_last_word_about_a_record_counts),
		cmocka_unit_test(revocations_name_what_they_are_of),
		cmocka_unit_test(large_changes_are_several_revisions),
		cmocka_unit_test(several_feeds_in_one_transaction),
		cmocka_unit_test(those_at_once_come_one_after_the_other),
		cmocka_unit_test(keys_change_and_an_epoch_begins),
		cmocka_unit_test(snapshots_say_what_the_records_are),
		cmocka_unit_test(another_seal_key_signs_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
