/* SPDX-License-Identifier: MIT
 *
 * Decisions over directories as an operator writes them.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/parse.h"
#include "base/text.h"
#include "fixture.h"
#include "policy/policy.h"

/* One question: who, what, where. */
struct question {
	const char *user, *action, *project, *service, *source;
	const struct key_record *key;
	bool local, implied;
	bool sign_in_ended;
	int64_t now; /* 0: FIXTURE_NOW */
};

static struct policy_decision ask(const struct directory *d, const struct question *q)
{
	struct policy_request request = {
		.user = directory_user_by_login(d, q->user),
		.key = q->key,
		.project = q->project ? directory_project(d, q->project) : NULL,
		.action = q->action,
		.service = q->service,
		.local = q->local,
		.implied = q->implied,
		.now = q->now ? q->now : FIXTURE_NOW,
		.sign_in_ended = q->sign_in_ended,
	};
	struct policy_decision decision;

	assert_true(!q->project || request.project);
	if (q->source) {
		request.has_source = true;
		assert_result(parse_address(q->source, &request.source), 0);
	}
	policy_decide(d, &request, &decision);
	return decision;
}

static void expect(const struct directory *d, const struct question *q, enum reason reason)
{
	struct policy_decision decision = ask(d, q);

	if (decision.reason != reason)
		fail_msg("%s, %s, %s, %s, %s: %s, not %s", q->user, q->action ? q->action : "-",
			 q->project ? q->project : "-", q->service ? q->service : "-", q->source ? q->source : "-",
			 reason_word(decision.reason), reason_word(reason));
}

static void host_logins(void **state)
{
	static const struct {
		const char *host, *user, *action;
		enum reason reason;
	} table[] = {
		{"gpu-1", "alice", "host.login", REASON_ALLOWED},
		{"gpu-1", "edith", "host.login", REASON_ALLOWED},
		{"gpu-1", "bot", "host.login", REASON_ALLOWED},
		{"gpu-1", "victor", "host.login", REASON_ROLE_TOO_LOW},
		{"gpu-1", "ann", "host.login", REASON_ALLOWED},
		{"gpu-1", "sam", "host.login", REASON_NOT_A_MEMBER},
		{"gpu-1", "adam", "host.login", REASON_NOT_A_MEMBER}, /* a tenant's admin is no guest on hosts */
		{"gpu-1", "mallory", "host.login", REASON_NOT_A_MEMBER},
		{"gpu-1", "gone", "host.login", REASON_USER_SUSPENDED},
		{"gpu-1", "bert", "host.login", REASON_ALLOWED},
		{"gpu-1", "nobody-here", "host.login", REASON_UNKNOWN_USER},
		{"gpu-1", "alice", "host.sudo", REASON_ALLOWED},
		{"gpu-1", "edith", "host.sudo", REASON_ROLE_TOO_LOW},
		{"gpu-1", "ann", "host.sudo", REASON_ROLE_TOO_LOW},
		{"gpu-1", "bert", "host.sudo", REASON_ROLE_TOO_LOW}, /* owner, but the host gives radar no sudo */
		{"gpu-1", "adam", "host.sudo", REASON_NOT_A_MEMBER},
		{"gpu-1", "alice", "host.reboot", REASON_UNKNOWN_ACTION},
		{"cpu-1", "alice", "host.login", REASON_NOT_A_MEMBER},
		{"cpu-1", "sam", "host.login", REASON_ALLOWED},
		{"cpu-1", "bert", "host.login", REASON_NOT_A_MEMBER},
		{"cpu-1", "sam", "host.sudo", REASON_ROLE_TOO_LOW},
		{"cpu-2", "alice", "host.login", REASON_HOST_SERVES_NOTHING},
		{"gpu", "alice", "host.login", REASON_HOST_SERVES_NOTHING},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		_cleanup_(directory_unrefp) struct directory *d = fixture_load(table[i].host, fixture_yaml);
		const struct user_record *user = directory_user_by_login(d, table[i].user);
		struct question q = {.user = table[i].user, .action = table[i].action, .service = "sshd"};

		expect(d, &q, table[i].reason);
		if (user && strcmp(table[i].action, "host.sudo") == 0)
			assert_int_equal(policy_may_sudo(d, user), table[i].reason == REASON_ALLOWED);
	}
}

