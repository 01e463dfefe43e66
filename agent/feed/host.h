/* SPDX-License-Identifier: MIT
 *
 * Who this host is to its control plane: a P-256 key that was made here and never leaves, the id that enrolment gave,
 * the
 * tenants that were assigned last, and who may assign them. Rests sealed in <state>/host.identity.
 */
#pragma once

#include "base/problem.h"
#include "crypto/digest.h"
#include "crypto/note.h"
#include "crypto/seal.h"
#include "feed/feeds.h"
#include "jose/jwt.h"

#define HOST_TENANTS_MAX 64U

struct host_identity {
	char url[512]; /* without a slash at its end */
	char host_id[64];
	struct jwt_private key; /* secret */
	char tenants[HOST_TENANTS_MAX][FEED_TENANT_ID_MAX];
	uint32_t tenant_count;
	char authority[NOTE_VKEY_MAX]; /* whose word on what this host serves counts; "": nobody's */
	uint64_t assignment_version;   /* of the last such word that was taken, and its text's hash */
	uint8_t assignment_digest[SHA256_BYTES];
	char disabled[FEED_PROBLEM_MAX]; /* why this host was taken out of service; then there is no key. "": it was not
					  */
};
/* 0; -ENOENT: none is kept; -EBADMSG: what is kept cannot be used; or errno. */
int host_identity_load(const char *state_dir, const struct seal_key *key, struct host_identity *ret);
/* Replaces what is there, or leaves it as it was. */
int host_identity_store(const char *state_dir, const struct seal_key *key, const struct host_identity *identity);
void host_identity_wipe(const char *state_dir);
void host_identity_finish(struct host_identity *identity); /* forgets the key in memory */
