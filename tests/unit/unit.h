/* SPDX-License-Identifier: MIT
 *
 * What cmocka wants included before itself, and checks that say more than "not equal".
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* For results of functions that give 0 or -errno: fails with both in decimal. */
#define assert_result(expression, expected) assert_int_equal((expression), (expected))

/* Defined where the address sanitizer is in; gcc and clang say so in ways of their own. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif
