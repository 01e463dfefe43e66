/* SPDX-License-Identifier: MIT
 *
 * Points in time as RFC 3339 text. The calendar is computed here: the C library's own functions read the
 * time zone from the environment.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

#define SECONDS_PER_DAY 86400
#define DAYS_PER_400_YEARS 146097
/* 1970-01-01 counted in days from 0000-03-01, where this file's years begin (so a leap day is the last). */
#define EPOCH_DAYS 719468
#define SECONDS_MAX 253402300799LL /* 9999-12-31T23:59:59Z */

static int64_t days_from_date(int64_t year, unsigned month, unsigned day)
{
	int64_t y = month <= 2 ? year - 1 : year; /* never negative here: years begin at 1970 */
	unsigned months = month <= 2 ? month + 9 : month - 3;

	return y * 365 + y / 4 - y / 100 + y / 400 + (153 * months + 2) / 5 + day - 1 - EPOCH_DAYS;
}

static void date_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day)
{
	int64_t era, year;
	unsigned of_era, of_year, months, years;

	days += EPOCH_DAYS;
	era = (days >= 0 ? days : days - (DAYS_PER_400_YEARS - 1)) / DAYS_PER_400_YEARS;
	of_era = (unsigned)(days - era * DAYS_PER_400_YEARS);
	/* Takes out the leap days before it, then it divides evenly. */
	years = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (365 * years + years / 4 - years / 100);
	months = (5 * of_year + 2) / 153;
	year = era * 400 + years;
	*ret_day = of_year - (153 * months + 2) / 5 + 1;
	*ret_month = months < 10 ? months + 3 : months - 9;
	*ret_year = *ret_month <= 2 ? year + 1 : year;
}

static unsigned days_of_month(unsigned year, unsigned month)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		return 29;
	return days[month - 1];
}

/* Reads by a pattern in which each '0' is a digit of the current number, a letter ends it, and every other
 * character stands for itself. Returns what follows, NULL when the text differs. */
static const char *match(const char *text, const char *pattern, unsigned *numbers)
{
	unsigned value = 0;
	bool digits = false;

	for (;; pattern++) {
		if (*pattern == '0') {
			if (*text < '0' || *text > '9')
				return NULL;
			value = value * 10 + (unsigned)(*text++ - '0');
			digits = true;
			continue;
		}
		if (digits)
			*numbers++ = value;
		value = 0;
		digits = false;
		if (*pattern == '\0')
			return text;
		if (*text++ != *pattern)
			return NULL;
	}
}

int parse_time(const char *text, int64_t *ret_seconds)
{
	unsigned date[3], time[3] = {0}, offset[2];
	int64_t seconds, shift = 0;
	const char *p;

	p = match(text, "0000-00-00", date);
	if (!p || date[1] < 1 || date[1] > 12 || date[2] < 1 || date[2] > days_of_month(date[0], date[1]))
		return -EINVAL;
	if (*p != '\0') {
		p = match(p, "T00:00:00", time);
		/* No leap seconds: POSIX time has no number for them. */
		if (!p || time[0] > 23 || time[1] > 59 || time[2] > 59)
			return -EINVAL;
		if (*p == '+' || *p == '-') {
			bool west = *p == '-';

			p = match(p + 1, "00:00", offset);
			if (!p || offset[0] > 23 || offset[1] > 59)
				return -EINVAL;
			shift = (int64_t)offset[0] * 3600 + offset[1] * 60;
			if (west)
				shift = -shift;
		} else if (*p++ != 'Z') {
			return -EINVAL;
		}
		if (*p != '\0')
			return -EINVAL;
	}
	if (date[0] < 1970)
		return -ERANGE;
	seconds = days_from_date(date[0], date[1], date[2]) * SECONDS_PER_DAY + (int64_t)time[0] * 3600 + time[1] * 60 +
		  time[2] - shift;
	if (seconds < 0 || seconds > SECONDS_MAX)
		return -ERANGE;
	*ret_seconds = seconds;
	return 0;
}

char *format_time(int64_t seconds, char out[TIME_TEXT_SIZE])
{
	int64_t days = seconds / SECONDS_PER_DAY, year;
	int rest = (int)(seconds % SECONDS_PER_DAY);
	unsigned month, day;

	if (rest < 0) {
		rest += SECONDS_PER_DAY;
		days--;
	}
	date_from_days(days, &year, &month, &day);
	(void)snprintf(out, TIME_TEXT_SIZE, "%04lld-%02u-%02uT%02d:%02d:%02dZ", (long long)year, month, day,
		       rest / 3600, rest / 60 % 60, rest % 60);
	return out;
}

char *format_span(uint64_t seconds, char *out, size_t size)
{
	static const struct {
		const char *name;
		uint64_t seconds;
	} units[] = {{"day", 86400}, {"hour", 3600}, {"minute", 60}, {"second", 1}};
	size_t i;

	/* The largest unit that loses less than half: 90 minutes stay 90 minutes. */
	for (i = 0; i < ARRAY_LEN(units) - 1; i++)
		if (seconds == units[i].seconds || seconds >= 2 * units[i].seconds)
			break;
	(void)snprintf(out, size, "%llu %s%s", (unsigned long long)(seconds / units[i].seconds), units[i].name,
		       seconds / units[i].seconds == 1 ? "" : "s");
	return out;
}
