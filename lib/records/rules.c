/* SPDX-License-Identifier: MIT */
#include "records/rules.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "crypto/api_key.h"
#include "records/matrix.h"

#define TENANT_SLUG_MAX 16U /* so that <tenant>-<project>-viewer stays short */
#define KEY_ID_PREFIX "key_"
#define SUDO_WITHIN_MAX 86400U

const char *const rules_login_roles[RULES_LOGIN_ROLE_COUNT] = {"owner", "editor"};

#define REFUSE(problem, remedy, ...) \
	(problem_set((problem), EINVAL, __VA_ARGS__), problem_remedy((problem), "%s", (remedy)), -EINVAL)

int rules_ids(const struct tenant_record *tenant, struct problem *problem)
{
	uint64_t end = (uint64_t)tenant->id_first + tenant->id_count;

	if (tenant->id_count == 0 || end - 1 > MANAGED_ID_TENANT_LAST)
		return REFUSE(problem, "`tenantctl directory add-tenant` finds a free block",
			      "the id block is empty or reaches past %u", MANAGED_ID_TENANT_LAST);
	if (tenant->id_next < tenant->id_first || tenant->id_next > end)
		return REFUSE(
			problem,
			"next is the first id of the block that was never handed out (one past its end: all were)",
			"ids.next %u is not inside the block %u..%llu", tenant->id_next, tenant->id_first,
			(unsigned long long)end - 1);
	return 0;
}

int rules_role(const struct role_record *role, struct problem *problem)
{
	if (matrix_knows_project_role(role->name) || matrix_knows_tenant_role(role->name))
		return REFUSE(problem, "choose another name", "role \"%s\" is a shipped one", role->name);
	if (role->tenant_wide && role->level != GROUP_LEVEL_ALL)
		return REFUSE(problem, "leave \"groups\" out", "tenant role \"%s\" cannot give groups of a project",
			      role->name);
	for (uint32_t i = 0; role->tenant_wide && i < role->actions.count; i++)
		if (matrix_action_is_host(role->actions.items[i]))
			return REFUSE(problem, "make it a project role", "tenant role \"%s\" cannot give %s",
				      role->name, role->actions.items[i]);
	return 0;
}

int rules_tenant(const struct tenant_record *tenant, struct problem *problem)
{
	if (strlen(tenant->slug) > TENANT_SLUG_MAX)
		return REFUSE(problem, "choose a shorter one", "tenant slug \"%s\" is longer than %u bytes",
			      tenant->slug, TENANT_SLUG_MAX);
	for (uint32_t i = 0; i < tenant->role_count; i++)
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(tenant->roles[i].name, tenant->roles[j].name) == 0)
				return REFUSE(problem, "keep one of them", "role \"%s\" is defined twice",
					      tenant->roles[i].name);
	return 0;
}

bool rules_key_id_valid(const char *id)
{
	return text_is_id(id) && text_starts(id, KEY_ID_PREFIX) &&
	       strlen(id) == strlen(KEY_ID_PREFIX) + API_KEY_ID_CHARS && !strchr(id + strlen(KEY_ID_PREFIX), '_');
}

int rules_key(const struct key_record *key, struct problem *problem)
{
	if (!rules_key_id_valid(key->id))
		return REFUSE(problem, "the digits are the middle part of the key's text",
			      "key id \"%s\" is not \"key_\" and 16 letters or digits", key->id);
	if (key->not_before && key->not_after && key->not_after <= key->not_before)
		return REFUSE(problem, "", "the key ends (not_after) before it begins (not_before)");
	return 0;
}

int rules_grant(const struct grant_record *grant, struct problem *problem)
{
	if (!*grant->reason)
		return REFUSE(problem, "say why somebody has to look in; the tenant reads it",
			      "the grant gives no reason");
	if (!*grant->operator_id && !*grant->operator_name)
		return REFUSE(problem, "say who it is: an id, a name or both", "the grant names no operator");
	if (grant->not_after == 0)
		return REFUSE(problem, "say until when (not_after)", "the grant has no end");
	if (grant->not_before && grant->not_after <= grant->not_before)
		return REFUSE(problem, "", "the grant ends (not_after) before it begins (not_before)");
	return 0;
}

int rules_sudo(const struct tenant_record *tenant, struct problem *problem)
{
	if (tenant->sudo_proof == SUDO_PROOF_RECENT &&
	    (tenant->sudo_within_sec == 0 || tenant->sudo_within_sec > SUDO_WITHIN_MAX))
		return REFUSE(problem, "from one second to a day, such as 15 minutes",
			      "\"within\" of sudo is no time, or longer than a day");
	if (tenant->sudo_proof != SUDO_PROOF_RECENT && tenant->sudo_within_sec != 0)
		return REFUSE(problem, "take it out, or set \"proof\" to recent",
			      "\"within\" of sudo means something with \"proof\" recent only");
	return 0;
}
