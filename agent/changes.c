/* SPDX-License-Identifier: MIT */
#include "changes.h"

#include <stdio.h>
#include <string.h>

#include "audit/user_event.h"

struct report {
	struct audit *audit;
	struct server *server;
	const struct directory *before, *after;
	uint64_t count;
	bool far_reaching; /* concerns people whom no single event names */
};

static const char *const kind_words[] = {
	[RECORD_TENANT] = "tenant",
	[RECORD_PROJECT] = "project",
	[RECORD_USER] = "user",
	[RECORD_MEMBER] = "member",
	[RECORD_KEY] = "key",
	[RECORD_HOST] = "host",
	[RECORD_TOKEN_KEY] = "token-key",
	[RECORD_REVOCATION] = "revocation",
	[RECORD_IDP] = "provider",
	[RECORD_GRANT] = "grant",
};
static const char *const change_words[] = {
	[CHANGE_ADDED] = "added",
	[CHANGE_REMOVED] = "removed",
	[CHANGE_UPDATED] = "updated",
};

static void count_one(void *context, enum record_kind kind, enum change_kind change, const void *old_record,
		      const void *new_record)
{
	struct report *report = context;

	report->count++;
}

/* The person, in the newer picture that knows them. */
static const struct user_record *find_user(const struct report *report, const char *id)
{
	const struct user_record *user = directory_user(report->after, id);

	return user ? user : directory_user(report->before, id);
}

static const char *slug_of(const struct report *report, const char *tenant_id)
{
	const struct tenant_record *tenant = directory_tenant(report->after, tenant_id);

	if (!tenant)
		tenant = directory_tenant(report->before, tenant_id);
	return tenant ? tenant->slug : NULL;
}

static void publish(const struct report *report, const char *event, const struct user_record *user, const char *key_id,
		    const char *project)
{
	server_publish(report->server, &(struct server_event){
					       .event = event,
					       .user = user ? user->login : NULL,
					       .user_id = user ? user->id : NULL,
					       .key_id = key_id,
					       .project = project,
					       .has_uid = user != NULL,
					       .uid = user ? user->uid : 0,
					       .generation = directory_generation(report->after),
				       });
}

static void publish_key(const struct report *report, const struct key_record *old, const struct key_record *new)
{
	const struct user_record *user = find_user(report, new ? new->user_id : old->user_id);

	if (!new || (new->revoked_at && (!old || !old->revoked_at)))
		publish(report, "key-revoked", user, new ? new->id : old->id, NULL);
	else
		publish(report, "key-changed", user, new->id, NULL);
}

static void publish_user(const struct report *report, const struct user_record *old, const struct user_record *new)
{
	if (!new || (new->status != USER_ACTIVE && (!old || old->status == USER_ACTIVE)))
		publish(report, "user-suspended", new ? new : old, NULL, NULL);
	else
		publish(report, "user-changed", new, NULL, NULL);
}

static void list_one(void *context, enum record_kind kind, enum change_kind change, const void *old_record,
		     const void *new_record)
{
	struct report *report = context;
	const void *record = new_record ? new_record : old_record;
	struct audit_event event = {
		.kind = AUDIT_DIRECTORY_CHANGED,
		.record_kind = kind_words[kind],
		.change = change_words[change],
		.directory_generation = directory_generation(report->after),
	};
	const struct user_record *user = NULL;
	const struct grant_record *grant = NULL;
	const struct member_record *member;
	const struct key_record *key;
	const struct project_record *project;
	char member_id[2 * ID_MAX_BYTES + 2];

	switch (kind) {
	case RECORD_TENANT:
		event.record_id = ((const struct tenant_record *)record)->id;
		event.tenant = ((const struct tenant_record *)record)->slug;
		event.tenant_id = event.record_id;
		report->far_reaching = true;
		break;
	case RECORD_PROJECT:
		project = record;
		event.record_id = project->id;
		audit_about_project(&event, project);
		event.tenant_id = project->tenant_id;
		event.tenant = slug_of(report, project->tenant_id);
		report->far_reaching = true;
		break;
	case RECORD_HOST:
		event.record_id = ((const struct host_record *)record)->name;
		event.tenant_id = ((const struct host_record *)record)->tenant_id;
		report->far_reaching = true;
		break;
	case RECORD_TOKEN_KEY:
		event.record_id = ((const struct token_key_record *)record)->id;
		event.tenant_id = ((const struct token_key_record *)record)->tenant_id;
		break;
	case RECORD_REVOCATION:
		event.record_id = ((const struct revocation_record *)record)->id;
		event.tenant_id = ((const struct revocation_record *)record)->tenant_id;
		break;
	case RECORD_IDP: /* a client's secret is never said, only that something changed */
		event.record_id = ((const struct idp_record *)record)->id;
		event.tenant_id = ((const struct idp_record *)record)->tenant_id;
		event.tenant = slug_of(report, event.tenant_id);
		break;
	case RECORD_GRANT:
		event.record_id = ((const struct grant_record *)record)->id;
		user = find_user(report, ((const struct grant_record *)record)->user_id);
		grant = record;
		break;
	case RECORD_USER:
		user = record;
		event.record_id = user->id;
		publish_user(report, old_record, new_record);
		break;
	case RECORD_MEMBER:
		member = record;
		snprintf(member_id, sizeof(member_id), "%s/%s", member->user_id,
			 member->project_id[0] ? member->project_id : member->tenant_id);
		event.record_id = member_id;
		event.role = member->role;
		event.project_id = member->project_id;
		event.tenant_id = member->tenant_id;
		user = find_user(report, member->user_id);
		publish(report, "role-changed", user, NULL, member->project_id);
		break;
	case RECORD_KEY:
		key = record;
		event.record_id = key->id;
		user = find_user(report, key->user_id);
		publish_key(report, old_record, new_record);
		break;
	}
	if (user) {
		audit_about_user(&event, report->after, user);
		event.tenant = slug_of(report, user->tenant_id);
	}
	if (grant) /* also one that is gone by now */
		audit_about_grant(&event, grant);
	audit_write(report->audit, &event);
}

void changes_report(struct audit *audit, struct server *server, const struct directory *before,
		    const struct directory *after)
{
	struct report report = {.audit = audit, .server = server, .before = before, .after = after};

	if (!before)
		return;
	directory_diff(before, after, count_one, &report);
	if (report.count == 0)
		return;
	if (report.count <= CHANGES_LISTED) {
		directory_diff(before, after, list_one, &report);
	} else {
		report.far_reaching = true;
		audit_write(audit, &(struct audit_event){
					   .kind = AUDIT_DIRECTORY_CHANGED,
					   .record_kind = "directory",
					   .change = change_words[CHANGE_UPDATED],
					   .detail = "too many records changed at once to list each",
					   .count = report.count,
					   .directory_generation = directory_generation(after),
				   });
	}
	if (report.far_reaching)
		publish(&report, "resync", NULL, NULL, NULL);
	publish(&report, "directory-changed", NULL, NULL, NULL);
}
