/* SPDX-License-Identifier: MIT
 *
 * The permission matrix, written out once more from what was asked for.
 */
#include "unit.h"

#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "records/matrix.h"

static const struct tenant_record nobody;

/* y: yes, n: no, h: host decides; project roles owner, editor, viewer; tenant roles owner, admin, analyst, viewer. */
static const struct {
	const char *action, *project, *tenant;
} wanted[] = {
	{"project.view", "yyy", "yyyy"},   {"dataset.write", "yyn", "ynnn"},    {"experiment.run", "yyn", "ynnn"},
	{"model.deploy", "yyn", "ynnn"},   {"alert.configure", "yyn", "yynn"},  {"member.manage", "ynn", "yynn"},
	{"project.delete", "ynn", "ynnn"}, {"key.manage", "ynn", "yynn"},       {"session.manage", "ynn", "yynn"},
	{"host.login", "yyh", "nnnn"},     {"host.sudo", "hnn", "nnnn"},        {"tenant.manage", "nnn", "yynn"},
	{"audit.view", "nnn", "yyyn"},     {"token.introspect", "nnn", "yynn"},
};
static const char *const project_roles[] = {"owner", "editor", "viewer"};
static const char *const tenant_roles[] = {"owner", "admin", "analyst", "viewer"};

static char letter(enum matrix_answer answer)
{
	switch (answer) {
	case MATRIX_YES:
		return 'y';
	case MATRIX_HOST:
		return 'h';
	case MATRIX_NO:
		break;
	}
	return 'n';
}

static void every_role_and_action(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		for (size_t role = 0; role < ARRAY_LEN(project_roles); role++)
			if (letter(matrix_project_role(&nobody, project_roles[role], wanted[i].action)) !=
			    wanted[i].project[role])
				fail_msg("project %s, %s", project_roles[role], wanted[i].action);
		for (size_t role = 0; role < ARRAY_LEN(tenant_roles); role++)
			if (letter(matrix_tenant_role(&nobody, tenant_roles[role], wanted[i].action)) !=
			    wanted[i].tenant[role])
				fail_msg("tenant %s, %s", tenant_roles[role], wanted[i].action);
	}
}

static void the_list_is_complete(void **state)
{
	unsigned count;
	const char *const *actions = matrix_actions(&count);

	assert_int_equal(count, ARRAY_LEN(wanted));
	for (unsigned i = 0; i < count; i++) {
		assert_string_equal(actions[i], wanted[i].action);
		assert_true(matrix_knows_action(actions[i]));
	}
}

static void the_unknown_is_no(void **state)
{
	static const char *const words[] = {"",     "Owner", "OWNER",  "owner ", " owner",
					    "root", "own",   "owners", "admin\n"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		assert_false(matrix_knows_project_role(words[i]));
		assert_false(matrix_knows_tenant_role(words[i]));
		assert_false(matrix_knows_action(words[i]));
		for (size_t a = 0; a < ARRAY_LEN(wanted); a++) {
			assert_int_equal(matrix_project_role(&nobody, words[i], wanted[a].action), MATRIX_NO);
			assert_int_equal(matrix_tenant_role(&nobody, words[i], wanted[a].action), MATRIX_NO);
		}
		assert_int_equal(matrix_project_role(&nobody, "owner", words[i]), MATRIX_NO);
		assert_int_equal(matrix_tenant_role(&nobody, "owner", words[i]), MATRIX_NO);
	}
	assert_int_equal(matrix_project_role(NULL, NULL, NULL), MATRIX_NO);
	assert_int_equal(matrix_tenant_role(NULL, NULL, NULL), MATRIX_NO);
	assert_int_equal(matrix_project_role(&nobody, "owner", NULL), MATRIX_NO);
	/* A role of the one kind is none of the other. */
	assert_int_equal(matrix_project_role(&nobody, "admin", "project.view"), MATRIX_NO);
	assert_int_equal(matrix_tenant_role(&nobody, "editor", "project.view"), MATRIX_NO);
}