static void the_decision_names_project_and_role(void **state)
{
	_cleanup_(directory_unrefp) struct directory *d = fixture_load("gpu-1", fixture_yaml);
	struct policy_decision decision =
		ask(d, &(struct question){.user = "edith", .action = "host.login", .service = "sshd"});

	assert_string_equal(decision.project->id, "prj_vision");
	assert_string_equal(decision.tenant->id, "ten_acme");
	assert_string_equal(decision.role, "editor");
	decision = ask(d, &(struct question){.user = "victor", .action = "host.login", .service = "sshd"});
	assert_string_equal(decision.project->id, "prj_vision"); /* where the role is too low */
	assert_string_equal(decision.role, "viewer");
	decision = ask(d, &(struct question){.user = "mallory", .action = "host.login", .service = "sshd"});
	assert_null(decision.project);
	assert_null(decision.role);
}

static void services_of_a_rule(void **state)
{
	_cleanup_(directory_unrefp) struct directory *d = fixture_load("cpu-1", fixture_yaml);

	expect(d, &(struct question){.user = "sam", .action = "host.login", .service = "sshd"}, REASON_ALLOWED);
	expect(d, &(struct question){.user = "sam", .action = "host.login", .service = "login"},
	       REASON_SERVICE_NOT_ALLOWED);
	expect(d, &(struct question){.user = "sam", .action = "host.login", .service = ""}, REASON_SERVICE_NOT_ALLOWED);
	expect(d, &(struct question){.user = "sam", .action = "host.login"}, REASON_SERVICE_NOT_ALLOWED);
	expect(d, &(struct question){.user = "sam", .action = "host.login", .service = "systemd-user", .implied = true},
	       REASON_ALLOWED);
	/* The refusal of one project does not hide the yes of another. */
	expect(d, &(struct question){.user = "sam", .action = "host.login", .project = "prj_vision", .service = "sshd"},
	       REASON_NOT_A_MEMBER);
}

static void project_actions(void **state)
{
	static const struct {
		const char *user, *action, *project;
		enum reason reason;
	} table[] = {
		{"alice", "project.delete", "prj_vision", REASON_ALLOWED},
		{"edith", "project.delete", "prj_vision", REASON_ROLE_TOO_LOW},
		{"edith", "dataset.write", "prj_vision", REASON_ALLOWED},
		{"victor", "dataset.write", "prj_vision", REASON_ROLE_TOO_LOW},
		{"victor", "project.view", "prj_vision", REASON_ALLOWED},
		{"victor", NULL, "prj_vision", REASON_ALLOWED},
		{"victor", "", "prj_vision", REASON_ALLOWED},
		{"ann", "dataset.write", "prj_vision", REASON_ALLOWED},
		{"ann", "model.deploy", "prj_vision", REASON_ROLE_TOO_LOW},
		{"ann", "label.add", "prj_vision", REASON_ROLE_TOO_LOW},   /* another of the tenant's roles has it */
		{"bert", "label.add", "prj_radar", REASON_UNKNOWN_ACTION}, /* in his tenant no role has it */
		{"alice", "dataset.burn", "prj_vision", REASON_UNKNOWN_ACTION},
		{"sam", "dataset.write", "prj_vision", REASON_NOT_A_MEMBER},
		{"mallory", "project.view", "prj_vision", REASON_NOT_A_MEMBER},
		{"mallory", NULL, "prj_vision", REASON_NOT_A_MEMBER},
		{"adam", "key.manage", "prj_vision", REASON_ALLOWED}, /* by tenant role */
		{"adam", "project.view", "prj_speech", REASON_ALLOWED},
		{"adam", NULL, "prj_speech", REASON_ALLOWED},
		{"adam", "dataset.write", "prj_vision", REASON_ROLE_TOO_LOW},
		{"adam", "tenant.manage", NULL, REASON_ALLOWED},
		{"adam", "dataset.write", NULL, REASON_ROLE_TOO_LOW},
		{"alice", "tenant.manage", NULL, REASON_NOT_A_MEMBER}, /* a project's owner is nobody in the tenant */
		{"alice", "tenant.manage", "prj_vision", REASON_ROLE_TOO_LOW},
		{"alice", NULL, NULL, REASON_ALLOWED}, /* just: is she good? */
		{"gone", NULL, NULL, REASON_USER_SUSPENDED},
		{"gone", "project.view", "prj_vision", REASON_USER_SUSPENDED},
		/* What another tenant has is nobody's business. */
		{"bert", "project.view", "prj_vision", REASON_UNKNOWN_PROJECT},
		{"bert", NULL, "prj_speech", REASON_UNKNOWN_PROJECT},
		{"adam", "project.view", "prj_radar", REASON_UNKNOWN_PROJECT},
		{"alice", "project.view", "prj_radar", REASON_UNKNOWN_PROJECT},
	};
	_cleanup_(directory_unrefp) struct directory *d = fixture_load("gpu-1", fixture_yaml);

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		expect(d,
		       &(struct question){
			       .user = table[i].user, .action = table[i].action, .project = table[i].project},
		       table[i].reason);
}

