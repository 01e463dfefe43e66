/* SPDX-License-Identifier: MIT
 *
 * Decisions over random directories, held against a plain reading of the rules: nobody outside the
 * memberships is ever let in, nobody crosses tenants, a scope only ever takes away.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "base/text.h"
#include "fixture.h"
#include "policy/policy.h"

#define ROUNDS 60
#define TENANTS 3
#define PROJECTS 3 /* of each tenant */
#define USERS 4    /* of each tenant */
#define VIEWER 2   /* in project_roles */
#define TENANT_VIEWER 3

static uint64_t random_state;

/* xorshift64*: the same directories in every run. */
static unsigned pick(unsigned count)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (unsigned)(random_state * 2685821657736338717ULL >> 33) % count;
}

static const char *const project_roles[] = {"owner", "editor", "viewer", "annotator"};
static const char *const tenant_roles[] = {"owner", "admin", "analyst", "viewer"};
static const char *const actions[] = {"project.view",
				      "dataset.write",
				      "experiment.run",
				      "model.deploy",
				      "member.manage",
				      "host.login",
				      "host.sudo",
				      "tenant.manage",
				      "audit.view",
				      "label.add",
				      NULL};

/* What was written into the directory. */
static struct world {
	int project_role[TENANTS][USERS][PROJECTS]; /* -1: none */
	int tenant_role[TENANTS][USERS];
	bool suspended[TENANTS][USERS];
	enum { PERSON, OPERATOR, OPERATOR_WITHOUT_GRANT } kind[TENANTS][USERS];
	bool served[TENANTS][PROJECTS];
	bool login[TENANTS][PROJECTS][ARRAY_LEN(project_roles)], sudo[TENANTS][PROJECTS][ARRAY_LEN(project_roles)];
} world;

static void add_roles(struct buffer *yaml, const char *name, const bool *roles)
{
	const char *comma = "";

	buffer_printf(yaml, ", %s: [", name);
	for (size_t r = 0; r < ARRAY_LEN(project_roles); r++)
		if (roles[r]) {
			buffer_printf(yaml, "%s%s", comma, project_roles[r]);
			comma = ", ";
		}
	buffer_add_text(yaml, "]");
}

/* Of those without one half have one that is over. */
static void add_grants(struct buffer *yaml)
{
	const char *title = "grants:\n";

	for (unsigned t = 0; t < TENANTS; t++)
		for (unsigned u = 0; u < USERS; u++) {
			if (!world.kind[t][u] || (world.kind[t][u] == OPERATOR_WITHOUT_GRANT && pick(2)))
				continue;
			buffer_printf(yaml,
				      "%s  - {id: grt_%u_%u, tenant: ten_%u, user: usr_%u_%u, operator_id: opr_1, "
				      "reason: r, not_after: %s}\n",
				      title, t, u, t, t, u, world.kind[t][u] == OPERATOR ? "2030-01-01" : "2020-01-01");
			title = "";
		}
}

static struct directory *random_directory(void)
{
	_cleanup_(buffer_finish) struct buffer yaml = BUFFER_INIT;
	unsigned served = 0;

