/* SPDX-License-Identifier: MIT
 *
 * Time. Spans and deadlines are CLOCK_BOOTTIME (they go on during suspend and never jump); points
 * that people set (not_after) are CLOCK_REALTIME.
 */
#pragma once

#include <stdint.h>

#define USEC_PER_SEC 1000000ULL
#define USEC_PER_MSEC 1000ULL

uint64_t clock_boottime_usec(void);
int64_t clock_realtime_sec(void);
uint64_t clock_realtime_usec(void);
