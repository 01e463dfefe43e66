/* SPDX-License-Identifier: MIT
 *
 * How many sessions there may be and how long they last: a tenant's policy (`policy.sessions` of its record) and a
 * host's own (`sessions` in agent.yaml) have the same form, and of two the stricter counts, limit by limit.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SESSION_WARN_DEFAULT_SEC 300U
#define SESSION_WARN_MAX_SEC 86400U
#define SESSION_GRACE_DEFAULT_SEC 5U
#define SESSION_GRACE_MAX_SEC 300U

/* When one more would be too many. */
enum session_over {
	SESSION_OVER_DENY,       /* the new one is refused: the stricter of the two */
	SESSION_OVER_END_OLDEST, /* the oldest of those that count gives way */
};

/* Limits are 0 where there is none. */
struct session_rules {
	uint32_t max_per_user, max_per_tenant; /* at once on one host */
	uint32_t max_age_sec;                  /* from opening to end */
	uint32_t idle_sec;                     /* without a key pressed (terminals; logind's word for the others) */
	uint32_t warn_sec;                     /* said on the terminal so long before an end that can be foreseen */
	uint32_t grace_sec;                    /* between SIGHUP and SIGKILL; 0: none */
	enum session_over over;
	bool end_outside_hours; /* sessions end with the login hours; else these are about signing in only */
	bool end_with_key;      /* sessions end at their key's not_after; a revoked key ends them in any case */
};

/* Nothing is limited; the defaults of warn_sec and grace_sec. */
struct session_rules session_rules_default(void);
/* The smaller limit of each, the shorter grace, the longer warning; yes before no; deny before
 * end-oldest, where it is said with a number that may not be exceeded. */
struct session_rules session_rules_stricter(const struct session_rules *a, const struct session_rules *b);
bool session_rules_equal(const struct session_rules *a, const struct session_rules *b);
