/* SPDX-License-Identifier: MIT */
#include "server/session_rights.h"

#include "base/hash.h"
#include "base/text.h"
#include "policy/policy.h"

static enum reason decide(const struct session_rights *rights, const struct project_record *project)
{
	struct policy_request request = {
		.user = rights->caller,
		.project = project,
		.action = SESSION_MANAGE,
		.local = true,
		.now = rights->realtime,
		.freshness = &rights->parts->freshness,
		.boot_now = rights->now_usec,
	};
	struct policy_decision decision;

	policy_decide(rights->parts->directory, &request, &decision);
	return decision.reason;
}

struct session_rights session_rights(const struct parts *parts, uint32_t uid, bool all, uint64_t now_usec,
				     int64_t realtime)
{
	struct session_rights rights = {
		.parts = parts,
		.uid = uid,
		.all = all,
		.caller = !all && parts->directory ? directory_user_by_uid(parts->directory, uid) : NULL,
		.now_usec = now_usec,
		.realtime = realtime,
	};

	rights.tenant_wide = rights.caller && decide(&rights, NULL) == REASON_ALLOWED;
	return rights;
}

bool session_rights_over_project(struct session_rights *rights, const struct project_record *project)
{
	unsigned at;

	if (rights->all)
		return true;
	if (!project || !rights->caller || !text_equal(project->tenant_id, rights->caller->tenant_id))
		return false;
	at = hash_text(project->id) % RIGHTS_PROJECTS_KNOWN;
	if (rights->known[at].project != project) {
		rights->known[at].project = project;
		rights->known[at].may = decide(rights, project) == REASON_ALLOWED;
	}
	return rights->known[at].may;
}

bool session_rights_over_tenant(const struct session_rights *rights, const struct tenant_record *tenant)
{
	return rights->all || (tenant && rights->tenant_wide && text_equal(tenant->id, rights->caller->tenant_id));
}

bool session_rights_over_user(const struct session_rights *rights, const struct user_record *user)
{
	return rights->all || (user && rights->caller &&
			       (user == rights->caller ||
				(rights->tenant_wide && text_equal(user->tenant_id, rights->caller->tenant_id))));
}

/* By ids that stay: a name may be another project's by now. A session that an older agent opened has none, and is its
 * owner's and root's alone. */
bool session_rights_over(struct session_rights *rights, const struct session *session)
{
	const char *tenant_id = session->tenant_id ? session->tenant_id : "";
	const char *project_id = session->project_id ? session->project_id : "";

	if (rights->all || session->uid == rights->uid)
		return true;
	if (!rights->caller || !text_equal(tenant_id, rights->caller->tenant_id))
		return false;
	return rights->tenant_wide ||
	       (*project_id &&
		session_rights_over_project(rights, directory_project(rights->parts->directory, project_id)));
}

bool session_rights_undecided(struct session_rights *rights)
{
	const struct directory *d = rights->parts->directory;
	const struct member_record *member;
	uint32_t cursor = 0;

	if (rights->all)
		return false;
	if (!d)
		return true;
	if (!rights->caller)
		return false;
	if (reason_is_broken(decide(rights, NULL)))
		return true;
	while ((member = directory_user_members(d, rights->caller->id, &cursor)))
		if (*member->project_id && directory_project(d, member->project_id) &&
		    reason_is_broken(decide(rights, directory_project(d, member->project_id))))
			return true;
	return false;
}
