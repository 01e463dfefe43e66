/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/parse.h"

static void numbers(void **state)
{
	static const struct {
		const char *text;
		int r32, r64;
		uint64_t value;
	} table[] = {
		{"0", 0, 0, 0},
		{"7", 0, 0, 7},
		{"4294967295", 0, 0, 4294967295U},
		{"4294967296", -ERANGE, 0, 4294967296U},
		{"18446744073709551615", -ERANGE, 0, UINT64_MAX},
		{"18446744073709551616", -ERANGE, -ERANGE, 0},
		{"99999999999999999999999", -ERANGE, -ERANGE, 0},
		{"99999999999999999999999x", -EINVAL, -EINVAL, 0},
		{"", -EINVAL, -EINVAL, 0},
		{"-1", -EINVAL, -EINVAL, 0},
		{"+1", -EINVAL, -EINVAL, 0},
		{" 1", -EINVAL, -EINVAL, 0},
		{"1 ", -EINVAL, -EINVAL, 0},
		{"1\n", -EINVAL, -EINVAL, 0},
		{"01", -EINVAL, -EINVAL, 0},
		{"09", -EINVAL, -EINVAL, 0},
		{"00", -EINVAL, -EINVAL, 0},
		{"0x10", -EINVAL, -EINVAL, 0},
		{"1e3", -EINVAL, -EINVAL, 0},
		{"1.0", -EINVAL, -EINVAL, 0},
		{"1,000", -EINVAL, -EINVAL, 0},
		{"\xD9\xA1", -EINVAL, -EINVAL, 0}, /* ARABIC-INDIC DIGIT ONE */
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		uint32_t small = 42;
		uint64_t large = 42;

		print_message("'%s'\n", table[i].text);
		assert_result(parse_u32(table[i].text, &small), table[i].r32);
		assert_int_equal(small, table[i].r32 == 0 ? table[i].value : 42);
		assert_result(parse_u64(table[i].text, &large), table[i].r64);
		assert_int_equal(large, table[i].r64 == 0 ? table[i].value : 42);
	}
}

static void booleans(void **state)
{
	static const char *const bad[] = {"",  "True", "TRUE",  "yes",   "no",       "1",
					  "0", "on",   " true", "true ", "truefalse"};
	bool value = false;

	assert_result(parse_bool("true", &value), 0);
	assert_true(value);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_result(parse_bool(bad[i], &value), -EINVAL);
		assert_true(value);
	}
	assert_result(parse_bool("false", &value), 0);
	assert_false(value);
}

struct unit_case {
	const char *text;
	int result;
	uint64_t value;
};

static void check_units(int (*parse)(const char *, uint64_t *), const struct unit_case *table, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = 42;

		print_message("'%s'\n", table[i].text);
		assert_result(parse(table[i].text, &value), table[i].result);
		assert_int_equal(value, table[i].result == 0 ? table[i].value : 42);
	}
}

static void durations(void **state)
{
	static const struct unit_case table[] = {
		{"0", 0, 0},
		{"0s", 0, 0},
		{"90s", 0, 90},
		{"15min", 0, 900},
		{"12h", 0, 43200},
		{"3d", 0, 259200},
		{"2w", 0, 1209600},
		{"18446744073709551615s", 0, UINT64_MAX},
		{"18446744073709551616s", -ERANGE, 0},
		{"18446744073709551615min", -ERANGE, 0},
		{"30500568904944w", -ERANGE, 0},
		{"1", -EINVAL, 0},
		{"90", -EINVAL, 0},
		{"99999999999999999999", -EINVAL, 0},
		{"", -EINVAL, 0},
		{"s", -EINVAL, 0},
		{"1m", -EINVAL, 0}, /* minutes or months? */
		{"1S", -EINVAL, 0},
		{"1 s", -EINVAL, 0},
		{"1h30min", -EINVAL, 0},
		{"1.5h", -EINVAL, 0},
		{"-1s", -EINVAL, 0},
		{"1ss", -EINVAL, 0},
		{"01s", -EINVAL, 0},
		{"99999999999999999999x", -EINVAL, 0},
	};

	check_units(parse_duration, table, ARRAY_LEN(table));
}