	buffer_add_text(&yaml, "version: 1\ntenants:\n");
	for (unsigned t = 0; t < TENANTS; t++)
		buffer_printf(&yaml,
			      "  - {id: ten_%u, slug: t%uten, name: T, gid: %u, ids: {first: %u, count: 256, next: "
			      "%u}, roles: "
			      "[{name: annotator, kind: project, groups: viewer, actions: [project.view, host.login, "
			      "host.sudo, "
			      "label.add]}]}\n",
			      t, t, 0x70000000 + t * 256, 0x70000000 + t * 256, 0x70000000 + t * 256 + 200);
	buffer_add_text(&yaml, "projects:\n");
	for (unsigned t = 0; t < TENANTS; t++)
		for (unsigned p = 0; p < PROJECTS; p++)
			buffer_printf(&yaml, "  - {id: prj_%u_%u, tenant: ten_%u, slug: p%upro, gid: %u}\n", t, p, t, p,
				      0x70000000 + t * 256 + 1 + p * 4);
	buffer_add_text(&yaml, "users:\n");
	for (unsigned t = 0; t < TENANTS; t++)
		for (unsigned u = 0; u < USERS; u++) {
			world.suspended[t][u] = pick(6) == 0;
			world.kind[t][u] = pick(3) ? PERSON : 1 + pick(2);
			buffer_printf(&yaml,
				      "  - {id: usr_%u_%u, tenant: ten_%u, login: u%u-%uuser, uid: %u, status: %s, "
				      "kind: %s}\n",
				      t, u, t, t, u, 0x70000000 + t * 256 + 100 + u,
				      world.suspended[t][u] ? "suspended" : "active",
				      world.kind[t][u] ? "operator" : "person");
		}
	buffer_add_text(&yaml, "members:\n  - {user: usr_0_0, tenant: ten_0, role: viewer}\n");
	for (unsigned t = 0; t < TENANTS; t++)
		for (unsigned u = 0; u < USERS; u++) {
			for (unsigned p = 0; p < PROJECTS; p++) {
				world.project_role[t][u][p] = (int)pick(7) - 3;
				if (world.kind[t][u] && world.project_role[t][u][p] >= 0)
					world.project_role[t][u][p] = VIEWER;
				if (world.project_role[t][u][p] >= 0)
					buffer_printf(&yaml, "  - {user: usr_%u_%u, project: prj_%u_%u, role: %s}\n", t,
						      u, t, p, project_roles[world.project_role[t][u][p]]);
			}
			world.tenant_role[t][u] = t == 0 && u == 0 ? TENANT_VIEWER : (int)pick(8) - 4;
			if (world.kind[t][u] && world.tenant_role[t][u] >= 0)
				world.tenant_role[t][u] = TENANT_VIEWER;
			if (world.tenant_role[t][u] >= 0 && (t || u))
				buffer_printf(&yaml, "  - {user: usr_%u_%u, tenant: ten_%u, role: %s}\n", t, u, t,
					      tenant_roles[world.tenant_role[t][u]]);
		}
	add_grants(&yaml);
	buffer_add_text(&yaml, "hosts:\n  - name: \"*\"\n    serves:\n");
	for (unsigned t = 0; t < TENANTS; t++)
		for (unsigned p = 0; p < PROJECTS; p++) {
			world.served[t][p] = pick(2);
			for (size_t r = 0; r < ARRAY_LEN(project_roles); r++) {
				world.login[t][p][r] = pick(2);
				world.sudo[t][p][r] = pick(3) == 0;
			}
			if (!world.served[t][p] && (t < TENANTS - 1 || p < PROJECTS - 1 || served))
				continue;
			world.served[t][p] = true;
			served++;
			buffer_printf(&yaml, "      - {project: prj_%u_%u", t, p);
			add_roles(&yaml, "login", world.login[t][p]);
			add_roles(&yaml, "sudo", world.sudo[t][p]);
			buffer_add_text(&yaml, "}\n");
		}
	return fixture_load("host", buffer_text(&yaml));
}

/* The matrix once more, as words: owner, editor, viewer, annotator. */
static bool project_role_may(int role, const char *action)
{
	static const struct {
		const char *action, *roles;
	} rows[] = {
		{"project.view", "oeva"}, {"dataset.write", "oe"}, {"experiment.run", "oe"}, {"model.deploy", "oe"},
		{"member.manage", "o"},   {"label.add", "a"},      {"host.login", "oeva"},   {"host.sudo", "oa"},
	};

	for (size_t i = 0; role >= 0 && i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].action, action) == 0)
			return strchr(rows[i].roles, "oeva"[role]) != NULL;
	return false;
}

static bool tenant_role_may(int role, const char *action)
{
	static const struct {
		const char *action, *roles;
	} rows[] = {
		{"project.view", "oanv"}, {"dataset.write", "o"},  {"experiment.run", "o"}, {"model.deploy", "o"},
		{"member.manage", "oa"},  {"tenant.manage", "oa"}, {"audit.view", "oan"},
	};

	for (size_t i = 0; role >= 0 && i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].action, action) == 0)
			return strchr(rows[i].roles, "oanv"[role]) != NULL;
	return false;
}

/* Written the long way round, from the world and not from the directory. */
static bool should(unsigned t, unsigned u, int pt, int p, const char *action)
{
	bool host = action && text_starts(action, "host.");

	if (world.suspended[t][u] || world.kind[t][u] == OPERATOR_WITHOUT_GRANT)
		return false;
	if (host) {
		for (unsigned i = 0; i < PROJECTS; i++) {
			int role = world.project_role[t][u][i];

			if ((pt >= 0 && ((unsigned)pt != t || (unsigned)p != i)) || !world.served[t][i] || role < 0 ||
			    !project_role_may(role, action))
				continue;
			if (world.kind[t][u])
				return strcmp(action, "host.login") == 0;
			if (strcmp(action, "host.sudo") == 0 ? world.sudo[t][i][role] : world.login[t][i][role])
				return true;
		}
		return false;
	}
	if (pt < 0)
		return !action || tenant_role_may(world.tenant_role[t][u], action);
	if ((unsigned)pt != t)
		return false;
	if (!action)
		return world.project_role[t][u][p] >= 0 || world.tenant_role[t][u] >= 0;
	return project_role_may(world.project_role[t][u][p], action) ||
	       tenant_role_may(world.tenant_role[t][u], action);
}

