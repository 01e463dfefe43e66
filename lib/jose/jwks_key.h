/* SPDX-License-Identifier: MIT
 *
 * What is in a set of keys: for jws_verify.c alone.
 */
#pragma once

#include <openssl/evp.h>

#include "jose/jwks.h"

struct jwks_key {
	char kid[JWKS_KID_MAX]; /* "": it has none */
	EVP_PKEY *key;
	unsigned algorithms; /* JWS_… that its kind, its curve and its own `alg` leave */
};
struct jwks {
	unsigned references;
	uint32_t count;
	struct jwks_key keys[];
};