static void tenants_apart_pair_by_pair(void **state)
{
	_cleanup_(directory_unrefp) struct directory *d = fixture_load("gpu-1", fixture_yaml);
	static const char *const actions[] = {"project.view", "dataset.write", "host.login", "host.sudo",
					      "key.manage",   "audit.view",    NULL};
	const struct user_record *user;
	const struct project_record *project;
	unsigned pairs = 0;

	for (uint32_t u = 0; (user = directory_next_user(d, &u));)
		for (uint32_t p = 0; (project = directory_next_project(d, &p));)
			for (size_t a = 0; a < ARRAY_LEN(actions); a++) {
				struct question q = {.user = user->login,
						     .action = actions[a],
						     .project = project->id,
						     .service = "sshd"};

				if (text_equal(user->tenant_id, project->tenant_id))
					continue;
				pairs++;
				if (ask(d, &q).reason == REASON_ALLOWED)
					fail_msg("%s in %s: %s", user->login, project->slug,
						 actions[a] ? actions[a] : "-");
			}
	assert_true(pairs > 50);
}

static void suspended_tenant(void **state)
{
	_cleanup_(directory_unrefp) struct directory *d =
		fixture_join("gpu-1",
			     "version: 1\n"
			     "tenants:\n"
			     "  - {id: ten_x, slug: xx, name: X, gid: 1879048192, ids: {first: 1879048192, count: 256, "
			     "next: 1879048202}, "
			     "status: suspended}\n"
			     "projects:\n  - {id: prj_x, tenant: ten_x, slug: px, gid: 1879048193}\n"
			     "users:\n  - {id: usr_x, tenant: ten_x, login: xavier, uid: 1879048200}\n"
			     "members:\n  - {user: usr_x, project: prj_x, role: owner}\n"
			     "hosts:\n  - name: \"*\"\n    serves: [{project: prj_x, sudo: [owner]}]\n",
			     NULL);

	expect(d, &(struct question){.user = "xavier", .action = "host.login"}, REASON_TENANT_SUSPENDED);
	expect(d, &(struct question){.user = "xavier", .project = "prj_x"}, REASON_TENANT_SUSPENDED);
	assert_false(policy_may_sudo(d, directory_user_by_login(d, "xavier")));
}

static void hours_are_for_signing_in(void **state)
{
	_cleanup_(directory_unrefp) struct directory *d =
		fixture_join("gpu-1",
			     "version: 1\n"
			     "tenants:\n"
			     "  - {id: ten_x, slug: xx, name: X, gid: 1879048192, ids: {first: 1879048192, count: 256, "
			     "next: 1879048202}, "
			     "policy: {login_hours: [\"mon-thu 08:00-18:00\"]}}\n"
			     "projects:\n  - {id: prj_x, tenant: ten_x, slug: px, gid: 1879048193}\n"
			     "users:\n  - {id: usr_x, tenant: ten_x, login: xavier, uid: 1879048200}\n"
			     "members:\n  - {user: usr_x, project: prj_x, role: owner}\n"
			     "hosts:\n  - name: \"*\"\n    serves: [{project: prj_x, sudo: [owner]}]\n",
			     NULL);
	struct question q = {.user = "xavier", .action = "host.login", .service = "sshd"};

	expect(d, &q, REASON_OUTSIDE_HOURS); /* a Friday */
	q.now = FIXTURE_NOW - 86400;
	expect(d, &q, REASON_ALLOWED);
	q.now = 0;
	q.implied = true;
	expect(d, &q, REASON_ALLOWED);
	expect(d, &(struct question){.user = "xavier", .action = "host.sudo", .service = "sudo"}, REASON_ALLOWED);
	expect(d, &(struct question){.user = "xavier", .action = "dataset.write", .project = "prj_x"}, REASON_ALLOWED);
}

