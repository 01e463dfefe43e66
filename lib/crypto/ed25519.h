/* SPDX-License-Identifier: MIT
 *
 * Ed25519 signatures (RFC 8032) on OpenSSL. Keys are raw bytes; errors are 0 / -EIO (OpenSSL failed).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ED25519_PUBLIC_BYTES 32
#define ED25519_SECRET_BYTES 32 /* the seed */
#define ED25519_SIGNATURE_BYTES 64

/* The caller wipes `secret`. */
int ed25519_make(uint8_t secret[ED25519_SECRET_BYTES], uint8_t public[ED25519_PUBLIC_BYTES]);
int ed25519_sign(const uint8_t secret[ED25519_SECRET_BYTES], const void *data, size_t length,
		 uint8_t signature[ED25519_SIGNATURE_BYTES]);
/* 0: good; -EBADMSG: not this key's signature of this; -EIO. */
int ed25519_verify(const uint8_t public[ED25519_PUBLIC_BYTES], const void *data, size_t length,
		   const uint8_t signature[ED25519_SIGNATURE_BYTES]);
