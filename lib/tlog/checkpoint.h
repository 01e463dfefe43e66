/* SPDX-License-Identifier: MIT
 *
 * Checkpoints (c2sp.org/tlog-checkpoint) and cosignatures of witnesses (c2sp.org/tlog-cosignature, v1, Ed25519).
 */
#pragma once

#include "base/buffer.h"
#include "base/problem.h"
#include "crypto/note.h"
#include "tlog/tlog.h"

#define CHECKPOINT_ORIGIN_MAX 256U /* with NUL */
#define CHECKPOINT_BYTES_MAX 16384U

struct checkpoint {
	char origin[CHECKPOINT_ORIGIN_MAX];
	uint64_t size;
	struct tlog_hash root;
};
/* The text, without signatures: appends. Sign it with note_sign, or what stands for it. */
int checkpoint_write(const struct checkpoint *checkpoint, struct buffer *ret); /* 0, -EINVAL, -ENOMEM */
/* Reads a note that one of `keys` signed whose name is `origin`. 0; -EBADMSG: malformed; -ENOKEY: none of them signed;
 * -EKEYREJECTED: a signature that does not verify; -EREMCHG: signed, and another log's. Lines of extensions and
 * signatures of others are skipped. */
int checkpoint_read(const char *note, size_t length, const char *origin, const struct note_key *keys, uint32_t count,
		    struct checkpoint *ret, struct problem *problem);
/* The origin that it names, of which nothing is verified: to find the keys. 0, -EBADMSG. */
int checkpoint_origin(const char *note, size_t length, char ret[CHECKPOINT_ORIGIN_MAX]);

/* Cosignatures: a signature line by `key` (a note_key; the line's key id is that of type 0x04) over the checkpoint's
 * text at a time. `text_length`: of the note's text without signatures. */
int cosignature_write(const char *note, size_t text_length, const struct note_key *key,
		      const uint8_t secret[ED25519_SECRET_BYTES], int64_t time, struct buffer *ret_line);
/* The same for who has the key elsewhere (agent/spool/spool.h): what is to be signed, and the line with the signature.
 */
int cosignature_message(const char *note, size_t text_length, int64_t time, struct buffer *ret); /* -EINVAL, -ENOMEM */
int cosignature_line(const struct note_key *key, const uint8_t signature[ED25519_SIGNATURE_BYTES], int64_t time,
		     struct buffer *ret_line);
/* One line, with or without its newline. 0, -EBADMSG, -ENOKEY: another's, -EKEYREJECTED. */
int cosignature_read(const char *note, size_t text_length, const char *line, size_t line_length,
		     const struct note_key *key, int64_t *ret_time);
/* The vkey of a witness, with type 0x04, for other programs. */
int cosignature_key_render(const struct note_key *key, char out[NOTE_VKEY_MAX]);
