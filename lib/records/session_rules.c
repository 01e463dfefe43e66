/* SPDX-License-Identifier: MIT */
#include "records/session_rules.h"

#include "base/macros.h"

struct session_rules session_rules_default(void)
{
	return (struct session_rules){.warn_sec = SESSION_WARN_DEFAULT_SEC, .grace_sec = SESSION_GRACE_DEFAULT_SEC};
}

static uint32_t lower_limit(uint32_t a, uint32_t b)
{
	if (a == 0 || b == 0)
		return a ? a : b;
	return MIN_OF(a, b);
}

struct session_rules session_rules_stricter(const struct session_rules *a, const struct session_rules *b)
{
	return (struct session_rules){
		.max_per_user = lower_limit(a->max_per_user, b->max_per_user),
		.max_per_tenant = lower_limit(a->max_per_tenant, b->max_per_tenant),
		.max_age_sec = lower_limit(a->max_age_sec, b->max_age_sec),
		.idle_sec = lower_limit(a->idle_sec, b->idle_sec),
		.warn_sec = MAX_OF(a->warn_sec, b->warn_sec),
		.grace_sec = MIN_OF(a->grace_sec, b->grace_sec),
		.over = a->over == SESSION_OVER_DENY || b->over == SESSION_OVER_DENY ? SESSION_OVER_DENY
										     : SESSION_OVER_END_OLDEST,
		.end_outside_hours = a->end_outside_hours || b->end_outside_hours,
		.end_with_key = a->end_with_key || b->end_with_key,
	};
}
