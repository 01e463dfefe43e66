/* SPDX-License-Identifier: MIT
 *
 * Login hours, parsed and asked.
 */
#include "records/hours.h"

#include <errno.h>
#include <string.h>

#define MINUTES_PER_DAY 1440
#define SECONDS_PER_DAY 86400
#define DAYS 7
#define ALL_DAYS 0x7fU

static int read_day(const char **at)
{
	static const char names[DAYS][4] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

	for (int day = 0; day < DAYS; day++)
		if (strncmp(*at, names[day], 3) == 0) {
			*at += 3;
			return day;
		}
	return -EINVAL;
}

static int read_days(const char **at, uint8_t *ret)
{
	uint8_t days = 0;

	for (;;) {
		int first = read_day(at);
		int last = first;

		if (first < 0)
			return -EINVAL;
		if (**at == '-') {
			(*at)++;
			last = read_day(at);
			if (last < 0)
				return -EINVAL;
		}
		for (int day = first;; day = (day + 1) % DAYS) {
			days |= (uint8_t)(1U << day);
			if (day == last)
				break;
		}
		if (**at != ',')
			break;
		(*at)++;
	}
	*ret = days;
	return 0;
}

static int read_two_digits(const char *at)
{
	if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9')
		return -EINVAL;
	return (at[0] - '0') * 10 + (at[1] - '0');
}

static int read_minute(const char **at)
{
	int hour, minute;

	hour = read_two_digits(*at);
	if (hour < 0 || hour > 24 || (*at)[2] != ':')
		return -EINVAL;
	minute = read_two_digits(*at + 3);
	if (minute < 0 || minute > 59 || (hour == 24 && minute))
		return -EINVAL;
	*at += 5;
	return hour * 60 + minute;
}

int hours_parse(const char *text, struct hours *ret)
{
	struct hours hours = {.days = ALL_DAYS};
	const char *at = text;
	int first, last;

	if (!text)
		return -EINVAL;
	if (*at < '0' || *at > '9') {
		if (read_days(&at, &hours.days) < 0 || *at != ' ')
			return -EINVAL;
		at++;
	}
	first = read_minute(&at);
	if (first < 0 || first == MINUTES_PER_DAY || *at != '-')
		return -EINVAL;
	at++;
	last = read_minute(&at);
	if (last < 0 || *at)
		return -EINVAL;
	hours.first = (uint16_t)first;
	hours.last = (uint16_t)last;
	*ret = hours;
	return 0;
}

bool hours_contain(const struct hours *hours, int64_t time)
{
	int64_t day = time / SECONDS_PER_DAY;
	int64_t second = time % SECONDS_PER_DAY;
	unsigned weekday, before, minute;

	if (second < 0) { /* before 1970: a clock that was never set */
		second += SECONDS_PER_DAY;
		day--;
	}
	weekday = (unsigned)(((day + 3) % DAYS + DAYS) % DAYS); /* the epoch was a Thursday */
	before = (weekday + DAYS - 1) % DAYS;
	minute = (unsigned)(second / 60);
	if (hours->first < hours->last)
		return (hours->days >> weekday & 1U) && minute >= hours->first && minute < hours->last;
	return ((hours->days >> weekday & 1U) && minute >= hours->first) ||
	       ((hours->days >> before & 1U) && minute < hours->last);
}

bool hours_allow(const struct string_list *list, int64_t time)
{
	struct hours hours;

	if (list->count == 0)
		return true;
	for (uint32_t i = 0; i < list->count; i++)
		if (hours_parse(list->items[i], &hours) == 0 && hours_contain(&hours, time))
			return true;
	return false;
}
