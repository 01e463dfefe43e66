/* SPDX-License-Identifier: MIT
 *
 * Public keys from their numbers, as JWKs have them (RFC 7518, RFC 8037), checked before anything is verified with
 * them. 0; -EINVAL: no such key; -EIO: could not be checked.
 */
#pragma once

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

DEFINE_CLEANUP(EVP_PKEY, EVP_PKEY_free)
DEFINE_CLEANUP(EVP_PKEY_CTX, EVP_PKEY_CTX_free)

#define PUBLIC_KEY_RSA_BITS_MIN 2048
#define PUBLIC_KEY_RSA_BITS_MAX 4096 /* checking one takes 15 ms, of twice the size 100 */
#define PUBLIC_KEY_EXPONENT_BYTES_MAX 4
#define PUBLIC_KEY_ED25519_BYTES 32
#define PUBLIC_KEY_P256_BYTES 32

/* A point of the curve P-256. */
int public_key_p256(const uint8_t x[PUBLIC_KEY_P256_BYTES], const uint8_t y[PUBLIC_KEY_P256_BYTES], EVP_PKEY **ret);
/* Big-endian numbers, without zero bytes before them; the exponent odd and at least 65537. */
int public_key_rsa(const uint8_t *modulus, size_t modulus_length, const uint8_t *exponent, size_t exponent_length,
		   EVP_PKEY **ret);
/* None of the points for which anybody can sign (those of small order). */
int public_key_ed25519(const uint8_t key[PUBLIC_KEY_ED25519_BYTES], EVP_PKEY **ret);