static void sizes(void **state)
{
	static const struct unit_case table[] = {
		{"0", 0, 0},
		{"1000", 0, 1000},
		{"64K", 0, 65536},
		{"2M", 0, 2097152},
		{"1G", 0, 1073741824},
		{"17179869183G", 0, 17179869183ULL << 30},
		{"17179869184G", -ERANGE, 0},
		{"18446744073709551616", -ERANGE, 0},
		{"64k", -EINVAL, 0},
		{"64KB", -EINVAL, 0},
		{"64KiB", -EINVAL, 0},
		{"K", -EINVAL, 0},
		{"", -EINVAL, 0},
		{"1T", -EINVAL, 0},
	};

	check_units(parse_size, table, ARRAY_LEN(table));
}

static void times(void **state)
{
	static const struct {
		const char *text;
		int result;
		int64_t value;
	} table[] = {
		{"1970-01-01T00:00:00Z", 0, 0},
		{"1970-01-01", 0, 0},
		{"2027-01-31", 0, 1801353600},
		{"2026-11-21T08:30:00Z", 0, 1795249800},
		{"2026-11-21T10:30:00+02:00", 0, 1795249800},
		{"2026-11-21T03:00:00-05:30", 0, 1795249800},
		{"2026-11-21T08:30:00-00:00", 0, 1795249800},
		{"2026-11-22T08:29:00+23:59", 0, 1795249800},
		{"2024-02-29", 0, 1709164800},
		{"2000-02-29T23:59:59Z", 0, 951868799},
		{"2000-03-01T00:00:00Z", 0, 951868800},
		{"9999-12-31T23:59:59Z", 0, 253402300799},
		{"2038-01-19T03:14:08Z", 0, 2147483648},
		{"2023-02-29", -EINVAL, 0},
		{"2100-02-29", -EINVAL, 0},
		{"2026-04-31", -EINVAL, 0},
		{"2026-00-10", -EINVAL, 0},
		{"2026-13-10", -EINVAL, 0},
		{"2026-01-00", -EINVAL, 0},
		{"2026-01-32", -EINVAL, 0},
		{"2026-01-01T24:00:00Z", -EINVAL, 0},
		{"2026-01-01T23:60:00Z", -EINVAL, 0},
		{"2026-06-30T23:59:60Z", -EINVAL, 0},
		{"2026-01-01T00:00:00+24:00", -EINVAL, 0},
		{"2026-01-01T00:00:00+00:60", -EINVAL, 0},
		{"2026-01-01T00:00:00", -EINVAL, 0},
		{"2026-01-01T00:00Z", -EINVAL, 0},
		{"2026-01-01T00:00:00.5Z", -EINVAL, 0},
		{"2026-01-01 00:00:00Z", -EINVAL, 0},
		{"2026-01-01t00:00:00z", -EINVAL, 0},
		{"2026-01-01T00:00:00Zx", -EINVAL, 0},
		{"2026-01-01T00:00:00+0200", -EINVAL, 0},
		{"2026-01-01T00:00:00+02", -EINVAL, 0},
		{"2026-01-01T00:00:00+02:00Z", -EINVAL, 0},
		{"2026-1-1", -EINVAL, 0},
		{"26-01-01", -EINVAL, 0},
		{"02026-01-01", -EINVAL, 0},
		{" 2026-01-01", -EINVAL, 0},
		{"2026-01-01 ", -EINVAL, 0},
		{"2026-01-01Z", -EINVAL, 0},
		{"2026/01/01", -EINVAL, 0},
		{"+2026-01-01", -EINVAL, 0},
		{"", -EINVAL, 0},
		{"now", -EINVAL, 0},
		{"1795249800", -EINVAL, 0},
		{"1969-12-31T23:59:59Z", -ERANGE, 0},
		{"0000-01-01", -ERANGE, 0},
		{"1970-01-01T00:00:00+00:01", -ERANGE, 0},
		{"9999-12-31T23:59:59-00:01", -ERANGE, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		int64_t value = 42;

		print_message("'%s'\n", table[i].text);
		assert_result(parse_time(table[i].text, &value), table[i].result);
		assert_int_equal(value, table[i].result == 0 ? table[i].value : 42);
	}
}

/* Every day of the range there and back, and each one after the other. */
static void calendar(void **state)
{
	char text[TIME_TEXT_SIZE], before[TIME_TEXT_SIZE] = "";

	for (int64_t day = 0; day <= 253402300799 / 86400; day++) {
		int64_t back = -1, at = day * 86400 + day % 86400;

		(void)format_time(at, text);
		assert_int_equal(strlen(text), 20);
		assert_true(strcmp(before, text) < 0);
		assert_result(parse_time(text, &back), 0);
		assert_int_equal(back, at);
		strcpy(before, text);
	}
	assert_string_equal(format_time(-1, text), "1969-12-31T23:59:59Z");
	/* Before the year that the calendar is counted from, and the day on which that year begins. */
	assert_string_equal(format_time(-62167219200, text), "0000-01-01T00:00:00Z");
	assert_string_equal(format_time(-62162035201, text), "0000-02-29T23:59:59Z");
	assert_string_equal(format_time(-62162035200, text), "0000-03-01T00:00:00Z");
	assert_string_equal(format_time(-62135596800, text), "0001-01-01T00:00:00Z");
	/* Whatever the number, the text fits and ends. */
	assert_true(strlen(format_time(INT64_MAX, text)) < TIME_TEXT_SIZE);
	assert_true(strlen(format_time(INT64_MIN, text)) < TIME_TEXT_SIZE);
}

static void spans(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} table[] = {
		{0, "0 seconds"},     {1, "1 second"},    {59, "59 seconds"}, {60, "1 minute"},
		{61, "61 seconds"},   {120, "2 minutes"}, {179, "2 minutes"}, {3600, "1 hour"},
		{5400, "90 minutes"}, {7200, "2 hours"},  {86400, "1 day"},   {86399, "23 hours"},
		{129600, "36 hours"}, {172800, "2 days"}, {259200, "3 days"}, {1209600, "14 days"},
	};
	char out[32], small[4];

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		assert_string_equal(format_span(table[i].seconds, out, sizeof(out)), table[i].text);
	assert_string_equal(format_span(7200, small, sizeof(small)), "2 h");
}

