/* SPDX-License-Identifier: MIT
 *
 * Events in the store: one after the other, what is told of those that it did not keep, and what is told of itself.
 */
#include "unit.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "audit/keep.h"
#include "leaf_fixture.h"
#include "ocsf_check.h"

static void events_follow_one_another(void **state)
{
	struct tlog_hash before = {0};

	for (unsigned i = 1; i <= 5; i++) {
		struct audit_event event = kept_full_event(AUDIT_LOGIN_ALLOWED);
		char id[64], line[96];
		struct leaf leaf;

		audit_write(kept_audit, &event);
		leaf = kept_check_last(NULL);
		(void)snprintf(id, sizeof(id), "0123456789abcdef-%u", i);
		assert_string_equal(leaf.id, id);
		assert_int_equal(leaf.link.sequence, i);
		assert_memory_equal(leaf.link.prev, before.bytes, SHA256_BYTES);
		before = kept.head;
		/* By which it is found in the journal. */
		(void)snprintf(line, sizeof(line), "\nTENANTD_EVENT_ID=%s\n", id);
		assert_non_null(strstr(buffer_text(&kept_journal), line));
	}
}

/* ---- when there is no room ------------------------------------------------------------------------------------------
 */

static void what_was_not_kept_is_told_first(void **state)
{
	struct audit_event event = kept_full_event(AUDIT_LOGIN_ALLOWED);
	struct leaf gap;
	struct problem problem;

	audit_write(kept_audit, &event);
	kept.full = true;
	for (int i = 0; i < 3; i++)
		audit_write(kept_audit, &event);
	assert_int_equal(kept.count, 1);
	assert_int_equal(audit_unkept(kept_audit), 3);
	assert_int_equal(kept_journal_count, 4); /* the journal has them */
	assert_null(strstr(buffer_text(&kept_journal), "0123456789abcdef-"));
	assert_null(strstr(buffer_text(&kept_journal), "\"chain\""));
	kept.full = false;
	audit_write(kept_audit, &event);
	assert_int_equal(kept.count, 3);
	assert_int_equal(kept_journal_count, 6);
	assert_result(leaf_read(kept.leaf[1].data, kept.leaf[1].length, &gap, &problem), 0);
	assert_string_equal(gap.kind, "audit-gap");
	assert_int_equal(gap.link.sequence, 2);
	assert_non_null(strstr(buffer_text(&kept.leaf[1]), "\"count\":3"));
	assert_non_null(strstr(buffer_text(&kept.leaf[1]), "\"record_id\":\"0123456789abcdef\""));
	assert_int_equal(kept.told, 3);
	kept_check_last(NULL);
	audit_write(kept_audit, &event); /* once */
	assert_int_equal(kept.count, 4);
	assert_int_equal(kept.told_times, 1);
}

/* At the end the journal says what the spool never will. */
static void a_gap_at_the_end(void **state)
{
	struct audit_event event = kept_full_event(AUDIT_LOGIN_ALLOWED);

	kept.full = true;
	audit_write(kept_audit, &event);
	audit_write(kept_audit, &event);
	audit_destroy(kept_audit);
	kept_audit = NULL;
	assert_int_equal(kept.count, 0);
	assert_int_equal(kept_journal_count, 3);
	assert_non_null(strstr(buffer_text(&kept_journal), "\nTENANTD_EVENT=audit-gap\n"));
	assert_non_null(strstr(buffer_text(&kept_journal), "\nTENANT_COUNT=2\n"));
}

static void a_gap_that_is_told_is_not_told_at_the_end(void **state)
{
	struct audit_event event = kept_full_event(AUDIT_LOGIN_ALLOWED);

	kept.full = true;
	audit_write(kept_audit, &event);
	kept.full = false;
	audit_destroy(kept_audit);
	kept_audit = NULL;
	assert_int_equal(kept.count, 1);
	assert_int_equal(kept.told, 1);
	assert_int_equal(kept_journal_count, 2);
}

