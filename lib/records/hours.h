/* SPDX-License-Identifier: MIT
 *
 * Login hours: "mon-fri 08:00-18:00", "sat,sun 10:00-14:00", "22:00-06:00" (every day). Always UTC, so that
 * one directory means the same on every host.
 *
 * Days are mon tue wed thu fri sat sun, alone, as a range (which may wrap: "fri-mon") or as a list of both.
 * The span is from the first minute up to but not including the last; 24:00 is the end of the day. One
 * that ends at or before its start runs on into the next day. Without days: every day.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "records/records.h"

struct hours {
	uint8_t days;         /* bit 0: Monday */
	uint16_t first, last; /* minutes of the day; last <= first: into the next day */
};

/* 0; -EINVAL: not of the form (*ret untouched). */
int hours_parse(const char *text, struct hours *ret);
bool hours_contain(const struct hours *hours, int64_t time);
/* Inside any of them? An empty list is "always"; a line that does not parse contains nothing. */
bool hours_allow(const struct string_list *list, int64_t time);
