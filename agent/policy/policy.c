/* SPDX-License-Identifier: MIT
 *
 * Decisions. Everything is compared by immutable ids; names never carry a right. What is not known is no.
 */
#include "policy/policy.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "records/hours.h"
#include "records/lists.h"
#include "records/matrix.h"

#define SECONDS_PER_DAY 86400

static bool source_passes(const struct cidr_list *list, const struct policy_request *request, bool local_passes)
{
	if (request->has_source)
		return blocks_let(list, &request->source);
	return blocks_let(list, NULL) || (request->local && local_passes);
}

static bool is_set(const char *text)
{
	return text && *text;
}

enum reason policy_key_in_force(const struct key_record *key, int64_t now)
{
	if (key->revoked_at)
		return REASON_KEY_REVOKED;
	if (key->not_before && now < key->not_before)
		return REASON_KEY_NOT_YET;
	if (key->not_after && now >= key->not_after)
		return REASON_KEY_EXPIRED;
	return REASON_ALLOWED;
}

const struct grant_record *policy_grant_in_force(const struct directory *d, const struct user_record *user, int64_t now)
{
	const struct grant_record *grant = directory_grant_of(d, user->id);

	if (!grant || !text_equal(grant->tenant_id, user->tenant_id) ||
	    (grant->not_before && now < grant->not_before) || now >= grant->not_after)
		return NULL;
	return grant;
}

/* directory_role, but an operator is a viewer or nothing, whatever a membership says. */
static const char *role_of(const struct directory *d, const struct user_record *user, const char *project_id)
{
	const char *role = directory_role(d, user->id, project_id);

	return role && user->kind == USER_OPERATOR ? OPERATOR_ROLE : role;
}

/* What no project can mend: the account, the key, where and when. */
static enum reason decide_person(const struct directory *d, const struct policy_request *request,
				 const struct tenant_record *tenant)
{
	const struct user_record *user = request->user;
	const struct key_record *key = request->key;
	enum reason reason;

	if (tenant->suspended)
		return REASON_TENANT_SUSPENDED;
	if (user->status != USER_ACTIVE)
		return REASON_USER_SUSPENDED;
	if (user->kind == USER_OPERATOR && !policy_grant_in_force(d, user, request->now))
		return REASON_GRANT_ENDED;
	if (key) {
		if (!text_equal(key->user_id, user->id))
			return REASON_KEY_OTHER_USER;
		reason = policy_key_in_force(key, request->now);
		if (reason != REASON_ALLOWED)
			return reason;
	}
	if (request->sign_in_ended)
		return REASON_CREDENTIAL_STALE;
	if (key) {
		/* Whoever asks nothing in particular asks for nothing that a scope could forbid. */
		if (is_set(request->action) && !list_lets(&key->actions, request->action))
			return REASON_KEY_SCOPE_ACTION;
		if (!list_lets(&key->services, request->service))
			return REASON_KEY_SCOPE_SERVICE;
		if (!source_passes(&key->from, request, false))
			return REASON_KEY_SCOPE_SOURCE;
	}
	if (!source_passes(&tenant->allow_from, request, true))
		return REASON_SOURCE_NOT_ALLOWED;
	if (text_equal(request->action, "host.login") && !request->implied &&
	    (!hours_allow(&tenant->login_hours, request->now) ||
	     (request->host_hours && !hours_allow(request->host_hours, request->now))))
		return REASON_OUTSIDE_HOURS;
	return REASON_ALLOWED;
}

/* Is the project role enough while the tenant's word is as old as it is? */
static bool role_lasts(enum freshness_answer freshness, const struct tenant_record *tenant, const char *role)
{
	return freshness == FRESHNESS_FRESH || (freshness == FRESHNESS_STALE && list_has(&tenant->stale_roles, role));
}

static bool any_role_lasts(const struct directory *d, enum freshness_answer freshness,
			   const struct tenant_record *tenant, const struct user_record *user)
{
	uint32_t cursor = 0;

	for (const struct member_record *member; (member = directory_user_members(d, user->id, &cursor));)
		if (*member->project_id && role_lasts(freshness, tenant, member->role))
			return true;
	return false;
}

static enum freshness_answer how_fresh(const struct directory *d, const struct policy_request *request,
				       const struct tenant_record *tenant)
{
	return freshness_of(request->freshness, tenant->id, directory_from_feed(d, tenant->id),
			    tenant->stale_offline_sec, request->boot_now);
}