static void sign_ins_before_the_cut(void **state)
{
	_cleanup_(directory_unrefp) struct directory *d = fixture_load("gpu-1", fixture_yaml);
	struct question q = {.user = "moved", .action = "host.login", .service = "sshd", .sign_in_ended = true};

	expect(d, &q, REASON_CREDENTIAL_STALE);
	q.sign_in_ended = false;
	expect(d, &q,
	       REASON_ALLOWED); /* the cut is half a minute ahead of this host's clock, and no matter of policy */
	/* What says more comes first, what says less after it. */
	q = (struct question){.user = "gone", .action = "host.login", .service = "sshd", .sign_in_ended = true};
	expect(d, &q, REASON_USER_SUSPENDED);
	q.user = "mallory";
	expect(d, &q, REASON_CREDENTIAL_STALE);
}

static void sources(void **state)
{
	static const struct {
		const char *tenant, *project; /* allow_from */
		const char *source;
		bool local;
		enum reason reason;
	} table[] = {
		{"[]", "[]", NULL, false, REASON_ALLOWED},
		{"[]", "[]", "203.0.113.9", false, REASON_ALLOWED},
		{"[10.0.0.0/8]", "[]", "10.1.2.3", false, REASON_ALLOWED},
		{"[10.0.0.0/8]", "[]", "::ffff:10.1.2.3", false, REASON_ALLOWED},
		{"[10.0.0.0/8]", "[]", "11.1.2.3", false, REASON_SOURCE_NOT_ALLOWED},
		{"[10.0.0.0/8]", "[]", "::1", false, REASON_SOURCE_NOT_ALLOWED},
		{"[10.0.0.0/8]", "[]", NULL, false, REASON_SOURCE_NOT_ALLOWED}, /* unknown is no */
		{"[10.0.0.0/8]", "[]", NULL, true, REASON_ALLOWED},
		{"[10.0.0.0/8]", "[]", "11.1.2.3", true, REASON_SOURCE_NOT_ALLOWED}, /* a source that is known counts */
		{"[10.0.0.0/8, \"2001:db8::/32\"]", "[]", "2001:db8::7", false, REASON_ALLOWED},
		{"[10.0.0.0/8, \"2001:db8::/32\"]", "[]", "2001:db9::7", false, REASON_SOURCE_NOT_ALLOWED},
		{"[]", "[192.0.2.0/24]", "192.0.2.77", false, REASON_ALLOWED},
		{"[]", "[192.0.2.0/24]", "192.0.3.77", false, REASON_SOURCE_NOT_ALLOWED},
		{"[]", "[192.0.2.0/24]", NULL, false, REASON_SOURCE_NOT_ALLOWED},
		{"[]", "[192.0.2.0/24]", NULL, true, REASON_ALLOWED},
		{"[10.0.0.0/8]", "[10.1.0.0/16]", "10.2.0.1", false, REASON_SOURCE_NOT_ALLOWED},
		{"[10.0.0.0/8]", "[10.1.0.0/16]", "10.1.0.1", false, REASON_ALLOWED},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		_cleanup_(directory_unrefp) struct directory *d = fixture_join(
			"gpu-1",
			"version: 1\n"
			"tenants:\n"
			"  - {id: ten_x, slug: xx, name: X, gid: 1879048192, ids: {first: 1879048192, count: 256, "
			"next: "
			"1879048202}, allow_from: ",
			table[i].tenant,
			"}\n"
			"projects:\n  - {id: prj_x, tenant: ten_x, slug: px, gid: 1879048193, allow_from: ",
			table[i].project,
			"}\n"
			"users:\n  - {id: usr_x, tenant: ten_x, login: xavier, uid: 1879048200}\n"
			"members:\n  - {user: usr_x, project: prj_x, role: owner}\n"
			"hosts:\n  - name: \"*\"\n    serves: [{project: prj_x}]\n",
			NULL);

		expect(d,
		       &(struct question){.user = "xavier",
					  .action = "host.login",
					  .source = table[i].source,
					  .local = table[i].local},
		       table[i].reason);
		expect(d,
		       &(struct question){.user = "xavier",
					  .action = "dataset.write",
					  .project = "prj_x",
					  .source = table[i].source,
					  .local = table[i].local},
		       table[i].reason);
	}
}

