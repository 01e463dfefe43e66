/* SPDX-License-Identifier: MIT
 *
 * Whose sessions somebody may see and end: by role, by ids that stay, and not while nobody can tell.
 */
#include "unit.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/macros.h"
#include "fixture.h"
#include "server/session_rights.h"

#define ALICE 1879048210U
#define EDITH 1879048211U
#define SAM 1879048214U
#define ADAM 1879048215U
#define GONE 1879048218U
#define BERT 1879113738U
#define STRANGER 4242U
#define NOW USEC_PER_SEC

static struct directory *d;

static int load(void **state)
{
	(void)state;
	d = fixture_load("gpu-1", fixture_yaml);
	return d ? 0 : -1;
}

static int unload(void **state)
{
	(void)state;
	directory_unref(d);
	return 0;
}

static struct session_rights rights_of(const struct parts *parts, uint32_t uid)
{
	return session_rights(parts, uid, uid == 0, NOW, FIXTURE_NOW);
}

/* A session of edith's, opened for the project by these ids. */
static struct session opened_for(const char *tenant_id, const char *project_id)
{
	static char tenant[64], project[64], login[] = "edith", user_id[] = "usr_edith", slug[] = "acme",
					     name[] = "vision";

	snprintf(tenant, sizeof(tenant), "%s", tenant_id);
	snprintf(project, sizeof(project), "%s", project_id);
	return (struct session){.login = login,
				.user_id = user_id,
				.uid = EDITH,
				.tenant = slug,
				.project = name,
				.tenant_id = tenant,
				.project_id = project};
}

static void by_role_and_by_ids(void **state)
{
	static const struct {
		uint32_t uid;
		const char *tenant_id, *project_id;
		bool may;
	} table[] = {
		{ALICE, "ten_acme", "prj_vision", true},
		{ALICE, "ten_acme", "prj_speech", false}, /* not her project */
		{ALICE, "ten_acme", "prj_gone", false},   /* one that there is no more */
		{ALICE, "ten_acme", "", false},           /* opened for none */
		{ALICE, "", "", false},                   /* by an older agent: names are no ids */
		{ALICE, "ten_beta", "prj_vision", false}, /* ids that do not go together */
		{ALICE, "ten_beta", "prj_radar", false},
		{ADAM, "ten_acme", "prj_vision", true},
		{ADAM, "ten_acme", "prj_gone", true}, /* all of the tenant's */
		{ADAM, "ten_acme", "", true},
		{ADAM, "", "", false},
		{ADAM, "ten_beta", "prj_radar", false},
		{SAM, "ten_acme", "prj_speech", true},
		{SAM, "ten_acme", "prj_vision", false},
		{BERT, "ten_acme", "prj_vision", false},
		{BERT, "ten_acme", "prj_radar", false}, /* his project, and not his tenant's session */
		{GONE, "ten_acme", "prj_vision", false},
		{STRANGER, "ten_acme", "prj_vision", false},
		{EDITH, "ten_acme", "prj_vision", true}, /* her own, whatever it says */
		{EDITH, "", "", true},
		{0, "", "", true},
	};
	const struct parts parts = {.directory = d};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct session session = opened_for(table[i].tenant_id, table[i].project_id);
		struct session_rights rights = rights_of(&parts, table[i].uid);

		/* Asked twice: what was worked out once is remembered. */
		for (unsigned again = 0; again < 2; again++)
			if (session_rights_over(&rights, &session) != table[i].may)
				fail_msg("row %zu", i);
	}
}

static void over_all_of_somebody(void **state)
{
	const struct parts parts = {.directory = d};
	struct session_rights alice = rights_of(&parts, ALICE), adam = rights_of(&parts, ADAM),
			      nobody = rights_of(&parts, STRANGER), root = rights_of(&parts, 0);
	const struct user_record *edith = directory_user_by_login(d, "edith"),
				 *bert = directory_user_by_login(d, "bert");
	const struct tenant_record *acme = directory_tenant(d, "ten_acme"), *beta = directory_tenant(d, "ten_beta");

	(void)state;
	assert_true(session_rights_over_user(&alice, directory_user_by_login(d, "alice")));
	assert_false(session_rights_over_user(&alice, edith)); /* she may have sessions in other projects */
	assert_true(session_rights_over_user(&adam, edith));
	assert_false(session_rights_over_user(&adam, bert));
	assert_false(session_rights_over_user(&nobody, edith));
	assert_false(session_rights_over_user(&adam, NULL));
	assert_true(session_rights_over_project(&alice, directory_project(d, "prj_vision")));
	assert_false(session_rights_over_project(&alice, directory_project(d, "prj_speech")));
	assert_false(session_rights_over_project(&alice, NULL));
	assert_false(session_rights_over_tenant(&alice, acme));
	assert_true(session_rights_over_tenant(&adam, acme));
	assert_false(session_rights_over_tenant(&adam, beta));
	assert_false(session_rights_over_tenant(&adam, NULL));
	assert_true(session_rights_over_tenant(&root, beta));
}

/* A no that is none is said to be, the same for whatever was asked; what is one's own needs nobody's word. */
static void nobody_can_tell(void **state)
{
	static const struct freshness_entry entries[] = {{"ten_acme", NOW - 1}};
	const struct parts stale = {.directory = d, .freshness = {entries, ARRAY_LEN(entries)}}, none = {0},
			   fresh = {.directory = d};
	static const uint32_t with_a_role[] = {ALICE, ADAM, SAM}, without[] = {EDITH, BERT, STRANGER, GONE, 0};
	struct session session = opened_for("ten_acme", "prj_vision");
	struct session_rights rights;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(with_a_role); i++) {
		rights = rights_of(&stale, with_a_role[i]);
		assert_false(session_rights_over(&rights, &session));
		assert_true(session_rights_undecided(&rights));
		rights = rights_of(&fresh, with_a_role[i]);
		assert_false(session_rights_undecided(&rights));
	}
	for (size_t i = 0; i < ARRAY_LEN(without); i++) {
		rights = rights_of(&stale, without[i]);
		assert_false(session_rights_undecided(&rights));
	}
	rights = rights_of(&none, ALICE);
	assert_false(session_rights_over(&rights, &session));
	assert_true(session_rights_undecided(&rights));
	rights = rights_of(&stale, EDITH);
	assert_true(session_rights_over(&rights, &session));
	rights = rights_of(&none, EDITH);
	assert_true(session_rights_over(&rights, &session));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_role_and_by_ids),
		cmocka_unit_test(over_all_of_somebody),
		cmocka_unit_test(nobody_can_tell),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
