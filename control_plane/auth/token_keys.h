/* SPDX-License-Identifier: MIT
 *
 * The keys of access tokens: made here, kept in the database with their private halves sealed, cached in memory.
 *
 * A key signs for 30 days. The next one is made a day before that, so hosts and readers of the JWKS have it before the
 * first token that it signs; tokens of the old one stay good until they end. Replicas share the keys: whoever comes
 * first makes the next one.
 *
 * Every tenant's feed lists the keys (`token_key`), so hosts verify access tokens by themselves. A thread of the
 * serving program brings feeds up to date: from the first tenant to the last, after each start and each change, one
 * transaction a tenant. Stopped in the middle it begins again, and finds most of it done.
 */
#pragma once

#include <jansson.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "base/problem.h"
#include "control_plane/app.h"
#include "jose/jwt.h"

/* The longest life that configuration may give a token. */
#define TOKEN_LIFETIME_MOST 86400U

struct change;
struct token_cache;

int token_keys_create(struct app *app, bool serving, struct token_keys **ret, struct problem *problem);
void token_keys_destroy(struct token_keys *keys); /* takes NULL */
DEFINE_CLEANUP(struct token_keys, token_keys_destroy)

/* Appends a token by the key whose time it is. `type`: "at+jwt", which token_keys_verify takes, or another, which it
 * does not. 0; -EAGAIN, -errno: no key could be had. */
int token_keys_sign(struct token_keys *keys, int64_t now, const char *type, json_t *claims, struct buffer *ret);
/* By any key that verifies at `now`, of type "at+jwt" for this audience. A key that is not known here is looked for in
 * the database first. */
enum jwt_fault token_keys_verify(struct token_keys *keys, int64_t now, const char *audience, const char *token,
				 size_t length, json_t **ret_claims);
/* Of tokens that these keys have verified; emptied whenever they are read anew. Lives as long as they do. */
struct token_cache *token_keys_cache(struct token_keys *keys);
/* {"keys": […]} (RFC 7517): those that verify now, and the one that will sign next. NULL: out of memory or no keys. */
json_t *token_keys_jwks(struct token_keys *keys, int64_t now);
/* For a new tenant's feed: all of them. */
int token_keys_put(struct token_keys *keys, int64_t now, struct change *change);
