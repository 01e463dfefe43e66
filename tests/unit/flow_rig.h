/* SPDX-License-Identifier: MIT
 *
 * Sign-ins at a fake provider, on a clock that jumps over the waiting: a program that uses it wraps
 * clock_boottime_usec, and http_start, whose time limits are made twenty times shorter.
 */
#pragma once

#include "../fakes/fake_provider.h"
#include "base/clock.h"
#include "jws_fixture.h"
#include "oidc/flow.h"
#include "unit.h"

/* What came of one. */
struct flow_seen {
	unsigned prompts, ends;
	struct device_answer prompt;
	struct flow_result result;
	char steps[8192]; /* one line each: "+device …", "-poll …" */
	uint64_t ended_at;
};
struct flow_rig {
	struct fake_provider *provider;
	struct http *http;
	struct oidc_cache *cache;
	struct idp_record idp;
	struct oidc_client *client;
	unsigned key_sets; /* that the cache told of */
};
extern struct flow_rig rig;
extern uint64_t clock_ahead; /* microseconds that the boot clock was moved on */

int flow_setup(void **state); /* plain HTTP */
int flow_teardown(void **state);
#define FLOW_TEST(function) cmocka_unit_test_setup_teardown(function, flow_setup, flow_teardown)

/* Takes the record in rig.idp (again), and forgets what was cached. */
void flow_client(void);
void flow_http(const struct http_options *options); /* another HTTP client */
struct oidc_flow *flow_begin(struct flow_seen *seen);
/* Until the condition holds, at most so many seconds of that clock. False: it does not. */
#define flow_run(condition, seconds)                                            \
	({                                                                      \
		uint64_t end_ = clock_boottime_usec() + (seconds)*USEC_PER_SEC; \
		bool met_;                                                      \
		while (!(met_ = (condition)) && clock_boottime_usec() < end_)   \
			flow_turn(end_);                                        \
		met_;                                                           \
	})
void flow_turn(uint64_t end); /* one turn of the loop; the clock goes no further than `end` */
/* A whole one, to its end. */
struct flow_seen flow_whole(unsigned seconds);
bool flow_said(const struct flow_seen *seen, const char *text);
