/* SPDX-License-Identifier: MIT
 *
 * Signatures of RFC 7518 and RFC 8037 over bytes, on OpenSSL.
 */
#pragma once

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

/* `algorithm` is one JWS_… and fits the key's kind. Anything but a good signature, also no memory, is false. */
bool signature_check(EVP_PKEY *key, unsigned algorithm, const void *data, size_t length, const void *signature,
		     size_t signature_length);
