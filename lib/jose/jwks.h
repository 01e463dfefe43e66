/* SPDX-License-Identifier: MIT
 *
 * Sets of other people's public keys (RFC 7517), ready to verify with. Strict where it matters (duplicate members, an
 * RSA modulus under 2048 or over 4096 bits, a point off its curve, a private key, a `kid` that two keys have: the set
 * is refused) and deaf where RFC 7517 asks for it (kinds of keys, curves and uses that we do not know are left out).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/problem.h"

#define JWKS_BYTES_MAX 262144U
#define JWKS_KEYS_MAX 32U
#define JWKS_KID_MAX 256U /* with NUL; a longer one makes the set bad */

/* Immutable once parsed, counted by reference (atomically): several threads may verify with one set at once. */
struct jwks;
/* 0; -EINVAL with the reason; -ENOMEM. A set in which nothing is left that we can use is an error. */
int jwks_parse(const char *text, size_t length, struct jwks **ret, struct problem *problem);
struct jwks *jwks_ref(struct jwks *keys);
void jwks_unref(struct jwks *keys); /* takes NULL */
DEFINE_CLEANUP(struct jwks, jwks_unref)
uint32_t jwks_count(const struct jwks *keys);
/* Has it a key of this name? */
bool jwks_has(const struct jwks *keys, const char *kid);