static void no_memory_is_no_hole(void **state)
{
	struct audit_event event = kept_full_event(AUDIT_LOGIN_ALLOWED);
	struct leaf leaf;

	kept.no_memory = true;
	audit_write(kept_audit, &event);
	audit_write(kept_audit, &event); /* neither it, nor what is missing */
	assert_int_equal(kept.count, 0);
	assert_int_equal(kept_journal_count, 2);
	assert_int_equal(audit_unkept(kept_audit), 2);
	assert_int_equal(kept.told, 0);
	kept.no_memory = false;
	audit_write(kept_audit, &event);
	assert_int_equal(kept.count, 2);
	assert_int_equal(kept.told, 2);
	leaf = kept_check_last(NULL);
	assert_int_equal(leaf.link.sequence, 2);
}

static void without_a_store(void **state)
{
	struct audit_event event = kept_full_event(AUDIT_LOGIN_ALLOWED);
	_cleanup_(json_decrefp) json_t *object = NULL;
	char text[256];

	audit_set_store(kept_audit, NULL);
	audit_write(kept_audit, &event);
	assert_int_equal(kept.count, 0);
	assert_int_equal(audit_unkept(kept_audit), 0);
	object = kept_journal_object();
	assert_null(ocsf_fault(kept_schema, object, text, sizeof(text)));
	assert_null(json_object_get(json_object_get(object, "unmapped"), "personal"));
	assert_null(json_object_get(json_object_get(object, "unmapped"), "chain"));
	assert_non_null(strstr(buffer_text(&kept_journal), "secret-victor"));
}

/* What is grouped is kept as it is written. */
static void grouped_events_are_kept_as_one(void **state)
{
	struct audit_event event = kept_full_event(AUDIT_KEY_USED);
	struct leaf leaf;

	for (int i = 0; i < 10; i++)
		audit_write(kept_audit, &event);
	assert_int_equal(kept.count, 1);
	kept_now += 6 * MINUTE;
	audit_tick(kept_audit, kept_now);
	assert_int_equal(kept.count, 2);
	leaf = kept_check_last(NULL);
	assert_string_equal(leaf.tenant_id, "ten_acme");
	assert_string_equal(leaf.project_id, "prj_vision");
	assert_non_null(strstr(buffer_text(&kept.leaf[1]), "\"count\":9"));
}

static void what_the_spool_finds(void **state)
{
	static const struct {
		enum spool_finding finding;
		const char *kind;
		enum leaf_outcome outcome;
		unsigned severity;
	} table[] = {
		{SPOOL_CHAIN_BEGAN, "audit-chain-began", LEAF_SUCCESS, 2},
		{SPOOL_REPAIRED, "audit-repaired", LEAF_SUCCESS, 3},
		{SPOOL_DAMAGED, "audit-damaged", LEAF_FAILURE, 5},
		{SPOOL_BROKEN, "audit-broken", LEAF_FAILURE, 4},
		{SPOOL_WHOLE, "audit-broken", LEAF_SUCCESS, 4},
		{SPOOL_OVERWRITTEN, "audit-overwritten", LEAF_SUCCESS, 2},
	};

	assert_int_equal(ARRAY_LEN(table), SPOOL_FINDING_COUNT);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct leaf leaf;

		audit_found(kept_audit, table[i].finding, 17, 4, "in segment 1");
		leaf = kept_check_last(NULL);
		assert_string_equal(leaf.kind, table[i].kind);
		assert_int_equal(leaf.outcome, table[i].outcome);
		assert_int_equal(leaf.severity_id, table[i].severity);
		assert_non_null(strstr(buffer_text(&kept.leaf[i]), "\"detail\":\"in segment 1, from 17 on\""));
		assert_non_null(strstr(buffer_text(&kept.leaf[i]), "\"count\":4"));
		assert_non_null(strstr(buffer_text(&kept.leaf[i]), "\"record_id\":\"0123456789abcdef\""));
	}
	audit_found(kept_audit, SPOOL_FINDING_COUNT, 0, 0, NULL);
	assert_int_equal(kept.count, SPOOL_FINDING_COUNT);
	audit_found(kept_audit, SPOOL_CHAIN_BEGAN, 0, 0, NULL);
	kept_check_last(NULL);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, kept_setup, kept_teardown)
	const struct CMUnitTest tests[] = {
		TEST(events_follow_one_another),
		TEST(what_was_not_kept_is_told_first),
		TEST(a_gap_at_the_end),
		TEST(a_gap_that_is_told_is_not_told_at_the_end),
		TEST(no_memory_is_no_hole),
		TEST(without_a_store),
		TEST(grouped_events_are_kept_as_one),
		TEST(what_the_spool_finds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
