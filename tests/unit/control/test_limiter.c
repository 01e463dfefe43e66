/* SPDX-License-Identifier: MIT
 *
 * Token buckets at given times, and who is one source.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "../unit.h"
#include "base/parse.h"
#include "control_plane/http/limiter.h"
#include "control_plane/http/source.h"

#define SECOND 1000000ULL

static void holds_back_and_refills(void **state)
{
	_cleanup_(limiter_destroyp) struct limiter *limiter = NULL;
	uint64_t now = 5;

	assert_int_equal(limiter_create(6, 60, &limiter), 0);
	for (int i = 0; i < 6; i++)
		assert_int_equal(limiter_take(limiter, LIMIT_SOURCE, "a", now), 0);
	assert_int_equal(limiter_take(limiter, LIMIT_SOURCE, "a", now), 10);
	assert_int_equal(limiter_ask(limiter, LIMIT_SOURCE, "a", now + 9 * SECOND), 1);
	assert_int_equal(limiter_ask(limiter, LIMIT_SOURCE, "a", now + 10 * SECOND), 0);
	assert_int_equal(limiter_take(limiter, LIMIT_SOURCE, "a", now + 10 * SECOND), 0);
	assert_int_equal(limiter_take(limiter, LIMIT_SOURCE, "a", now + 10 * SECOND), 10);
	/* Asking and being refused cost nothing. */
	assert_int_equal(limiter_take(limiter, LIMIT_SOURCE, "a", now + 20 * SECOND), 0);
	/* A long rest fills it, and no more than that. */
	now += 3600 * SECOND;
	for (int i = 0; i < 6; i++)
		assert_int_equal(limiter_take(limiter, LIMIT_SOURCE, "a", now), 0);
	assert_int_not_equal(limiter_take(limiter, LIMIT_SOURCE, "a", now), 0);
}

static void keys_and_kinds_are_apart(void **state)
{
	_cleanup_(limiter_destroyp) struct limiter *limiter = NULL;

	assert_int_equal(limiter_create(1, 2, &limiter), 0);
	assert_int_equal(limiter_take(limiter, LIMIT_SOURCE, "a", 0), 0);
	assert_int_equal(limiter_take(limiter, LIMIT_SOURCE, "a", 0), 60);
	assert_int_equal(limiter_take(limiter, LIMIT_SOURCE, "b", 0), 0);
	assert_int_equal(limiter_take(limiter, LIMIT_FAILURES, "a", 0), 0);
	assert_int_equal(limiter_take(limiter, LIMIT_PRINCIPAL, "a", 0), 0);
	assert_int_equal(limiter_take(limiter, LIMIT_PRINCIPAL, "a", 0), 0);
	assert_int_equal(limiter_take(limiter, LIMIT_PRINCIPAL, "a", 0), 30);
}

static void zero_is_without_limit(void **state)
{
	_cleanup_(limiter_destroyp) struct limiter *limiter = NULL;

	assert_int_equal(limiter_create(0, 0, &limiter), 0);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(limiter_take(limiter, LIMIT_SOURCE, "a", 0), 0);
}

/* A flood of sources must not free the one that is held back. */
static void a_flood_frees_nobody(void **state)
{
	_cleanup_(limiter_destroyp) struct limiter *limiter = NULL;
	char key[32];

	assert_int_equal(limiter_create(2, 0, &limiter), 0);
	assert_int_equal(limiter_take(limiter, LIMIT_SOURCE, "held", 0), 0);
	assert_int_equal(limiter_take(limiter, LIMIT_SOURCE, "held", 0), 0);
	for (int i = 0; i < 500000; i++) {
		snprintf(key, sizeof(key), "flood %d", i);
		(void)limiter_take(limiter, LIMIT_SOURCE, key, 0);
	}
	assert_int_not_equal(limiter_take(limiter, LIMIT_SOURCE, "held", 0), 0);
}

static const char *key_of(const char *text, char *out)
{
	struct in6_addr address;

	assert_int_equal(parse_address(text, &address), 0);
	return limiter_source_key(&address, out);
}

static void sources_are_networks_in_ipv6(void **state)
{
	char a[INET6_ADDRSTRLEN], b[INET6_ADDRSTRLEN];

	assert_string_equal(key_of("2001:db8:0:1::1", a), key_of("2001:db8:0:1:ffff::2", b));
	assert_string_not_equal(key_of("2001:db8:0:1::1", a), key_of("2001:db8:0:2::1", b));
	assert_string_not_equal(key_of("192.0.2.1", a), key_of("192.0.2.2", b));
}

static void finds_the_client(void **state)
{
	static const struct {
		const char *peer, *forwarded, *source;
	} cases[] = {
		{"192.0.2.1", NULL, "192.0.2.1"},
		/* Whoever is no trusted proxy may say what they like. */
		{"192.0.2.1", "198.51.100.1", "192.0.2.1"},
		{"10.0.0.1", NULL, "10.0.0.1"},
		{"10.0.0.1", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1"},
		{"10.0.0.1", "203.0.113.9,198.51.100.1 ,\t10.0.0.2", "198.51.100.1"},
		{"10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"},
		{"10.0.0.1", "2001:db8::1", "2001:db8::1"},
		{"10.0.0.1", "198.51.100.1, nonsense", "10.0.0.1"},
		{"10.0.0.1", "198.51.100.1:80", "10.0.0.1"},
		{"10.0.0.1", "nonsense, 10.0.0.2", "10.0.0.2"},
		{"10.0.0.1", "fe80::1%eth0", "10.0.0.1"},
		{"10.0.0.1", "", "10.0.0.1"},
		{"10.0.0.1", ",", "10.0.0.1"},
		{"10.0.0.1", "198.51.100.1,", "10.0.0.1"},
	};
	struct cidr block;
	struct cidr_list trusted = {.items = &block, .count = 1};

	assert_int_equal(parse_cidr("10.0.0.0/8", &block), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct in6_addr peer, source;
		char text[INET6_ADDRSTRLEN];

		assert_int_equal(parse_address(cases[i].peer, &peer), 0);
		source = source_find(&peer, &trusted, cases[i].forwarded);
		if (strcmp(source_format(&source, text), cases[i].source) != 0)
			fail_msg("case %zu: %s", i, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_back_and_refills),       cmocka_unit_test(keys_and_kinds_are_apart),
		cmocka_unit_test(zero_is_without_limit),        cmocka_unit_test(a_flood_frees_nobody),
		cmocka_unit_test(sources_are_networks_in_ipv6), cmocka_unit_test(finds_the_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
