/* SPDX-License-Identifier: MIT
 *
 * Signed notes as in c2sp.org/signed-note, Ed25519 only (signature type 0x01). docs/feed.md says how we use them.
 * Nothing is re-rendered: what was signed is the bytes that came.
 */
#pragma once

#include "base/buffer.h"
#include "base/problem.h"
#include "crypto/ed25519.h"

#define NOTE_BYTES_MAX 65536U
#define NOTE_SIGNATURES_MAX 16U
#define NOTE_KEY_NAME_MAX 256U /* with NUL */
#define NOTE_VKEY_MAX (NOTE_KEY_NAME_MAX + 64U)

/* A public key under its name. Plain value. */
struct note_key {
	char name[NOTE_KEY_NAME_MAX];
	uint32_t id; /* as in the signature: the four bytes, big-endian */
	uint8_t public[ED25519_PUBLIC_BYTES];
};
int note_key_init(struct note_key *ret, const char *name, const uint8_t public[ED25519_PUBLIC_BYTES]); /* -EINVAL */
int note_key_parse(const char *vkey, size_t length, struct note_key *ret); /* -EINVAL: form or key id */
int note_key_render(const struct note_key *key, char out[NOTE_VKEY_MAX]);

/* Appends to `note`, which holds the text (ending in a newline), the empty line where there is no signature yet, and
 * one signature. */
int note_sign(struct buffer *note, const struct note_key *key, const uint8_t secret[ED25519_SECRET_BYTES]);
/* The same with a signature that was made elsewhere, over the first note_text_length bytes. */
int note_add_signature(struct buffer *note, const struct note_key *key,
		       const uint8_t signature[ED25519_SIGNATURE_BYTES]);
size_t note_text_length(const struct buffer *note);

/* Splits and verifies. `ret_text_length`: the text, with its last newline, is the note's beginning. Bit i of
 * *ret_signers: keys[i] signed it (count at most 32). 0 with at least one bit; -EBADMSG: malformed, or one key signed
 * twice; -EKEYREJECTED: a known key's signature does not verify; -ENOKEY: none of the keys signed. `problem` says
 * which. */
int note_verify(const char *note, size_t length, const struct note_key *keys, uint32_t count, size_t *ret_text_length,
		uint32_t *ret_signers, struct problem *problem);
