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
