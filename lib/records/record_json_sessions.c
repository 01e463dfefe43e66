/* SPDX-License-Identifier: MIT
 *
 * What a tenant says of its people's sessions, and the grants by which operators look in.
 */
#include <errno.h>

#include "records/record_readers.h"
#include "records/rules.h"

struct sessions_body {
	const char *over;
	uint32_t max_per_user, max_per_tenant, max_age, idle, warn, grace;
	bool end_outside_hours, end_with_key;
};
static const struct json_field sessions_fields[] = {
	FIELD(sessions_body, max_per_user, U32, 0),  FIELD(sessions_body, max_per_tenant, U32, 0),
	FIELD(sessions_body, over, STRING, 0),       FIELD(sessions_body, max_age, U32, 0),
	FIELD(sessions_body, idle, U32, 0),          FIELD(sessions_body, warn, U32, 0),
	FIELD(sessions_body, grace, U32, 0),         FIELD(sessions_body, end_outside_hours, BOOL, 0),
	FIELD(sessions_body, end_with_key, BOOL, 0),
};

/* A limit that is left out is none; one that says 0 could as well mean that nobody may. */
#define LIMIT_LEFT_OUT UINT32_MAX
static int read_limit(const struct reading *in, const char *field, uint32_t value, uint32_t *ret)
{
	if (value == 0)
		return body_wrong(in, field, "no limit", "leave it out where there is none");
	*ret = value == LIMIT_LEFT_OUT ? 0 : value;
	return 0;
}

int record_read_sessions(const struct reading *in, json_t *object, struct session_rules *ret)
{
	struct session_rules rules = session_rules_default();
	struct sessions_body body = {.max_per_user = LIMIT_LEFT_OUT,
				     .max_per_tenant = LIMIT_LEFT_OUT,
				     .max_age = LIMIT_LEFT_OUT,
				     .idle = LIMIT_LEFT_OUT,
				     .warn = rules.warn_sec,
				     .grace = rules.grace_sec};
	uint32_t over = SESSION_OVER_DENY;
	int r = object ? body_fields(in, json_view(object), sessions_fields, ARRAY_LEN(sessions_fields), &body) : 0;

	if (r == 0)
		r = read_limit(in, "max_per_user", body.max_per_user, &rules.max_per_user);
	if (r == 0)
		r = read_limit(in, "max_per_tenant", body.max_per_tenant, &rules.max_per_tenant);
	if (r == 0)
		r = read_limit(in, "max_age", body.max_age, &rules.max_age_sec);
	if (r == 0)
		r = read_limit(in, "idle", body.idle, &rules.idle_sec);
	if (r == 0)
		r = body_choice(in, "over", value_over_words, body.over, &over);
	if (r < 0)
		return r;
	rules.warn_sec = body.warn;
	rules.grace_sec = body.grace;
	rules.over = (enum session_over)over;
	rules.end_outside_hours = body.end_outside_hours;
	rules.end_with_key = body.end_with_key;
	r = rules_sessions(&rules, in->problem);
	if (r == 0)
		*ret = rules;
	return r;
}

struct grant_body {
	const char *user, *operator_id, *operator_name, *reason;
	int64_t not_before, not_after;
};
static const struct json_field grant_fields[] = {
	FIELD(grant_body, user, STRING, NEEDED),     FIELD(grant_body, operator_id, STRING, 0),
	FIELD(grant_body, operator_name, STRING, 0), FIELD(grant_body, reason, STRING, NEEDED),
	FIELD(grant_body, not_before, I64, 0),       FIELD(grant_body, not_after, I64, NEEDED),
};

int record_read_grant(const struct reading *in, void *record)
{
	struct grant_record *grant = record;
	struct grant_body body = {.not_before = TIME_LEFT_OUT};
	int r = body_fields(in, in->body, grant_fields, ARRAY_LEN(grant_fields), &body);

	if (r == 0)
		r = body_keep(in, in->id, &grant->id);
	if (r == 0)
		r = body_keep(in, in->tenant_id, &grant->tenant_id);
	if (r == 0)
		r = body_text(in, "user", VALUE_REFERENCE, body.user, &grant->user_id);
	if (r == 0)
		r = body_text(in, "operator_id", VALUE_ID, body.operator_id, &grant->operator_id);
	if (r == 0)
		r = body_text(in, "operator_name", VALUE_TEXT, body.operator_name, &grant->operator_name);
	if (r == 0)
		r = body_text(in, "reason", VALUE_TEXT, body.reason, &grant->reason);
	if (r == 0)
		r = body_time(in, "not_before", body.not_before, &grant->not_before);
	if (r == 0)
		r = body_time(in, "not_after", body.not_after, &grant->not_after);
	return r < 0 ? r : rules_grant(grant, in->problem);
}
