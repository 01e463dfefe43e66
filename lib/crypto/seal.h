/* SPDX-License-Identifier: MIT
 *
 * Sealed files: AES-256-GCM under a key of this host, for what must rest on disk. Layout: 8 bytes
 * magic "TNTSEAL1", 16 bytes random salt, 12 bytes nonce, ciphertext, 16 bytes tag. Each sealing
 * derives its own AES key by HKDF-SHA256(host key, salt, purpose), so a nonce can never repeat under a
 * key and one purpose's file cannot be passed off as another's. The header is authenticated too.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

#define SEAL_KEY_BYTES 32

struct seal_key {
	uint8_t bytes[SEAL_KEY_BYTES];
};
/* Appends the sealed form to `ret`. 0, -ENOMEM, -EIO. */
int seal(const struct seal_key *key, const char *purpose, const void *data, size_t length, struct buffer *ret);
/* Turns what the buffer holds into its sealed form, without a second copy of it. The same results; what it holds after
 * a failure is of no use. */
int seal_in_place(const struct seal_key *key, const char *purpose, struct buffer *buffer);
/* Appends the plain form. -EBADMSG: not sealed by this key for this purpose, or changed. */
int unseal(const struct seal_key *key, const char *purpose, const void *data, size_t length, struct buffer *ret);