static void as_the_rules_say(void **state)
{
	unsigned yes = 0, no = 0, crossed = 0;

	random_state = 20261121;
	for (int round = 0; round < ROUNDS; round++) {
		_cleanup_(directory_unrefp) struct directory *d = random_directory();

		for (unsigned t = 0; t < TENANTS; t++)
			for (unsigned u = 0; u < USERS; u++)
				for (int target = -1; target < TENANTS * PROJECTS; target++)
					for (size_t a = 0; a < ARRAY_LEN(actions); a++) {
						int pt = target < 0 ? -1 : target / PROJECTS,
						    p = target < 0 ? -1 : target % PROJECTS;
						struct policy_request request = {
							.action = actions[a], .service = "sshd", .now = FIXTURE_NOW};
						struct policy_decision decision;
						char id[32];
						bool wanted = should(t, u, pt, p, actions[a]);

						snprintf(id, sizeof(id), "usr_%u_%u", t, u);
						request.user = directory_user(d, id);
						assert_non_null(request.user);
						if (target >= 0) {
							snprintf(id, sizeof(id), "prj_%d_%d", pt, p);
							request.project = directory_project(d, id);
							assert_non_null(request.project);
						}
						policy_decide(d, &request, &decision);
						if ((decision.reason == REASON_ALLOWED) != wanted)
							fail_msg("round %d: usr_%u_%u, %s, project %d/%d: %s", round, t,
								 u, actions[a] ? actions[a] : "-", pt, p,
								 reason_word(decision.reason));
						assert_int_not_equal(decision.reason, REASON_BROKEN);
						/* Whatever was decided was decided by the person's own tenant. */
						if (decision.project)
							assert_string_equal(decision.project->tenant_id,
									    request.user->tenant_id);
						yes += wanted;
						no += !wanted;
						crossed += pt >= 0 && (unsigned)pt != t;
						if (target < 0 && actions[a] && strcmp(actions[a], "host.sudo") == 0)
							assert_int_equal(policy_may_sudo(d, request.user), wanted);
					}
	}
	assert_true(yes > 1000 && no > 1000 && crossed > 1000); /* the dice fell on all sides */
}

/* A key never adds: with any scopes, what is allowed was allowed without it. */
static void keys_only_take_away(void **state)
{
	unsigned taken = 0, left = 0;

	random_state = 4711;
	for (int round = 0; round < ROUNDS; round++) {
		_cleanup_(directory_unrefp) struct directory *d = random_directory();

		for (int i = 0; i < 400; i++) {
			unsigned t = pick(TENANTS), u = pick(USERS), p = pick(PROJECTS),
				 kt = pick(8) ? t : pick(TENANTS);
			const char *scope_action = actions[pick(ARRAY_LEN(actions) - 1)],
				   *scope_service = pick(2) ? "sshd" : "login";
			char scope_project[32], owner[32], id[32];
			const char *project_items[] = {scope_project};
			struct cidr block = {.prefix = (uint8_t)pick(2)};
			struct key_record key = {
				.id = "key_x", .user_id = owner, .label = "", .successor = "", .revoked_reason = ""};
			struct policy_request request = {.action = actions[pick(ARRAY_LEN(actions))],
							 .service = "sshd",
							 .now = FIXTURE_NOW,
							 .has_source = pick(2)};
			struct policy_decision without, with;

			snprintf(scope_project, sizeof(scope_project), "prj_%u_%u", t, pick(PROJECTS));
			snprintf(owner, sizeof(owner), "usr_%u_%u", kt, u);
			if (pick(2))
				key.projects = (struct string_list){project_items, 1};
			if (pick(2))
				key.actions = (struct string_list){&scope_action, 1};
			if (pick(2))
				key.services = (struct string_list){&scope_service, 1};
			if (pick(2))
				key.from = (struct cidr_list){&block, 1};
			key.not_after = pick(4) ? 0 : FIXTURE_NOW;
			key.revoked_at = pick(6) ? 0 : 1;
			snprintf(id, sizeof(id), "usr_%u_%u", t, u);
			request.user = directory_user(d, id);
			snprintf(id, sizeof(id), "prj_%u_%u", t, p);
			request.project = pick(2) ? directory_project(d, id) : NULL;
			policy_decide(d, &request, &without);
			request.key = &key;
			policy_decide(d, &request, &with);
			if (with.reason == REASON_ALLOWED) {
				left++;
				assert_int_equal(without.reason, REASON_ALLOWED);
				assert_string_equal(key.user_id, request.user->id);
				assert_int_equal(key.revoked_at, 0);
				assert_int_equal(key.not_after, 0);
				if (key.actions.count && request.action)
					assert_string_equal(request.action, scope_action);
				if (key.services.count)
					assert_string_equal(scope_service, "sshd");
				if (key.from.count)
					assert_true(request.has_source);
				if (key.projects.count && with.project)
					assert_string_equal(with.project->id, scope_project);
			} else if (without.reason == REASON_ALLOWED)
				taken++;
		}
	}
	assert_true(taken > 500 && left > 500);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_the_rules_say),
		cmocka_unit_test(keys_only_take_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
