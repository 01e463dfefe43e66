/* SPDX-License-Identifier: MIT
 *
 * Decisions while the control plane of a tenant is out of reach.
 */
#include <string.h>

#include "base/clock.h"
#include "base/macros.h"
#include "fixture.h"
#include "picture_feed.h"
#include "policy/policy.h"
#include "unit.h"

#define END (1000 * USEC_PER_SEC) /* of the head */
#define OFFLINE_SEC 60U

static void test_answers(void **state)
{
	static const struct freshness_entry entries[] = {{"ten_a", END}, {"ten_b", 0}};
	static const struct freshness freshness = {entries, ARRAY_LEN(entries)};
	static const struct {
		const char *tenant;
		bool from_feed;
		uint32_t offline_sec;
		uint64_t now;
		enum freshness_answer answer;
	} table[] = {
		{"ten_a", true, 60, 0, FRESHNESS_FRESH},
		{"ten_a", true, 60, END - 1, FRESHNESS_FRESH},
		{"ten_a", true, 60, END, FRESHNESS_STALE},
		{"ten_a", true, 60, END + 60 * USEC_PER_SEC - 1, FRESHNESS_STALE},
		{"ten_a", true, 60, END + 60 * USEC_PER_SEC, FRESHNESS_GONE},
		{"ten_a", true, 0, END, FRESHNESS_GONE},
		{"ten_a", true, UINT32_MAX, END + 60 * USEC_PER_SEC, FRESHNESS_STALE}, /* no overflow */
		{"ten_b", true, 60, 1, FRESHNESS_STALE},
		{"ten_file", false, 0, UINT64_MAX, FRESHNESS_FRESH},
		/* Nobody vouches for these any more. */
		{"ten_gone", true, UINT32_MAX, 0, FRESHNESS_GONE},
		{"ten_gone", true, 0, UINT64_MAX, FRESHNESS_GONE},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (freshness_of(&freshness, table[i].tenant, table[i].from_feed, table[i].offline_sec, table[i].now) !=
		    table[i].answer)
			fail_msg("row %zu", i);
	assert_int_equal(freshness_of(NULL, "ten_a", false, 0, UINT64_MAX), FRESHNESS_FRESH);
	assert_int_equal(freshness_of(NULL, "ten_a", true, 60, 0), FRESHNESS_GONE);
}

/* Who is asked about on host gpu-1, where alice is owner and edith editor of prj_vision, adam the tenant's admin. */
static void test_decisions(void **state)
{
	static const struct {
		const char *user, *action, *project, *stale_role;
		uint64_t now;
		enum reason reason;
		bool stale;
	} table[] = {
		{"alice", "host.login", NULL, "owner", END - 1, REASON_ALLOWED, false},
		{"alice", "host.login", NULL, "owner", END, REASON_ALLOWED, true},
		{"alice", "host.sudo", NULL, "owner", END, REASON_ALLOWED, true},
		{"alice", "host.login", NULL, "editor", END, REASON_STALE, true},
		{"alice", "host.login", NULL, NULL, END, REASON_STALE, true},
		{"alice", "host.login", NULL, "owner", END + OFFLINE_SEC * USEC_PER_SEC, REASON_STALE, true},
		{"edith", "host.login", NULL, "owner", END, REASON_STALE, true},
		{"edith", "host.login", NULL, "editor", END, REASON_ALLOWED, true},
		{"alice", "dataset.write", "prj_vision", "owner", END, REASON_ALLOWED, true},
		{"alice", "dataset.write", "prj_vision", "viewer", END, REASON_STALE, true},
		{"alice", NULL, "prj_vision", "owner", END, REASON_ALLOWED, true},
		{"alice", NULL, NULL, "owner", END, REASON_ALLOWED, true},
		{"alice", NULL, NULL, "viewer", END, REASON_STALE, true},
		{"adam", "member.manage", "prj_vision", "admin", END, REASON_STALE, true}, /* project roles alone */
		{"adam", "tenant.manage", NULL, "admin", END, REASON_STALE, true},
		/* A no stays the no that it is. */
		{"victor", "host.login", NULL, "viewer", END, REASON_ROLE_TOO_LOW, true},
		{"gone", "host.login", NULL, "owner", END, REASON_USER_SUSPENDED, true},
		{"sam", "host.login", NULL, "owner", END, REASON_NOT_A_MEMBER, true},
		/* Another tenant's feed, or none, says nothing about it. */
		{"bert", "host.login", NULL, NULL, END, REASON_ALLOWED, false},
	};
	static const struct freshness_entry entries[] = {{"ten_acme", END}};
	static const struct freshness freshness = {entries, ARRAY_LEN(entries)};
	_cleanup_(directory_unrefp) struct directory *d = fixture_load("gpu-1", fixture_yaml);
	/* Files have no such policy; a feed's tenant would come with it. */
	struct tenant_record *tenant = (struct tenant_record *)(uintptr_t)directory_tenant(d, "ten_acme");

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const char *roles[] = {table[i].stale_role};
		struct policy_request request = {
			.user = directory_user_by_login(d, table[i].user),
			.project = table[i].project ? directory_project(d, table[i].project) : NULL,
			.action = table[i].action,
			.service = "sshd",
			.now = FIXTURE_NOW,
			.freshness = &freshness,
			.boot_now = table[i].now,
		};
		struct policy_decision decision;

		tenant->stale_offline_sec = OFFLINE_SEC;
		tenant->stale_roles = (struct string_list){roles, table[i].stale_role ? 1 : 0};
		policy_decide(d, &request, &decision);
		if (decision.reason != table[i].reason || decision.stale != table[i].stale)
			fail_msg("row %zu: %s%s, not %s", i, reason_word(decision.reason),
				 decision.stale ? " (stale)" : "", reason_word(table[i].reason));
	}
	tenant->stale_roles = (struct string_list){0};
}

