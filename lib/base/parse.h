/* SPDX-License-Identifier: MIT
 *
 * Strict parsing of scalars. Each takes a whole terminated string: no leading or trailing space, no
 * sign where none belongs, no leading zeros, no locale. 0 on success; -EINVAL (not that), -ERANGE (too large).
 * `ret_*` is untouched on failure.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

int parse_u32(const char *text, uint32_t *ret);
int parse_u64(const char *text, uint64_t *ret);
/* The numbers at the beginning of a line of the kernel's, blanks before and between: what follows them, or NULL where
 * there are not so many. */
const char *parse_numbers(const char *text, unsigned long *numbers, unsigned count);
int parse_bool(const char *text, bool *ret); /* "true" or "false" */
/* "90s", "15min", "12h", "3d", "2w"; a bare number is refused except 0. Seconds. */
int parse_duration(const char *text, uint64_t *ret_seconds);
/* "64K", "2M", "1G" (powers of 1024) or bytes. */
int parse_size(const char *text, uint64_t *ret_bytes);
/* RFC 3339 with 'Z' or an offset, whole seconds, years 1970..9999; or a date alone ("2027-01-31":
 * midnight UTC). Seconds since the epoch. */
int parse_time(const char *text, int64_t *ret_seconds);
/* "2026-11-21T08:30:00Z" (21 bytes with NUL; more outside the years 0..9999). */
#define TIME_TEXT_SIZE 48
char *format_time(int64_t seconds, char out[TIME_TEXT_SIZE]);
/* "3 days", "2 hours", "1 minute", for messages to people. */
char *format_span(uint64_t seconds, char *out, size_t size);

/* An address block. IPv4 is kept as v4-mapped IPv6, so one compare serves both
 * (and ::/0 holds every address of either kind). */
struct cidr {
	struct in6_addr address; /* host bits zero */
	uint8_t prefix;          /* 0..128 */
};
/* "10.0.0.0/8", "2001:db8::/32", or one address. Set host bits are refused (-EINVAL). */
int parse_cidr(const char *text, struct cidr *ret);
int parse_address(const char *text, struct in6_addr *ret); /* also accepts %zone, dropped */
bool cidr_contains(const struct cidr *block, const struct in6_addr *address);
/* Canonical text; `out` holds CIDR_TEXT_SIZE. */
#define CIDR_TEXT_SIZE 52
char *format_cidr(const struct cidr *block, char out[CIDR_TEXT_SIZE]);
