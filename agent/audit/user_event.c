/* SPDX-License-Identifier: MIT */
#include "audit/user_event.h"

void audit_about_grant(struct audit_event *event, const struct grant_record *grant)
{
	if (!grant)
		return;
	/* One of the two names is always there (rules_grant). */
	event->operator_name = *grant->operator_name ? grant->operator_name : grant->operator_id;
	event->grant = grant->id;
	event->grant_reason = grant->reason;
}

void audit_about_user(struct audit_event *event, const struct directory *d, const struct user_record *user)
{
	const struct tenant_record *tenant = user ? directory_tenant(d, user->tenant_id) : NULL;

	if (!user)
		return;
	event->user = user->login;
	event->user_id = user->id;
	event->uid = user->uid;
	event->has_uid = true;
	event->tenant_id = user->tenant_id;
	if (tenant)
		event->tenant = tenant->slug;
	if (user->kind == USER_OPERATOR)
		audit_about_grant(event, directory_grant_of(d, user->id));
}

void audit_asked_by(struct audit_event *event, const struct directory *d, const char *login)
{
	const struct user_record *user = d ? directory_user_by_login(d, login) : NULL;

	event->user = login;
	event->user_id = user ? user->id : NULL;
	event->uid = user ? user->uid : 0;
	event->has_uid = user != NULL;
}

void audit_about_project(struct audit_event *event, const struct project_record *project)
{
	event->project = project ? project->slug : NULL;
	event->project_id = project ? project->id : NULL;
}

void audit_about_caller(struct audit_event *event, const struct directory *d, uint32_t uid, uint32_t pid)
{
	const struct user_record *user = d ? directory_user_by_uid(d, uid) : NULL;

	event->caller_uid = uid;
	event->caller_pid = pid;
	event->has_caller = true;
	event->caller_user_id = user ? user->id : NULL;
}
