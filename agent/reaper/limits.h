/* SPDX-License-Identifier: MIT
 *
 * Limits of sessions: may one more be opened, and when does one end by itself. Pure: tables and clocks come in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "directory/directory.h"
#include "reaper/cause.h"
#include "session/session.h"

/* What the host itself wants, from agent.yaml. */
struct host_limits {
	struct session_rules rules;
	uint32_t max;             /* sessions of all tenants' people; 0: no limit of its own */
	struct string_list hours; /* as login_hours of tenants; empty: always */
};
/* A host that wants nothing: the tenants' own warning and grace times count. */
struct host_limits host_limits_none(void);

/* The tenant's rules and the host's: the stricter of each. Either may be NULL. */
struct session_rules limits_rules(const struct host_limits *host, const struct tenant_record *tenant);

enum limits_answer { LIMITS_FINE, LIMITS_DENY, LIMITS_END_OLDEST };
struct limits_admission {
	enum limits_answer answer;
	char message[160];            /* LIMITS_DENY: which limit, for the person */
	const struct session *oldest; /* LIMITS_END_OLDEST: end it (END_TOO_MANY), and ask again */
};
/* Sessions that are being ended, left behind by their leader, or within another one (sudo, su, a service manager) do
 * not count. `counts` says of a session whether it does, by its service. Each limit goes by the `over` of whose it is.
 *
 * The oldest that gives way is the person's own where they have any under that limit, else one of their tenant's, and
 * never another tenant's: else whoever signs in again and again would end everybody's. */
void limits_admit(const struct host_limits *host, const struct tenant_record *tenant, const struct session_table *table,
		  const char *user_id, bool (*counts)(const struct session *session), struct limits_admission *ret);

/* The next end that can be foreseen, and when to say so. */
struct limits_deadline {
	enum end_cause cause; /* END_NONE: there is none */
	uint64_t at;          /* CLOCK_BOOTTIME, microseconds */
	uint64_t warn_at;     /* 0: no warning */
};
struct limits_clock {
	uint64_t boot_usec;
	int64_t realtime;
};
/* When it was opened (boot time). The clock on the wall is asked about what an older agent opened, and about nothing
 * else: set forth it would end everybody, set back nobody. */
uint64_t limits_opened(const struct session *session, const struct limits_clock *now);
/* Of age, hours, key and grant; idle time is asked for when it would be due (session/idle.h), so `idle_since_usec`
 * (boot time; 0: not known) comes in. What is left behind has nobody who could be idle. A warning comes at the earliest
 * when half of an idle or age limit is over. */
struct limits_deadline limits_next(const struct host_limits *host, const struct directory *d,
				   const struct session *session, uint64_t idle_since_usec,
				   const struct limits_clock *now);
