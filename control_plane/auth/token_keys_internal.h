/* SPDX-License-Identifier: MIT
 *
 * What the parts of token_keys share.
 */
#pragma once

#include "control_plane/auth/token_keys.h"

#define TOKEN_KEYS_MAX 16

struct token_key {
	struct jwt_private key;
	int64_t signs_from, signs_until, verifies_until;
};
struct token_key_public {
	struct jwt_public key;
	int64_t verifies_until;
};
/* Those that verify at `now`. */
uint32_t token_keys_copy(struct token_keys *keys, int64_t now, struct token_key_public ret[TOKEN_KEYS_MAX]);