/* A feed's view went, and the picture without its records could not be made: memory was short. */
static void test_records_without_a_feed(void **state)
{
	static const struct freshness_entry own[] = {{"ten_acme000000000000", END}},
					    other[] = {{"ten_other00000000000", END}};
	static const struct {
		struct freshness freshness;
		enum reason reason;
	} table[] = {{{own, 1}, REASON_ALLOWED}, {{other, 1}, REASON_STALE}, {{NULL, 0}, REASON_STALE}};
	struct feed_picture *feed = feed_of(own[0].tenant_id, "acme", 1, "alice");
	_cleanup_(directory_unrefp) struct directory *d = NULL;
	struct problem problem = {0};
	struct unit *const *units;
	const char *source;
	uint32_t count;

	feed_picture_units(feed, &units, &count);
	assert_result(directory_join(NULL, units, count, "gpu-1", NULL, &d, &source, &problem), 0);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct policy_request request = {
			.user = directory_user(d, "usr_acme_alice"),
			.now = FIXTURE_NOW,
			.freshness = &table[i].freshness,
		};
		struct policy_decision decision;

		assert_non_null(request.user);
		policy_decide(d, &request, &decision);
		assert_int_equal(decision.reason, table[i].reason);
	}
	feed_picture_free(feed);
}

/* Every other reason is somebody's no. */
static void test_broken_reasons(void **state)
{
	static const enum reason broken[] = {REASON_SSO_UNREACHABLE, REASON_SSO_REFUSED, REASON_TOKEN_UNDECIDED,
					     REASON_STALE,           REASON_AUDIT_FULL,  REASON_BROKEN};

	for (unsigned reason = 0; reason < REASON_COUNT; reason++) {
		bool expected = false;

		for (size_t i = 0; i < ARRAY_LEN(broken); i++)
			expected = expected || reason == broken[i];
		assert_int_equal(reason_is_broken(reason), expected);
	}
	assert_string_equal(reason_word(REASON_STALE), "stale");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_decisions),
		cmocka_unit_test(test_records_without_a_feed),
		cmocka_unit_test(test_broken_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
