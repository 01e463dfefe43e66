/* SPDX-License-Identifier: MIT
 *
 * Operators who look in: nobody without a grant in force; with one a viewer wherever a project of theirs is served, and
 * nothing that writes, anywhere.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/parse.h"
#include "fixture.h"
#include "policy/policy.h"
#include "records/matrix.h"

/* olga: a grant from a minute ago for an hour; oskar: none; otto: from in a minute on; petra: over since now;
 * tenant-wide oda: in no project. Alice owns both projects. The host serves vision (to owners alone) and speech (by ssh
 * alone, to nobody by role). */
static const char directory[] =
	"version: 1\n"
	"tenants:\n"
	"  - {id: ten_a, slug: acme, gid: 1879048192, ids: {first: 1879048192, count: 256, next: 1879048300}, roles: "
	"[{name: guest, kind: project, groups: owner, actions: [host.login, host.sudo, dataset.write]}]}\n"
	"projects:\n"
	"  - {id: prj_vision, tenant: ten_a, slug: vision, gid: 1879048193}\n"
	"  - {id: prj_speech, tenant: ten_a, slug: speech, gid: 1879048197}\n"
	"  - {id: prj_away, tenant: ten_a, slug: away, gid: 1879048201}\n"
	"users:\n"
	"  - {id: usr_alice, tenant: ten_a, login: alice, uid: 1879048210}\n"
	"  - {id: usr_olga, tenant: ten_a, login: olga, uid: 1879048211, kind: operator}\n"
	"  - {id: usr_oskar, tenant: ten_a, login: oskar, uid: 1879048212, kind: operator}\n"
	"  - {id: usr_otto, tenant: ten_a, login: otto, uid: 1879048213, kind: operator}\n"
	"  - {id: usr_petra, tenant: ten_a, login: petra, uid: 1879048214, kind: operator}\n"
	"  - {id: usr_oda, tenant: ten_a, login: oda, uid: 1879048215, kind: operator}\n"
	"  - {id: usr_gone, tenant: ten_a, login: gone, uid: 1879048216, kind: operator, status: suspended}\n"
	"members:\n"
	"  - {user: usr_alice, project: prj_vision, role: owner}\n"
	"  - {user: usr_alice, project: prj_speech, role: owner}\n"
	"  - {user: usr_olga, project: prj_vision, role: viewer}\n"
	"  - {user: usr_olga, project: prj_speech, role: viewer}\n"
	"  - {user: usr_olga, project: prj_away, role: viewer}\n"
	"  - {user: usr_olga, tenant: ten_a, role: viewer}\n"
	"  - {user: usr_oskar, project: prj_vision, role: viewer}\n"
	"  - {user: usr_otto, project: prj_vision, role: viewer}\n"
	"  - {user: usr_petra, project: prj_vision, role: viewer}\n"
	"  - {user: usr_oda, tenant: ten_a, role: viewer}\n"
	"  - {user: usr_gone, project: prj_vision, role: viewer}\n"
	"grants:\n"
	"  - {id: grt_olga, tenant: ten_a, user: usr_olga, operator_id: opr_1, reason: r, not_before: "
	"2027-01-15T07:59:00Z, not_after: 2027-01-15T09:00:00Z}\n"
	"  - {id: grt_otto, tenant: ten_a, user: usr_otto, operator_id: opr_1, reason: r, not_before: "
	"2027-01-15T08:01:00Z, not_after: 2027-01-15T09:00:00Z}\n"
	"  - {id: grt_petra, tenant: ten_a, user: usr_petra, operator_id: opr_1, reason: r, not_after: "
	"2027-01-15T08:00:00Z}\n"
	"  - {id: grt_oda, tenant: ten_a, user: usr_oda, operator_id: opr_1, reason: r, not_after: "
	"2027-01-15T09:00:00Z}\n"
	"  - {id: grt_gone, tenant: ten_a, user: usr_gone, operator_id: opr_1, reason: r, not_after: "
	"2027-01-15T09:00:00Z}\n"
	"hosts:\n"
	"  - name: gpu-1\n"
	"    serves:\n"
	"      - {project: prj_vision, login: [owner, guest], sudo: [owner, viewer, guest]}\n"
	"      - {project: prj_speech, login: [], sudo: [viewer], services: [sshd]}\n";

