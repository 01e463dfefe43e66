/* SPDX-License-Identifier: MIT
 *
 * Who signs for feeds. The publisher hands over what shall be signed and the name of a key, and never sees a secret, so
 * another signer can stand here: a separate process behind a socket, or a PKCS#11 token.
 *
 * `stored` is what the database keeps beside a public key (feed_keys.sealed). It is the signer's own: the one below
 * keeps the seed in it, sealed by the platform's key; one with a token would keep the object's label. A signer that
 * lives elsewhere answers -EAGAIN while it is away, and the request is run again.
 *
 * Thread-safe.
 */
#pragma once

#include "base/buffer.h"
#include "base/macros.h"
#include "crypto/note.h"
#include "crypto/seal.h"

struct signer;
struct signer_class {
	/* A new key called `name`: its public half, and what to keep (appended). */
	int (*make)(struct signer *signer, const char *name, struct note_key *ret, struct buffer *ret_stored);
	/* Makes a kept key ready. Any number of times. -EBADMSG: not a key of this signer. */
	int (*load)(struct signer *signer, const struct note_key *key, const void *stored, size_t length);
	/* -ENOKEY: not ready. */
	int (*sign)(struct signer *signer, const struct note_key *key, const void *data, size_t length,
		    uint8_t signature[ED25519_SIGNATURE_BYTES]);
	void (*destroy)(struct signer *signer); /* takes NULL */
};
struct signer {
	const struct signer_class *class;
};

/* Keys in this process: unsealed into locked memory when first needed, wiped at the end. */
int signer_sealed_create(const struct seal_key *seal_key, struct signer **ret);
void signer_destroy(struct signer *signer); /* takes NULL */
DEFINE_CLEANUP(struct signer, signer_destroy)

/* Signs a note with one key. */
int signer_sign_note(struct signer *signer, const struct note_key *key, struct buffer *note);
