/* SPDX-License-Identifier: MIT
 *
 * The directory file's tables about sessions, and about operators who look in.
 */
#include "directory/yaml_schema.h"
#include "records/rules.h"
#include "records/values.h"

#define AT(type, member) offsetof(struct type, member)

static const struct field sessions_fields[] = {
	{.name = "max_per_user", .type = FIELD_LIMIT, .offset = AT(tenant_record, sessions.max_per_user)},
	{.name = "max_per_tenant", .type = FIELD_LIMIT, .offset = AT(tenant_record, sessions.max_per_tenant)},
	{.name = "over", .type = FIELD_CHOICE, .choices = value_over_words, .offset = AT(tenant_record, sessions.over)},
	{.name = "max_age", .type = FIELD_SECONDS, .offset = AT(tenant_record, sessions.max_age_sec)},
	{.name = "idle", .type = FIELD_SECONDS, .offset = AT(tenant_record, sessions.idle_sec)},
	{.name = "warn", .type = FIELD_SPAN, .offset = AT(tenant_record, sessions.warn_sec)},
	{.name = "grace", .type = FIELD_SPAN, .offset = AT(tenant_record, sessions.grace_sec)},
	{.name = "end_outside_hours", .type = FIELD_BOOL, .offset = AT(tenant_record, sessions.end_outside_hours)},
	{.name = "end_with_key", .type = FIELD_BOOL, .offset = AT(tenant_record, sessions.end_with_key)},
};

static int finish_sessions(struct loader *loader, void *record, yaml_mark_t start)
{
	const struct tenant_record *tenant = record;
	struct problem problem = {0};

	return rules_sessions(&tenant->sessions, &problem) < 0 ? schema_refuse_at(loader, start, &problem) : 0;
}

const struct schema schema_of_sessions = {
	.what = "sessions", .fields = sessions_fields, .count = ARRAY_LEN(sessions_fields), .finish = finish_sessions};

static const struct field grant_fields[] = {
	{.name = "id", .type = FIELD_ID, .required = true, .offset = AT(grant_record, id)},
	{.name = "tenant", .type = FIELD_ID, .required = true, .offset = AT(grant_record, tenant_id)},
	{.name = "user", .type = FIELD_ID, .required = true, .offset = AT(grant_record, user_id)},
	{.name = "operator_id", .type = FIELD_ID, .offset = AT(grant_record, operator_id)},
	{.name = "operator_name", .type = FIELD_TEXT, .offset = AT(grant_record, operator_name)},
	{.name = "reason", .type = FIELD_TEXT, .required = true, .offset = AT(grant_record, reason)},
	{.name = "not_before", .type = FIELD_TIME, .offset = AT(grant_record, not_before)},
	{.name = "not_after", .type = FIELD_TIME, .required = true, .offset = AT(grant_record, not_after)},
};

static void default_grant(struct loader *loader, void *record)
{
	struct grant_record *grant = record;

	grant->operator_id = grant->operator_name = "";
}

static int finish_grant(struct loader *loader, void *record, yaml_mark_t start)
{
	struct problem problem = {0};

	return rules_grant(record, &problem) < 0 ? schema_refuse_at(loader, start, &problem) : 0;
}

const struct schema schema_of_grant = {.what = "a grant",
				       .fields = grant_fields,
				       .count = ARRAY_LEN(grant_fields),
				       .size = sizeof(struct grant_record),
				       .defaults = default_grant,
				       .finish = finish_grant};