static struct policy_decision ask(const struct directory *d, const char *login, const char *action, const char *project,
				  const char *service, int64_t now)
{
	struct policy_request request = {.user = directory_user_by_login(d, login),
					 .project = project ? directory_project(d, project) : NULL,
					 .action = action,
					 .service = service,
					 .local = true,
					 .now = now};
	struct policy_decision decision;

	assert_non_null(request.user);
	policy_decide(d, &request, &decision);
	return decision;
}

static void expect(const struct directory *d, const char *login, const char *action, const char *project,
		   const char *service, int64_t now, enum reason reason)
{
	struct policy_decision decision = ask(d, login, action, project, service, now);

	if (decision.reason != reason)
		fail_msg("%s, %s, %s, %s: %s, not %s", login, action ? action : "-", project ? project : "-", service,
			 reason_word(decision.reason), reason_word(reason));
}

static void only_with_a_grant(void **state)
{
	_cleanup_(directory_unrefp) struct directory *d = fixture_load("gpu-1", directory);
	static const struct {
		const char *login;
		int64_t now;
		enum reason reason;
	} table[] = {
		{"olga", FIXTURE_NOW, REASON_ALLOWED},
		{"olga", FIXTURE_NOW - 60, REASON_ALLOWED},
		{"olga", FIXTURE_NOW - 61, REASON_GRANT_ENDED},
		{"olga", FIXTURE_NOW + 3599, REASON_ALLOWED},
		{"olga", FIXTURE_NOW + 3600, REASON_GRANT_ENDED},
		{"oskar", FIXTURE_NOW, REASON_GRANT_ENDED},
		{"otto", FIXTURE_NOW, REASON_GRANT_ENDED},
		{"otto", FIXTURE_NOW + 60, REASON_ALLOWED},
		{"petra", FIXTURE_NOW, REASON_GRANT_ENDED},
		{"petra", FIXTURE_NOW - 1, REASON_ALLOWED},
		{"gone", FIXTURE_NOW, REASON_USER_SUSPENDED},
		{"oda", FIXTURE_NOW, REASON_NOT_A_MEMBER}, /* in the tenant, which lets nobody sign in */
	};
	static const char *const actions[] = {"project.view", "dataset.write", NULL, "host.sudo", "no.such"};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		expect(d, table[i].login, "host.login", NULL, "sshd", table[i].now, table[i].reason);
	/* Whatever is asked, also whether the person is good at all. */
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		expect(d, "oskar", actions[i], "prj_vision", "sshd", FIXTURE_NOW, REASON_GRANT_ENDED);
		expect(d, "petra", actions[i], NULL, "sshd", FIXTURE_NOW, REASON_GRANT_ENDED);
	}
	assert_non_null(policy_grant_in_force(d, directory_user_by_login(d, "olga"), FIXTURE_NOW));
	assert_null(policy_grant_in_force(d, directory_user_by_login(d, "olga"), FIXTURE_NOW + 3600));
	assert_null(policy_grant_in_force(d, directory_user_by_login(d, "alice"), FIXTURE_NOW));
	assert_string_equal(reason_word(REASON_GRANT_ENDED), "grant-ended");
	assert_false(reason_is_broken(REASON_GRANT_ENDED));
}