/* What the project itself and the key's limits say, once the role would do. */
static enum reason decide_project_limits(const struct policy_request *request, const struct project_record *project)
{
	if (!source_passes(&project->allow_from, request, true))
		return REASON_SOURCE_NOT_ALLOWED;
	if (request->key && !list_lets(&request->key->projects, project->id))
		return REASON_KEY_SCOPE_PROJECT;
	return REASON_ALLOWED;
}

/* Does the host's rule let the role do it? An operator looks in wherever one of the account's projects is served. */
static bool rule_lets(const struct policy_request *request, const struct tenant_record *tenant,
		      const struct host_rule *rule, const char *role)
{
	bool sudo = strcmp(request->action, "host.sudo") == 0;

	if (request->user->kind == USER_OPERATOR)
		return strcmp(request->action, "host.login") == 0;
	return matrix_project_role(tenant, role, request->action) != MATRIX_NO &&
	       list_has(sudo ? &rule->sudo : &rule->login, role);
}

static enum reason decide_rule(const struct directory *d, const struct policy_request *request,
			       const struct tenant_record *tenant, const struct host_rule *rule,
			       const struct project_record *project, const char *role)
{
	bool sudo = strcmp(request->action, "host.sudo") == 0;
	enum reason reason;

	if (!role)
		return REASON_NOT_A_MEMBER;
	if (!rule_lets(request, tenant, rule, role))
		return REASON_ROLE_TOO_LOW;
	if (!sudo && !request->implied && !list_lets(&rule->services, request->service))
		return REASON_SERVICE_NOT_ALLOWED;
	reason = decide_project_limits(request, project);
	if (reason == REASON_ALLOWED && !role_lasts(how_fresh(d, request, tenant), tenant, role))
		return REASON_STALE;
	return reason;
}

/* How near a refusal by a project is to a yes. */
static int nearness(enum reason reason)
{
	static const enum reason order[] = {REASON_NOT_A_MEMBER,
					    REASON_ROLE_TOO_LOW,
					    REASON_SERVICE_NOT_ALLOWED,
					    REASON_SOURCE_NOT_ALLOWED,
					    REASON_KEY_SCOPE_PROJECT,
					    REASON_STALE,
					    REASON_ALLOWED};

	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (order[i] == reason)
			return (int)i;
	return -1;
}

/* host.login and host.sudo: the first of the host's projects that lets them. */
static void decide_host(const struct directory *d, const struct policy_request *request, struct policy_decision *ret)
{
	const struct host_record *host = directory_host(d);
	const struct user_record *user = request->user;

	if (!host || host->rule_count == 0) {
		ret->reason = REASON_HOST_SERVES_NOTHING;
		return;
	}
	ret->reason = REASON_NOT_A_MEMBER;
	for (uint32_t i = 0; i < host->rule_count && ret->reason != REASON_ALLOWED; i++) {
		const struct host_rule *rule = &host->rules[i];
		const struct project_record *project = directory_project(d, rule->project_id);
		const char *role;
		enum reason reason;

		if (!project || !text_equal(project->tenant_id, user->tenant_id))
			continue;
		if (request->project && !text_equal(project->id, request->project->id))
			continue;
		role = role_of(d, user, project->id);
		reason = decide_rule(d, request, ret->tenant, rule, project, role);
		if (nearness(reason) > nearness(ret->reason)) {
			ret->reason = reason;
			ret->project = project;
			ret->role = role;
		}
	}
}

/* Everything that is not about the host: by the role in the project, or in its tenant. */
static void decide_project(const struct directory *d, const struct policy_request *request, struct policy_decision *ret)
{
	const struct user_record *user = request->user;
	const struct project_record *project = request->project;
	const char *action = is_set(request->action) ? request->action : "project.view";
	const char *role = role_of(d, user, project->id);
	const char *tenant_role;

	ret->project = project;
	ret->role = role;
	/* With no action asked, holding a role in the project is the whole question. */
	if (role && (!is_set(request->action) || matrix_project_role(ret->tenant, role, action) == MATRIX_YES)) {
		ret->reason = decide_project_limits(request, project);
		return;
	}
	tenant_role = role_of(d, user, "");
	ret->role = role ? role : tenant_role;
	if (!ret->role) {
		ret->reason = REASON_NOT_A_MEMBER;
		return;
	}
	if (tenant_role && matrix_tenant_role(ret->tenant, tenant_role, action) == MATRIX_YES) {
		ret->role = tenant_role;
		ret->reason = decide_project_limits(request, project);
		return;
	}
	ret->reason = role || is_set(request->action) ? REASON_ROLE_TOO_LOW : REASON_NOT_A_MEMBER;
}

