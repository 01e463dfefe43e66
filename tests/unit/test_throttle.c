/* SPDX-License-Identifier: MIT
 *
 * Attackers and victims, by a clock of our own.
 */
#include "unit.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/macros.h"
#include "login/throttle.h"

#define SECOND USEC_PER_SEC
#define START (1000 * SECOND)

static struct throttle *throttle;
static uint64_t now;

static int setup(void **state)
{
	now = START;
	return throttle_create(&throttle);
}

static int teardown(void **state)
{
	throttle_destroy(throttle);
	return 0;
}

static uint64_t wait_for(const char *user, const char *source)
{
	struct throttle_key key = throttle_key_login(user, source);
	struct throttle_state s;

	throttle_ask(throttle, &key, now, &s);
	return s.wait_usec;
}

static struct throttle_state failing(const char *user, const char *source)
{
	struct throttle_key key = throttle_key_login(user, source);
	struct throttle_state s;

	throttle_failed(throttle, &key, now, &s);
	return s;
}

/* Fails as often as the throttle lets it within the time; returns how often it could try. */
static unsigned hammer(const char *user, const char *source, uint64_t until)
{
	unsigned tries = 0;

	while (now < until) {
		uint64_t wait = wait_for(user, source);

		if (wait > 0) {
			now += wait;
			continue;
		}
		now += failing(user, source).delay_usec;
		tries++;
	}
	return tries;
}

static void delays_and_waits_grow(void **state)
{
	static const uint64_t delays[] = {500, 1000, 2000, 4000, 4000, 4000};
	static const uint64_t waits[] = {0, 0, 0, 2, 4, 8};

	for (size_t i = 0; i < ARRAY_LEN(delays); i++) {
		struct throttle_state s = failing("alice", "192.0.2.1");

		assert_int_equal(s.delay_usec, delays[i] * USEC_PER_MSEC);
		assert_int_equal(s.wait_usec, waits[i] * SECOND);
		assert_int_equal(wait_for("alice", "192.0.2.1"), waits[i] * SECOND);
		now += waits[i] * SECOND;
	}
	assert_int_equal(wait_for("alice", "192.0.2.1"), 0);
}

static void a_wait_has_a_most(void **state)
{
	struct throttle_state s = {0};

	for (int i = 0; i < 100; i++) {
		s = failing("alice", "192.0.2.1");
		now += s.wait_usec;
	}
	assert_in_range(s.wait_usec, 300 * SECOND, 900 * SECOND);
}

static void an_attacker_has_few_tries(void **state)
{
	unsigned tries = hammer("alice", "192.0.2.66", START + 3600 * SECOND);

	assert_in_range(tries, 3, 30); /* in an hour */
}

static void the_victim_elsewhere_is_never_refused(void **state)
{
	struct throttle_key victim = throttle_key_login("alice", "198.51.100.7");
	struct throttle_state s;
	char source[32];

	/* A thousand attackers at once, each at the limit of what he may. */
	for (int round = 0; round < 20; round++)
		for (int i = 0; i < 1000; i++) {
			snprintf(source, sizeof(source), "10.0.%d.%d", i / 250, i % 250);
			if (wait_for("alice", source) == 0)
				failing("alice", source);
			throttle_ask(throttle, &victim, now, &s);
			assert_int_equal(s.wait_usec, 0);
			assert_in_range(s.delay_usec, 0, 1500 * USEC_PER_MSEC); /* a moment */
		}
}

static void a_source_that_tries_many_users_waits(void **state)
{
	char user[16];
	unsigned tries = 0;

	while (wait_for("alice", "192.0.2.66") == 0 && tries < 1000) {
		snprintf(user, sizeof(user), "user%u", tries++);
		failing(user, "192.0.2.66");
	}
	assert_in_range(tries, 20, 25);
	assert_int_equal(wait_for("alice", "192.0.2.67"), 0); /* the neighbour is not the attacker */
}

static void signing_in_to_an_own_account_between_does_not_help(void **state)
{
	struct throttle_key own = throttle_key_login("mallory", "192.0.2.66");
	char user[16];

	for (unsigned i = 0; i < 30; i++) {
		snprintf(user, sizeof(user), "user%u", i);
		failing(user, "192.0.2.66");
		throttle_succeeded(throttle, &own, now);
	}
	assert_true(wait_for("mallory", "192.0.2.66") > 0);
}

static void an_ipv6_network_is_one_source(void **state)
{
	char source[64];

	for (int i = 0; i < 10; i++) {
		snprintf(source, sizeof(source), "2001:db8:1:2::%x", i + 1);
		failing("alice", source);
	}
	assert_true(wait_for("alice", "2001:db8:1:2:ffff::1") > 0);
	assert_int_equal(wait_for("alice", "2001:db8:1:3::1"), 0);
	/* IPv4 has its own: the neighbour in the /64 of mapped addresses is a stranger. */
	for (int i = 0; i < 10; i++)
		failing("alice", "192.0.2.1");
	assert_int_equal(wait_for("alice", "192.0.2.2"), 0);
	/* One address is one source, however it is written. */
	assert_true(wait_for("alice", "::ffff:192.0.2.1") > 0);
}