/* The rule's roles have no say; its project, its services and the networks have. */
static void where_a_project_is_served(void **state)
{
	_cleanup_(directory_unrefp) struct directory *d = fixture_load("gpu-1", directory);
	_cleanup_(directory_unrefp) struct directory *other = fixture_load("gpu-2", directory);
	struct policy_decision decision = ask(d, "olga", "host.login", NULL, "sshd", FIXTURE_NOW);

	assert_string_equal(decision.project->id, "prj_vision");
	assert_string_equal(decision.role, "viewer");
	expect(d, "olga", "host.login", "prj_speech", "sshd", FIXTURE_NOW, REASON_ALLOWED);
	expect(d, "olga", "host.login", "prj_speech", "login", FIXTURE_NOW, REASON_SERVICE_NOT_ALLOWED);
	expect(d, "olga", "host.login", "prj_away", "sshd", FIXTURE_NOW, REASON_NOT_A_MEMBER);
	expect(other, "olga", "host.login", NULL, "sshd", FIXTURE_NOW, REASON_HOST_SERVES_NOTHING);
	expect(d, "alice", "host.login", "prj_speech", "sshd", FIXTURE_NOW, REASON_ROLE_TOO_LOW);
}

static void nothing_that_writes(void **state)
{
	_cleanup_(directory_unrefp) struct directory *d = fixture_load("gpu-1", directory);
	static const char *const logins[] = {"olga", "oskar", "otto", "petra", "oda", "gone"};
	static const char *const projects[] = {NULL, "prj_vision", "prj_speech", "prj_away"};
	unsigned count, allowed = 0;
	const char *const *actions = matrix_actions(&count);

	for (unsigned a = 0; a < count; a++)
		for (size_t u = 0; u < ARRAY_LEN(logins); u++)
			for (size_t p = 0; p < ARRAY_LEN(projects); p++) {
				struct policy_decision decision =
					ask(d, logins[u], actions[a], projects[p], "sshd", FIXTURE_NOW);

				if (decision.reason != REASON_ALLOWED)
					continue;
				allowed++;
				if (strcmp(actions[a], "project.view") != 0 && strcmp(actions[a], "host.login") != 0)
					fail_msg("%s may %s", logins[u], actions[a]);
				assert_string_equal(decision.role, "viewer");
			}
	assert_true(allowed > 5);
	for (size_t u = 0; u < ARRAY_LEN(logins); u++) {
		assert_false(policy_may_sudo(d, directory_user_by_login(d, logins[u])));
		assert_int_not_equal(ask(d, logins[u], "host.sudo", NULL, "sudo", FIXTURE_NOW).reason, REASON_ALLOWED);
	}
	assert_true(policy_may_sudo(d, directory_user_by_login(d, "alice")));
	expect(d, "olga", "host.sudo", NULL, "sudo", FIXTURE_NOW, REASON_ROLE_TOO_LOW);
}

/* A picture that no loader let through (another release's) gives an operator no more than that. */
static void whatever_a_membership_says(void **state)
{
	_cleanup_(directory_unrefp) struct directory *d = fixture_load("gpu-1", directory);
	static const char *const roles[] = {"owner", "editor", "guest", "nonsense"};
	struct member_record *member;
	uint32_t cursor = 0;
	const char *was;

	member = (struct member_record *)(uintptr_t)directory_user_members(d, "usr_olga", &cursor);
	was = member->role;
	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		member->role = roles[i];
		expect(d, "olga", "dataset.write", member->project_id, "s", FIXTURE_NOW, REASON_ROLE_TOO_LOW);
		expect(d, "olga", "host.sudo", NULL, "sudo", FIXTURE_NOW, REASON_ROLE_TOO_LOW);
		expect(d, "olga", "host.login", NULL, "sshd", FIXTURE_NOW, REASON_ALLOWED);
		assert_string_equal(ask(d, "olga", "project.view", member->project_id, "s", FIXTURE_NOW).role,
				    "viewer");
		assert_false(policy_may_sudo(d, directory_user_by_login(d, "olga")));
	}
	member->role = was;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_with_a_grant),
		cmocka_unit_test(where_a_project_is_served),
		cmocka_unit_test(nothing_that_writes),
		cmocka_unit_test(whatever_a_membership_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
