/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <errno.h>

#include "base/macros.h"
#include "base/parse.h"
#include "records/hours.h"

static void accepted_and_refused(void **state)
{
	static const struct {
		const char *text;
		int result;
		unsigned days, first, last;
	} table[] = {
		{"mon-fri 08:00-18:00", 0, 0x1f, 480, 1080},
		{"sat,sun 10:00-14:30", 0, 0x60, 600, 870},
		{"fri-mon 00:00-24:00", 0, 0x71, 0, 1440},
		{"mon,wed-thu 09:05-09:06", 0, 0x0d, 545, 546},
		{"22:00-06:00", 0, 0x7f, 1320, 360},
		{"sun-sat 00:00-00:00", 0, 0x7f, 0, 0},
		{"", -EINVAL, 0, 0, 0},
		{NULL, -EINVAL, 0, 0, 0},
		{"mon-fri", -EINVAL, 0, 0, 0},
		{"mon-fri 8:00-18:00", -EINVAL, 0, 0, 0},
		{"mon-fri 08:00-18:00 ", -EINVAL, 0, 0, 0},
		{" mon-fri 08:00-18:00", -EINVAL, 0, 0, 0},
		{"mon-fri  08:00-18:00", -EINVAL, 0, 0, 0},
		{"Mon-Fri 08:00-18:00", -EINVAL, 0, 0, 0},
		{"monday 08:00-18:00", -EINVAL, 0, 0, 0},
		{"mon- 08:00-18:00", -EINVAL, 0, 0, 0},
		{"mon, 08:00-18:00", -EINVAL, 0, 0, 0},
		{"mon-tue-wed 08:00-18:00", -EINVAL, 0, 0, 0},
		{"mon-fri 08:00", -EINVAL, 0, 0, 0},
		{"mon-fri 08:60-18:00", -EINVAL, 0, 0, 0},
		{"mon-fri 24:00-18:00", -EINVAL, 0, 0, 0},
		{"mon-fri 08:00-24:01", -EINVAL, 0, 0, 0},
		{"mon-fri 25:00-26:00", -EINVAL, 0, 0, 0},
		{"mon-fri -8:00-18:00", -EINVAL, 0, 0, 0},
		{"08:00-18:00\n", -EINVAL, 0, 0, 0},
		{"08", -EINVAL, 0, 0, 0},
		{"08:", -EINVAL, 0, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct hours hours = {.days = 99};
		int r = hours_parse(table[i].text, &hours);

		if (r != table[i].result)
			fail_msg("\"%s\": %d", table[i].text ? table[i].text : "(null)", r);
		if (r < 0) {
			assert_int_equal(hours.days, 99); /* untouched */
			continue;
		}
		assert_int_equal(hours.days, table[i].days);
		assert_int_equal(hours.first, table[i].first);
		assert_int_equal(hours.last, table[i].last);
	}
}

static void the_minute_counts(void **state)
{
	static const struct {
		const char *hours, *time;
		bool inside;
	} table[] = {
		{"mon-fri 08:00-18:00", "2027-01-15T08:00:00Z", true}, /* a Friday */
		{"mon-fri 08:00-18:00", "2027-01-15T07:59:59Z", false},
		{"mon-fri 08:00-18:00", "2027-01-15T17:59:59Z", true},
		{"mon-fri 08:00-18:00", "2027-01-15T18:00:00Z", false},
		{"mon-fri 08:00-18:00", "2027-01-16T12:00:00Z", false},
		{"sat 00:00-24:00", "2027-01-16T23:59:59Z", true},
		{"sat 00:00-24:00", "2027-01-17T00:00:00Z", false},
		{"fri 22:00-06:00", "2027-01-15T23:00:00Z", true},
		{"fri 22:00-06:00", "2027-01-16T05:59:59Z", true}, /* Friday's night goes on into Saturday */
		{"fri 22:00-06:00", "2027-01-16T06:00:00Z", false},
		{"fri 22:00-06:00", "2027-01-15T05:00:00Z", false}, /* Thursday's would have */
		{"sun 23:00-01:00", "2027-01-18T00:30:00Z", true},  /* over the week's end */
		{"mon-sun 00:00-00:00", "2027-01-18T00:30:00Z", true},
		{"thu 00:00-24:00", "1970-01-01T00:00:00Z", true},
		{"mon 00:00-24:00", "2024-02-29T12:00:00Z", false}, /* a Thursday */
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct hours hours;
		int64_t time;

		assert_result(hours_parse(table[i].hours, &hours), 0);
		assert_result(parse_time(table[i].time, &time), 0);
		if (hours_contain(&hours, time) != table[i].inside)
			fail_msg("%s at %s", table[i].hours, table[i].time);
	}
}

static void lists(void **state)
{
	static const char *two[] = {"mon 08:00-09:00", "fri 08:00-09:00"};
	static const char *bad[] = {"whenever"};

	assert_true(hours_allow(&(struct string_list){0}, 0));
	assert_true(hours_allow(&(struct string_list){two, 2}, 1800000000));
	assert_false(hours_allow(&(struct string_list){two, 2}, 1800000000 + 3600));
	assert_false(hours_allow(&(struct string_list){bad, 1}, 1800000000)); /* fails closed */
	assert_false(hours_allow(&(struct string_list){two, 2}, -86400));     /* a clock before its time */
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted_and_refused),
		cmocka_unit_test(the_minute_counts),
		cmocka_unit_test(lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