static void key_scopes(void **state)
{
	static const struct {
		const char *record; /* further lines of the key */
		struct question q;
		enum reason reason;
	} table[] = {
		{"", {.action = "host.login", .service = "sshd"}, REASON_ALLOWED},
		{"scopes: {projects: [prj_vision]}", {.action = "host.login"}, REASON_ALLOWED},
		{"scopes: {projects: [prj_speech]}", {.action = "host.login"}, REASON_KEY_SCOPE_PROJECT},
		{"scopes: {projects: [prj_speech]}",
		 {.action = "dataset.write", .project = "prj_vision"},
		 REASON_KEY_SCOPE_PROJECT},
		{"scopes: {projects: [prj_speech]}", {.project = "prj_vision"}, REASON_KEY_SCOPE_PROJECT},
		{"scopes: {projects: [prj_speech]}", {.action = NULL}, REASON_ALLOWED}, /* whose is it? */
		{"scopes: {actions: [host.login]}", {.action = "host.login"}, REASON_ALLOWED},
		{"scopes: {actions: [host.login]}", {.action = "host.sudo"}, REASON_KEY_SCOPE_ACTION},
		{"scopes: {actions: [dataset.write]}", {.action = "host.login"}, REASON_KEY_SCOPE_ACTION},
		{"scopes: {actions: [dataset.write]}",
		 {.action = "model.deploy", .project = "prj_vision"},
		 REASON_KEY_SCOPE_ACTION},
		{"scopes: {services: [sshd]}", {.action = "host.login", .service = "sshd"}, REASON_ALLOWED},
		{"scopes: {services: [sshd]}", {.action = "host.login", .service = "login"}, REASON_KEY_SCOPE_SERVICE},
		{"scopes: {services: [sshd]}", {.action = "host.login"}, REASON_KEY_SCOPE_SERVICE},
		{"scopes: {services: [sshd]}", {.action = NULL, .service = "mlflow"}, REASON_KEY_SCOPE_SERVICE},
		{"scopes: {from: [10.0.0.0/8]}", {.action = "host.login", .source = "10.0.0.1"}, REASON_ALLOWED},
		{"scopes: {from: [10.0.0.0/8]}",
		 {.action = "host.login", .source = "192.0.2.1"},
		 REASON_KEY_SCOPE_SOURCE},
		{"scopes: {from: [10.0.0.0/8]}", {.action = "host.login"}, REASON_KEY_SCOPE_SOURCE},
		/* A key's own list holds at the console too. */
		{"scopes: {from: [10.0.0.0/8]}", {.action = "host.login", .local = true}, REASON_KEY_SCOPE_SOURCE},
		{"not_before: 2027-01-15T08:00:01Z", {.action = "host.login"}, REASON_KEY_NOT_YET},
		{"not_before: 2027-01-15T08:00:00Z", {.action = "host.login"}, REASON_ALLOWED},
		{"not_after: 2027-01-15T08:00:00Z", {.action = "host.login"}, REASON_KEY_EXPIRED},
		{"not_after: 2027-01-15T08:00:01Z", {.action = "host.login"}, REASON_ALLOWED},
		{"revoked: {at: 2027-01-01T00:00:00Z, reason: lost}", {.action = "host.login"}, REASON_KEY_REVOKED},
		{"revoked: {at: 2030-01-01T00:00:00Z, reason: later}", {.action = "host.login"}, REASON_KEY_REVOKED},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct fixture_key key = fixture_key(API_KEY_PERSON, "usr_alice", "laptop", table[i].record);
		_cleanup_(directory_unrefp) struct directory *d =
			fixture_join("gpu-1", fixture_yaml, "keys:\n", key.yaml, NULL);
		struct question q = table[i].q;

		q.user = "alice";
		q.key = directory_key(d, key.id);
		assert_non_null(q.key);
		if (ask(d, &q).reason != table[i].reason)
			fail_msg("%s: %s, not %s", table[i].record, reason_word(ask(d, &q).reason),
				 reason_word(table[i].reason));
		/* The same key in another hand is nothing, whatever it says. */
		q.user = "edith";
		expect(d, &q, REASON_KEY_OTHER_USER);
	}
}

