/* SPDX-License-Identifier: MIT */
#include "records/session_rules.h"

#include <errno.h>

#include "base/macros.h"
#include "records/rules.h"

#define SPAN_MAX (366U * 86400U)

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

/* Whoever limits no numbers has no say in what one too many means. */
static bool denies(const struct session_rules *rules)
{
	return rules->over == SESSION_OVER_DENY && (rules->max_per_user || rules->max_per_tenant);
}

static enum session_over stricter_over(const struct session_rules *a, const struct session_rules *b)
{
	if (denies(a) || denies(b))
		return SESSION_OVER_DENY;
	return a->over == SESSION_OVER_END_OLDEST || b->over == SESSION_OVER_END_OLDEST ? SESSION_OVER_END_OLDEST
											: SESSION_OVER_DENY;
}

struct session_rules session_rules_stricter(const struct session_rules *a, const struct session_rules *b)
{
	struct session_rules ret = {.over = stricter_over(a, b)};

	ret.max_per_user = lower_limit(a->max_per_user, b->max_per_user);
	ret.max_per_tenant = lower_limit(a->max_per_tenant, b->max_per_tenant);
	ret.max_age_sec = lower_limit(a->max_age_sec, b->max_age_sec);
	ret.idle_sec = lower_limit(a->idle_sec, b->idle_sec);
	ret.warn_sec = MAX_OF(a->warn_sec, b->warn_sec);
	ret.grace_sec = MIN_OF(a->grace_sec, b->grace_sec);
	ret.end_outside_hours = a->end_outside_hours || b->end_outside_hours;
	ret.end_with_key = a->end_with_key || b->end_with_key;
	return ret;
}

static int check_span(const char *field, uint32_t seconds, uint32_t most, const char *remedy, struct problem *problem)
{
	if (seconds <= most)
		return 0;
	problem_set(problem, EINVAL, "\"%s\" of sessions is too long", field);
	problem_remedy(problem, "%s", remedy);
	return -EINVAL;
}

int rules_sessions(const struct session_rules *rules, struct problem *problem)
{
	static const char *const remedy = "a year is the most";
	int r = check_span("max_age", rules->max_age_sec, SPAN_MAX, remedy, problem);

	if (r == 0)
		r = check_span("idle", rules->idle_sec, SPAN_MAX, remedy, problem);
	if (r == 0)
		r = check_span("warn", rules->warn_sec, SESSION_WARN_MAX_SEC, "a day is the most", problem);
	return r < 0 ? r
		     : check_span("grace", rules->grace_sec, SESSION_GRACE_MAX_SEC, "five minutes are the most",
				  problem);
}

bool session_rules_equal(const struct session_rules *a, const struct session_rules *b)
{
	return a->max_per_user == b->max_per_user && a->max_per_tenant == b->max_per_tenant &&
	       a->max_age_sec == b->max_age_sec && a->idle_sec == b->idle_sec && a->warn_sec == b->warn_sec &&
	       a->grace_sec == b->grace_sec && a->over == b->over && a->end_outside_hours == b->end_outside_hours &&
	       a->end_with_key == b->end_with_key;
}
