/* SPDX-License-Identifier: MIT
 *
 * Percent-decoding of paths, queries and forms: strict, into printable UTF-8 only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

#define PERCENT_PLUS_IS_SPACE true /* as in queries and forms */

/* NULL: a broken escape, a control character (NUL, too), text that is not UTF-8; out of memory. */
const char *percent_decode(struct arena *arena, const char *text, size_t length, bool plus_is_space);