static void blocks(void **state)
{
	static const struct {
		const char *text;
		const char *canonical; /* NULL: refused */
	} table[] = {
		{"10.0.0.0/8", "10.0.0.0/8"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"10.1.2.3", "10.1.2.3"},
		{"10.1.2.3/32", "10.1.2.3"},
		{"10.1.2.2/31", "10.1.2.2/31"},
		{"::/0", "::/0"},
		{"::1", "::1"},
		{"2001:db8::/32", "2001:db8::/32"},
		{"2001:DB8:0::/32", "2001:db8::/32"},
		{"fe80::1/128", "fe80::1"},
		{"8000::/1", "8000::/1"},
		{"::ffff:10.0.0.0/104", "10.0.0.0/8"},
		{"10.0.0.1/8", NULL},
		{"10.1.2.3/31", NULL},
		{"2001:db8::1/32", NULL},
		{"10.0.0.0/33", NULL},
		{"::/129", NULL},
		{"10.0.0.0/", NULL},
		{"10.0.0.0/08", NULL},
		{"10.0.0.0/-1", NULL},
		{"10.0.0.0/ 8", NULL},
		{"10.0.0.0/8 ", NULL},
		{"10.0.0.0/8/8", NULL},
		{"10.0.0.0/255.0.0.0", NULL},
		{"/8", NULL},
		{"", NULL},
		{"10/8", NULL},
		{"10.0.0/24", NULL},
		{"010.0.0.0/8", NULL},
		{"256.0.0.0/8", NULL},
		{"10.0.0.0.0/8", NULL},
		{"fe80::1%eth0/128", NULL},
		{"localhost", NULL},
		{"1:2:3:4:5:6:7:8:9", NULL},
		{"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc", NULL},
		{"10.0.0.0/99999999999999999999", NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct cidr block = {.prefix = 77};
		char out[CIDR_TEXT_SIZE];
		int r = parse_cidr(table[i].text, &block);

		print_message("'%s'\n", table[i].text);
		if (table[i].canonical) {
			struct cidr again;

			assert_result(r, 0);
			assert_string_equal(format_cidr(&block, out), table[i].canonical);
			assert_result(parse_cidr(out, &again), 0);
			assert_memory_equal(&again.address, &block.address, sizeof(block.address));
			assert_int_equal(again.prefix, block.prefix);
		} else {
			assert_result(r, -EINVAL);
			assert_int_equal(block.prefix, 77);
		}
	}
}

static void contains(void **state)
{
	static const struct {
		const char *block, *address;
		bool inside;
	} table[] = {
		{"10.0.0.0/8", "10.255.255.255", true},
		{"10.0.0.0/8", "11.0.0.0", false},
		{"10.0.0.0/8", "9.255.255.255", false},
		{"10.0.0.0/8", "::ffff:10.1.2.3", true}, /* how a v4 peer looks on a v6 socket */
		{"10.0.0.0/8", "::10.1.2.3", false},
		{"10.0.0.0/8", "a00::", false},
		{"0.0.0.0/0", "255.255.255.255", true},
		{"0.0.0.0/0", "2001:db8::1", false},
		{"192.168.1.4/30", "192.168.1.7", true},
		{"192.168.1.4/30", "192.168.1.8", false},
		{"10.1.2.3", "10.1.2.3", true},
		{"10.1.2.3", "10.1.2.2", false},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
		{"fe80::/10", "fe80::1%eth0", true},
		{"::1", "::1", true},
		{"::1", "127.0.0.1", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct in6_addr address;
		struct cidr block;

		assert_result(parse_cidr(table[i].block, &block), 0);
		assert_result(parse_address(table[i].address, &address), 0);
		if (cidr_contains(&block, &address) != table[i].inside)
			fail_msg("%s in %s", table[i].address, table[i].block);
	}
}

static void addresses(void **state)
{
	static const char *const bad[] = {"",
					  "10.0.0.1%eth0",
					  "fe80::1%",
					  "fe80::1%a/b",
					  "fe80::1%a b",
					  "fe80::1%a%b",
					  "%eth0",
					  "host",
					  "10.0.0.1 ",
					  "10.0.0.1/32",
					  "UNKNOWN",
					  "10.0.0.1:22",
					  "[::1]",
					  "fe80::1%sixteen-bytes-xx"};
	struct in6_addr address;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		memset(&address, 7, sizeof(address));
		if (parse_address(bad[i], &address) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(address.s6_addr[3], 7);
	}
	assert_result(parse_address("fe80::1%fifteen-bytes-x", &address), 0);
	assert_result(parse_address("fe80::1%sixteen-bytes-xy", &address), -EINVAL);
	assert_result(parse_address("1.2.3.4", &address), 0);
	assert_memory_equal(address.s6_addr, "\0\0\0\0\0\0\0\0\0\0\xFF\xFF\1\2\3\4", 16);
}

static void lines_of_numbers(void **state)
{
	unsigned long numbers[3] = {0};

	(void)state;
	assert_string_equal(parse_numbers("         0 1879048200\t4294967295\n", numbers, 3), "\n");
	assert_int_equal(numbers[0], 0);
	assert_int_equal(numbers[1], 1879048200);
	assert_int_equal(numbers[2], 4294967295);
	assert_string_equal(parse_numbers("1 2 3 4", numbers, 3), " 4");
	assert_null(parse_numbers("1 2", numbers, 3));
	assert_null(parse_numbers("1 2 x", numbers, 3));
	assert_null(parse_numbers("", numbers, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_numbers), cmocka_unit_test(numbers),   cmocka_unit_test(booleans),
		cmocka_unit_test(durations),        cmocka_unit_test(sizes),     cmocka_unit_test(times),
		cmocka_unit_test(calendar),         cmocka_unit_test(spans),     cmocka_unit_test(blocks),
		cmocka_unit_test(contains),         cmocka_unit_test(addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