/* About the tenant as a whole: its roles alone, and no key that is limited to projects. */
static void decide_tenant(const struct directory *d, const struct policy_request *request, struct policy_decision *ret)
{
	ret->role = role_of(d, request->user, "");
	if (!ret->role)
		ret->reason = REASON_NOT_A_MEMBER;
	else if (matrix_tenant_role(ret->tenant, ret->role, request->action) != MATRIX_YES)
		ret->reason = REASON_ROLE_TOO_LOW;
	else if (request->key && request->key->projects.count > 0)
		ret->reason = REASON_KEY_SCOPE_PROJECT;
	else
		ret->reason = REASON_ALLOWED;
}

/* Of a yes: does it hold while the tenant is stale? (decide_host asked for each project.) */
static enum reason decide_freshness(const struct directory *d, const struct policy_request *request,
				    const struct policy_decision *decision, enum freshness_answer freshness)
{
	const struct user_record *user = request->user;
	bool lasts;

	if (freshness == FRESHNESS_FRESH)
		return REASON_ALLOWED;
	lasts = decision->project ? role_lasts(freshness, decision->tenant, role_of(d, user, decision->project->id))
				  : any_role_lasts(d, freshness, decision->tenant, user);
	return lasts ? REASON_ALLOWED : REASON_STALE;
}

void policy_decide(const struct directory *d, const struct policy_request *request, struct policy_decision *ret)
{
	struct policy_decision decision = {.reason = REASON_BROKEN};
	enum freshness_answer freshness;

	if (!request->user) {
		decision.reason = REASON_UNKNOWN_USER;
	} else if (request->project && !text_equal(request->project->tenant_id, request->user->tenant_id)) {
		/* Before anything else is judged, or the answer would tell it from one that does not exist. */
		decision.reason = REASON_UNKNOWN_PROJECT;
	} else if ((decision.tenant = directory_tenant(d, request->user->tenant_id))) {
		decision.reason = decide_person(d, request, decision.tenant);
		if (decision.reason != REASON_ALLOWED)
			; /* no project can mend it */
		else if (is_set(request->action) && !matrix_tenant_knows_action(decision.tenant, request->action))
			decision.reason = REASON_UNKNOWN_ACTION;
		else if (is_set(request->action) && matrix_action_is_host(request->action))
			decide_host(d, request, &decision);
		else if (request->project)
			decide_project(d, request, &decision);
		else if (is_set(request->action))
			decide_tenant(d, request, &decision);
		freshness = how_fresh(d, request, decision.tenant);
		decision.stale = freshness != FRESHNESS_FRESH;
		if (decision.reason == REASON_ALLOWED)
			decision.reason = decide_freshness(d, request, &decision, freshness);
	}
	*ret = decision;
}

bool policy_may_sudo(const struct directory *d, const struct user_record *user)
{
	const struct tenant_record *tenant = directory_tenant(d, user->tenant_id);
	const struct host_record *host = directory_host(d);

	if (!tenant || tenant->suspended || user->status != USER_ACTIVE || user->kind == USER_OPERATOR || !host)
		return false;
	for (uint32_t i = 0; i < host->rule_count; i++) {
		const struct host_rule *rule = &host->rules[i];
		const struct project_record *project;
		const char *role;

		if (rule->sudo.count == 0)
			continue; /* most rules: spares two look-ups for each person of a large directory */
		project = directory_project(d, rule->project_id);
		if (!project || !text_equal(project->tenant_id, user->tenant_id))
			continue;
		role = directory_role(d, user->id, project->id);
		if (role && matrix_project_role(tenant, role, "host.sudo") != MATRIX_NO && list_has(&rule->sudo, role))
			return true;
	}
	return false;
}

bool policy_key_warning(const struct directory *d, const struct key_record *key, int64_t now, char *out, size_t size)
{
	const struct key_record *successor;
	const struct tenant_record *tenant;
	const struct user_record *user;
	char span[48];
	int64_t left;

	if (!key->not_after || now >= key->not_after) /* most keys: nothing to look up */
		return false;
	user = directory_user(d, key->user_id);
	tenant = user ? directory_tenant(d, user->tenant_id) : NULL;
	successor = is_set(key->successor) ? directory_key(d, key->successor) : NULL;
	if (!tenant)
		return false;
	left = key->not_after - now;
	/* A rotated key is on its way out whatever the tenant's notice. */
	if (!is_set(key->successor) && left > (int64_t)tenant->key_warn_days * SECONDS_PER_DAY)
		return false;
	format_span((uint64_t)left, span, sizeof(span));
	if (successor)
		snprintf(out, size, "this key ends in %s; its successor is %s", span,
			 is_set(successor->label) ? successor->label : successor->id);
	else
		snprintf(out, size, "this key ends in %s; ask for a new one before that", span);
	return true;
}
