/* SPDX-License-Identifier: MIT
 *
 * Identities that a first sign-in on this host bound to a user, because the tenant lets a verified address do so once.
 * A sealed file, written before the sign-in counts; what is in it is never changed by a later sign-in, only taken away
 * by root (`tenantctl sso unbind`) or with the user. What the directory lists about a user at an issuer stands before
 * it.
 */
#pragma once

#include <stdint.h>

#include "base/problem.h"
#include "crypto/seal.h"
#include "directory/directory.h"

#define BINDINGS_MAX 100000U

struct binding_entry {
	const char *tenant_id, *user_id, *issuer, *subject;
	int64_t at; /* wall clock */
};
struct bindings;
/* `path`: may be absent. A file that does not open (another key, damaged, not ours) stays where it is and is said:
 * BINDINGS_UNREADABLE with the problem. Nothing is bound then, and nothing can be, since a second first sign-in may be
 * somebody else's; that ends when root takes the file away, or the key is back, and the agent is started again.
 * `seal_key` NULL: nothing can be bound. */
#define BINDINGS_UNREADABLE 1
int bindings_open(const char *path, const struct seal_key *seal_key, struct bindings **ret, struct problem *problem);
void bindings_close(struct bindings *bindings); /* takes NULL */
/* NULL: none. Borrowed until the next change. */
const char *bindings_subject(const struct bindings *bindings, const char *user_id, const char *issuer);
const char *bindings_user(const struct bindings *bindings, const char *tenant_id, const char *issuer,
			  const char *subject);
/* On disk when it returns 0. -EEXIST: the user or the identity is bound already; -EROFS: cannot be kept; -ENOSPC …
 * Texts that are empty or have control characters: -EINVAL. */
int bindings_add(struct bindings *bindings, const struct binding_entry *entry);
/* All of a user's (issuer ""), or one. 0 and how many; or -errno, and nothing changed. */
int bindings_remove(struct bindings *bindings, const char *user_id, const char *issuer, uint32_t *ret_count);
/* NULL at the end. */
const struct binding_entry *bindings_next(const struct bindings *bindings, uint32_t *cursor);
/* Users that are not in the directory any more lose theirs. Only for tenants that are there (a feed that is away takes
 * nothing along), and not while sources contradict each other: who is left out for that is not gone. */
int bindings_sweep(struct bindings *bindings, const struct directory *d);
