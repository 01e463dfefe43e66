/* SPDX-License-Identifier: MIT
 *
 * One-time sign-in codes as text: twelve digits of Crockford's base 32 (60 random bits), shown as "XXXX-XXXX-XXXX".
 * Case, dashes and spaces do not matter, and the letters that look like digits (I, L, O) are taken for them. What a
 * code is good for is known to the login book alone (login/codes.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define CODE_DIGITS 12U
#define CODE_TEXT_SIZE (CODE_DIGITS + 3U) /* two dashes and a NUL */

bool code_has_shape(const char *text, size_t length);
/* The digits alone, in one spelling, and a NUL; false: no code. The caller wipes them. */
bool code_normalise(const char *text, size_t length, char digits[CODE_DIGITS + 1]);
/* A new one, as digits and as people read it. 0, or the kernel's word that it has no random bytes. */
int code_random(char digits[CODE_DIGITS + 1], char text[CODE_TEXT_SIZE]);