static void a_key_limited_to_projects_is_nothing_in_the_tenant(void **state)
{
	struct fixture_key key = fixture_key(API_KEY_PERSON, "usr_adam", "laptop", "scopes: {projects: [prj_vision]}");
	_cleanup_(directory_unrefp) struct directory *d =
		fixture_join("gpu-1", fixture_yaml, "keys:\n", key.yaml, NULL);
	struct question q = {.user = "adam", .action = "tenant.manage", .key = directory_key(d, key.id)};

	expect(d, &q, REASON_KEY_SCOPE_PROJECT);
	q.action = "key.manage";
	q.project = "prj_vision";
	expect(d, &q, REASON_ALLOWED);
}

static void warnings(void **state)
{
	struct fixture_key next = fixture_key(API_KEY_PERSON, "usr_alice", "laptop-2", "");
	char more[128];
	char text[256] = "untouched";

	snprintf(more, sizeof(more), "not_after: 2027-01-18T08:00:00Z\nsuccessor: %s", next.id);
	struct fixture_key old = fixture_key(API_KEY_PERSON, "usr_alice", "laptop", more);
	struct fixture_key lone = fixture_key(API_KEY_PERSON, "usr_alice", "desk", "not_after: 2027-01-18T08:00:00Z");
	_cleanup_(directory_unrefp) struct directory *d =
		fixture_join("gpu-1", fixture_yaml, "keys:\n", old.yaml, next.yaml, lone.yaml, NULL);

	assert_true(policy_key_warning(d, directory_key(d, old.id), FIXTURE_NOW, text, sizeof(text)));
	assert_string_equal(text, "this key ends in 3 days; its successor is laptop-2");
	assert_true(policy_key_warning(d, directory_key(d, lone.id), FIXTURE_NOW, text, sizeof(text)));
	assert_string_equal(text, "this key ends in 3 days; ask for a new one before that");
	assert_false(policy_key_warning(d, directory_key(d, next.id), FIXTURE_NOW, text, sizeof(text)));
	/* Ended already: that is no warning. And long before: only where a successor waits. */
	assert_false(policy_key_warning(d, directory_key(d, old.id), FIXTURE_NOW + 3 * 86400, text, sizeof(text)));
	assert_false(policy_key_warning(d, directory_key(d, lone.id), FIXTURE_NOW - 60 * 86400, text, sizeof(text)));
	assert_true(policy_key_warning(d, directory_key(d, old.id), FIXTURE_NOW - 60 * 86400, text, sizeof(text)));
}

static void reasons_have_words(void **state)
{
	for (int i = 0; i < REASON_COUNT; i++) {
		assert_true(text_is_word(reason_word(i)));
		assert_true(strlen(reason_text(i)) >= strlen("allowed"));
		assert_null(strchr(reason_text(i), '\n'));
		for (int other = 0; other < i; other++)
			assert_string_not_equal(reason_word(i), reason_word(other));
	}
	/* What does not exist is broken, never allowed. */
	assert_string_equal(reason_word(REASON_COUNT), "broken");
	assert_string_equal(reason_word(-1), "broken");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_logins),
		cmocka_unit_test(the_decision_names_project_and_role),
		cmocka_unit_test(services_of_a_rule),
		cmocka_unit_test(project_actions),
		cmocka_unit_test(tenants_apart_pair_by_pair),
		cmocka_unit_test(suspended_tenant),
		cmocka_unit_test(hours_are_for_signing_in),
		cmocka_unit_test(sign_ins_before_the_cut),
		cmocka_unit_test(sources),
		cmocka_unit_test(key_scopes),
		cmocka_unit_test(a_key_limited_to_projects_is_nothing_in_the_tenant),
		cmocka_unit_test(warnings),
		cmocka_unit_test(reasons_have_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
