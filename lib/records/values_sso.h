/* SPDX-License-Identifier: MIT
 *
 * Inside records: the rules of single values about identity providers and identities.
 */
#pragma once

#include "records/values.h"

/* As value_check, for VALUE_ISSUER and those after it. */
int value_check_sso(enum value_kind kind, const char *text, size_t length, struct value_fault *fault);
