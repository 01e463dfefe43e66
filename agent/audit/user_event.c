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
	if (tenant)
		event->tenant = tenant->slug;
	if (user->kind == USER_OPERATOR)
		audit_about_grant(event, directory_grant_of(d, user->id));
}