static void roles_of_a_tenants_own(void **state)
{
	static const char *annotator_actions[] = {"project.view", "dataset.write", "host.login", "label.add"};
	static const char *root_actions[] = {"host.login", "host.sudo"};
	static const char *billing_actions[] = {"audit.view", "host.login", "host.sudo"};
	static const char *fake_actions[] = {"project.view", "project.delete"};
	static struct role_record roles[] = {
		{"annotator", false, GROUP_LEVEL_VIEWER, {annotator_actions, 4}},
		{"roots", false, GROUP_LEVEL_OWNER, {root_actions, 2}},
		{"billing", true, GROUP_LEVEL_ALL, {billing_actions, 3}},
		{"viewer", false, GROUP_LEVEL_OWNER, {fake_actions, 2}}, /* under a shipped name */
	};
	static const struct tenant_record acme = {.id = "ten_acme", .roles = roles, .role_count = ARRAY_LEN(roles)};

	assert_int_equal(matrix_project_role(&acme, "annotator", "dataset.write"), MATRIX_YES);
	assert_int_equal(matrix_project_role(&acme, "annotator", "host.login"), MATRIX_YES);
	assert_int_equal(matrix_project_role(&acme, "annotator", "label.add"), MATRIX_YES);
	assert_int_equal(matrix_project_role(&acme, "annotator", "model.deploy"), MATRIX_NO);
	assert_int_equal(matrix_project_role(&acme, "annotator", "host.sudo"), MATRIX_NO);
	assert_int_equal(matrix_project_role(&acme, "roots", "host.sudo"), MATRIX_HOST);
	assert_int_equal(matrix_tenant_role(&acme, "annotator", "dataset.write"), MATRIX_NO);
	/* A tenant's role reaches no host, whatever the tenant wrote. */
	assert_int_equal(matrix_tenant_role(&acme, "billing", "audit.view"), MATRIX_YES);
	assert_int_equal(matrix_tenant_role(&acme, "billing", "host.login"), MATRIX_NO);
	assert_int_equal(matrix_tenant_role(&acme, "billing", "host.sudo"), MATRIX_NO);
	assert_int_equal(matrix_project_role(&acme, "billing", "audit.view"), MATRIX_NO);
	/* A shipped name means the shipped role. */
	assert_int_equal(matrix_project_role(&acme, "viewer", "project.delete"), MATRIX_NO);
	assert_int_equal(matrix_group_level(&acme, "viewer"), GROUP_LEVEL_VIEWER);
	/* Another tenant's roles are unknown. */
	assert_int_equal(matrix_project_role(&nobody, "annotator", "dataset.write"), MATRIX_NO);

	assert_true(matrix_tenant_knows_action(&acme, "label.add"));
	assert_true(matrix_tenant_knows_action(&acme, "model.deploy"));
	assert_false(matrix_tenant_knows_action(&acme, "label.remove"));
	assert_false(matrix_tenant_knows_action(&nobody, "label.add"));
	assert_false(matrix_tenant_knows_action(&acme, ""));
	assert_false(matrix_tenant_knows_action(&acme, NULL));

	assert_int_equal(matrix_group_level(&acme, "owner"), GROUP_LEVEL_OWNER);
	assert_int_equal(matrix_group_level(&acme, "editor"), GROUP_LEVEL_EDITOR);
	assert_int_equal(matrix_group_level(&acme, "annotator"), GROUP_LEVEL_VIEWER);
	assert_int_equal(matrix_group_level(&acme, "nonsense"), GROUP_LEVEL_ALL);
	assert_int_equal(matrix_group_level(&acme, "billing"), GROUP_LEVEL_ALL);
}

/* The walk gives what the single question answers with yes, and nothing else. */
static void assert_walk(const struct tenant_record *tenant, const char *role, const char *const *actions,
			unsigned count)
{
	struct matrix_walk walk = matrix_walk_project(tenant, role);
	const char *given[64];
	unsigned n = 0, yes = 0;

	while ((given[n] = matrix_walk_next(&walk))) {
		assert_int_equal(matrix_project_role(tenant, role, given[n]), MATRIX_YES);
		for (unsigned i = 0; i < n; i++)
			assert_string_not_equal(given[i], given[n]);
		assert_true(++n < ARRAY_LEN(given));
	}
	assert_null(matrix_walk_next(&walk));
	for (unsigned i = 0; i < count; i++)
		yes += matrix_project_role(tenant, role, actions[i]) == MATRIX_YES;
	assert_int_equal(n, yes);
}

/* As assert_walk, of a role in the tenant: and nothing of the host's among it. */
static void assert_tenant_walk(const struct tenant_record *tenant, const char *role, unsigned expected)
{
	struct matrix_walk walk = matrix_walk_tenant(tenant, role);
	const char *action;
	unsigned n = 0;

	while ((action = matrix_walk_next(&walk))) {
		assert_int_equal(matrix_tenant_role(tenant, role, action), MATRIX_YES);
		assert_false(text_starts(action, "host."));
		n++;
	}
	assert_int_equal(n, expected);
}

static void walks_give_what_is_granted(void **state)
{
	static const char *own_actions[] = {"dataset.write", "host.sudo", "label.add"};
	static const char *viewers[] = {"label.add"};
	struct role_record roles[] = {
		{.name = "annotator", .actions = {(const char **)own_actions, ARRAY_LEN(own_actions)}},
		{.name = "viewer", .actions = {(const char **)viewers, ARRAY_LEN(viewers)}},
		{.name = "billing", .tenant_wide = true, .actions = {(const char **)own_actions, 1}},
	};
	const struct tenant_record tenant = {.roles = roles, .role_count = ARRAY_LEN(roles)};
	unsigned count;
	const char *const *actions = matrix_actions(&count);

	for (unsigned i = 0; i < ARRAY_LEN(project_roles); i++)
		assert_walk(&tenant, project_roles[i], actions, count);
	assert_walk(&tenant, "annotator", own_actions, ARRAY_LEN(own_actions));
	assert_walk(&tenant, "billing", actions, count);
	assert_walk(&tenant, "nonsense", actions, count);
	assert_walk(NULL, NULL, actions, count);
	for (unsigned i = 0; i < ARRAY_LEN(tenant_roles); i++) {
		unsigned yes = 0;

		for (unsigned k = 0; k < count; k++)
			yes += matrix_tenant_role(&tenant, tenant_roles[i], actions[k]) == MATRIX_YES;
		assert_tenant_walk(&tenant, tenant_roles[i], yes);
	}
	assert_tenant_walk(&tenant, "billing", 1);
	assert_tenant_walk(&tenant, "annotator", 0);
	assert_tenant_walk(&tenant, NULL, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_role_and_action),      cmocka_unit_test(the_list_is_complete),
		cmocka_unit_test(the_unknown_is_no),          cmocka_unit_test(roles_of_a_tenants_own),
		cmocka_unit_test(walks_give_what_is_granted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
