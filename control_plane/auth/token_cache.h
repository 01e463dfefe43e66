/* SPDX-License-Identifier: MIT
 *
 * Access tokens whose signatures were found good a moment ago: a host shows the same one with every question, and to
 * verify a signature costs more than all the rest of an answer. Only what is written in the token is kept here. Whether
 * it is still in force (revoked, its owner suspended) is asked of the database each time, as ever.
 *
 * A table of fixed size; any thread. Tokens are known by their SHA-256, so the table holds none.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "control_plane/auth/access_token.h"
#include "crypto/digest.h"

#define TOKEN_CACHE_TEXT 28 /* ids with their prefix, jti; with a NUL */

struct token_cache;
struct cached_token {
	enum access_kind kind;
	char id[TOKEN_CACHE_TEXT], subject[TOKEN_CACHE_TEXT], tenant_id[TOKEN_CACHE_TEXT]; /* tenant_id "": none */
	int64_t issued, expires;
};

int token_cache_create(struct token_cache **ret);
void token_cache_destroy(struct token_cache *cache); /* takes NULL */
DEFINE_CLEANUP(struct token_cache, token_cache_destroy)

/* To be asked for before a token is verified. */
uint64_t token_cache_generation(struct token_cache *cache);
/* Forgotten at once where the keys were read anew since `generation`. */
void token_cache_put(struct token_cache *cache, uint64_t generation, const uint8_t digest[SHA256_BYTES],
		     const struct cached_token *token);
bool token_cache_find(struct token_cache *cache, const uint8_t digest[SHA256_BYTES], struct cached_token *ret);
/* The keys were read anew: what they verified before proves nothing any more. */
void token_cache_clear(struct token_cache *cache);