/* Whoever has a shell here has sixteen million addresses to come from. */
static void this_host_is_one_source(void **state)
{
	char source[32];

	for (unsigned i = 0; i < 4; i++) {
		snprintf(source, sizeof(source), "127.0.%u.%u", i, i + 1);
		failing("alice", source);
	}
	assert_true(wait_for("alice", "127.200.3.4") > 0);
	assert_true(wait_for("alice", "::ffff:127.0.0.1") > 0);
	assert_true(wait_for("alice", "::1") > 0);
	assert_int_equal(wait_for("alice", "128.0.0.1"), 0);
	assert_int_equal(wait_for("alice", "::2"), 0);
}

static void counts_fade(void **state)
{
	for (int i = 0; i < 4; i++)
		failing("alice", "192.0.2.1");
	now += 2 * SECOND;
	assert_int_equal(failing("alice", "192.0.2.1").wait_usec, 4 * SECOND);
	now += 3600 * SECOND;
	for (int i = 0; i < 3; i++)
		assert_int_equal(failing("alice", "192.0.2.1").wait_usec, 0);
	/* A clock that stands still, or a question from the past, does not underflow into forgiveness. */
	now -= 100 * SECOND;
	assert_int_equal(failing("alice", "192.0.2.1").wait_usec, 2 * SECOND);
}

static void success_clears_the_pair(void **state)
{
	struct throttle_key key = throttle_key_login("alice", "192.0.2.1");

	for (int i = 0; i < 3; i++)
		failing("alice", "192.0.2.1");
	throttle_succeeded(throttle, &key, now);
	for (int i = 0; i < 3; i++)
		assert_int_equal(failing("alice", "192.0.2.1").wait_usec, 0);
	assert_true(failing("alice", "192.0.2.1").wait_usec > 0);
}

static void flooding_the_table_frees_nobody(void **state)
{
	struct throttle_key own = throttle_key_login("alice", "192.0.2.66");
	struct throttle_state s;
	char source[32];

	for (int i = 0; i < 12; i++) {
		s = failing("alice", "192.0.2.66");
		now += s.wait_usec;
	}
	now -= s.wait_usec;
	/* A hundred times the table, one failure each: every source that he can hope to have. */
	for (unsigned i = 0; i < 400000; i++) {
		snprintf(source, sizeof(source), "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
		failing("alice", source);
	}
	throttle_ask(throttle, &own, now, &s);
	assert_true(s.wait_usec > 0);
}

static void a_wait_is_told_once(void **state)
{
	struct throttle_key key = throttle_key_login("alice", "192.0.2.1");
	struct throttle_state s;

	for (int i = 0; i < 4; i++)
		failing("alice", "192.0.2.1");
	throttle_ask(throttle, &key, now, &s);
	assert_true(s.first);
	throttle_ask(throttle, &key, now + 1, &s);
	assert_true(s.wait_usec > 0);
	assert_false(s.first);
}

static void callers_count_apart(void **state)
{
	struct throttle_key hostile = throttle_key_caller(1000, "198.51.100.7");
	struct throttle_key service = throttle_key_caller(33, "198.51.100.7");
	struct throttle_state s;

	/* A local program that lies about the source locks nobody but itself out. */
	for (int i = 0; i < 50; i++)
		throttle_failed(throttle, &hostile, now, &s);
	throttle_ask(throttle, &hostile, now, &s);
	assert_true(s.wait_usec > 0);
	throttle_ask(throttle, &service, now, &s);
	assert_int_equal(s.wait_usec, 0);
	assert_int_equal(wait_for("alice", "198.51.100.7"), 0);
}

static void nowhere_waits_for_nobody(void **state)
{
	struct throttle_key key = throttle_key_login("alice", NULL);
	struct throttle_state s;

	for (int i = 0; i < 100; i++) {
		throttle_ask(throttle, &key, now, &s);
		assert_int_equal(s.wait_usec, 0);
		throttle_failed(throttle, &key, now, &s);
		assert_int_equal(s.wait_usec, 0);
	}
	assert_in_range(s.delay_usec, 1, 1500 * USEC_PER_MSEC);
	assert_int_equal(wait_for("alice", "192.0.2.1"), 0);
	assert_int_equal(wait_for("alice", ""), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(delays_and_waits_grow),
		TEST(a_wait_has_a_most),
		TEST(an_attacker_has_few_tries),
		TEST(the_victim_elsewhere_is_never_refused),
		TEST(a_source_that_tries_many_users_waits),
		TEST(signing_in_to_an_own_account_between_does_not_help),
		TEST(an_ipv6_network_is_one_source),
		TEST(this_host_is_one_source),
		TEST(counts_fade),
		TEST(success_clears_the_pair),
		TEST(flooding_the_table_frees_nobody),
		TEST(a_wait_is_told_once),
		TEST(callers_count_apart),
		TEST(nowhere_waits_for_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
