/* SPDX-License-Identifier: MIT
 *
 * What leaves and the patches beside them have in common.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

/* No text in it, and no name, has what a terminal or a reader of lines would stumble over. */
bool leaf_is_clean(const json_t *value);
