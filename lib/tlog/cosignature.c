/* SPDX-License-Identifier: MIT
 *
 * Cosignatures, version 1: what is signed is the time and the checkpoint; the line has the signature's own type in its
 * key id, and the time before the signature.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "crypto/digest.h"
#include "tlog/checkpoint.h"

#define ALGORITHM_COSIGNATURE 0x04
#define KEY_ID_BYTES 4U
#define TIME_BYTES 8U
#define BLOB_BYTES (KEY_ID_BYTES + TIME_BYTES + ED25519_SIGNATURE_BYTES)
#define BLOB_CHARS ((BLOB_BYTES + 2) / 3 * 4)
#define LINE_START "\xE2\x80\x94 " /* an em dash and a space */

/* The key's id as a cosigner's: another one than as a signer's. */
static int witness_id(const struct note_key *key, uint8_t ret[KEY_ID_BYTES])
{
	char hashed[NOTE_KEY_NAME_MAX + 2 + ED25519_PUBLIC_BYTES];
	size_t length = strlen(key->name);
	uint8_t digest[SHA256_BYTES];
	int r;

	memcpy(hashed, key->name, length);
	hashed[length] = '\n';
	hashed[length + 1] = ALGORITHM_COSIGNATURE;
	memcpy(hashed + length + 2, key->public, ED25519_PUBLIC_BYTES);
	r = sha256(hashed, length + 2 + ED25519_PUBLIC_BYTES, digest);
	if (r < 0)
		return r;
	memcpy(ret, digest, KEY_ID_BYTES);
	return 0;
}

int cosignature_key_render(const struct note_key *key, char out[NOTE_VKEY_MAX])
{
	uint8_t blob[1 + ED25519_PUBLIC_BYTES] = {ALGORITHM_COSIGNATURE}, id[KEY_ID_BYTES];
	_cleanup_(freep) char *text = NULL;
	int r;

	r = witness_id(key, id);
	if (r < 0)
		return r;
	memcpy(blob + 1, key->public, ED25519_PUBLIC_BYTES);
	text = base64_encode(blob, sizeof(blob));
	if (!text)
		return -ENOMEM;
	(void)snprintf(out, NOTE_VKEY_MAX, "%s+%02x%02x%02x%02x+%s", key->name, id[0], id[1], id[2], id[3], text);
	return 0;
}

/* What is signed. */
int cosignature_message(const char *note, size_t text_length, int64_t time, struct buffer *ret)
{
	if (time <= 0 || text_length == 0 || text_length > CHECKPOINT_BYTES_MAX || note[text_length - 1] != '\n')
		return -EINVAL;
	(void)buffer_printf(ret, "cosignature/v1\ntime %" PRIi64 "\n", time);
	return buffer_add(ret, note, text_length);
}

int cosignature_line(const struct note_key *key, const uint8_t signature[ED25519_SIGNATURE_BYTES], int64_t time,
		     struct buffer *ret_line)
{
	_cleanup_(freep) char *text = NULL;
	uint8_t blob[BLOB_BYTES];
	int r;

	r = witness_id(key, blob);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < TIME_BYTES; i++)
		blob[KEY_ID_BYTES + i] = (uint8_t)((uint64_t)time >> (56 - 8 * i));
	memcpy(blob + KEY_ID_BYTES + TIME_BYTES, signature, ED25519_SIGNATURE_BYTES);
	text = base64_encode(blob, sizeof(blob));
	if (!text)
		return -ENOMEM;
	return buffer_printf(ret_line, LINE_START "%s %s\n", key->name, text);
}

int cosignature_write(const char *note, size_t text_length, const struct note_key *key,
		      const uint8_t secret[ED25519_SECRET_BYTES], int64_t time, struct buffer *ret_line)
{
	_cleanup_(buffer_finish) struct buffer message = BUFFER_INIT;
	uint8_t signature[ED25519_SIGNATURE_BYTES];
	int r;

	r = cosignature_message(note, text_length, time, &message);
	if (r < 0)
		return r;
	r = ed25519_sign(secret, message.data, message.length, signature);
	return r < 0 ? r : cosignature_line(key, signature, time, ret_line);
}

/* Splits "— name base64". */
static int split(const char *line, size_t length, const struct note_key *key, char ret_text[BLOB_CHARS + 1])
{
	size_t start = strlen(LINE_START), name = strlen(key->name);
	const char *space;

	if (length > 0 && line[length - 1] == '\n')
		length--;
	if (length <= start || memcmp(line, LINE_START, start) != 0 || memchr(line, '\n', length))
		return -EBADMSG;
	line += start;
	length -= start;
	space = memchr(line, ' ', length);
	if (!space || space == line)
		return -EBADMSG;
	if ((size_t)(space - line) != name || memcmp(line, key->name, name) != 0)
		return -ENOKEY;
	length -= name + 1;
	if (length > BLOB_CHARS || memchr(space, '\0', length + 1))
		return -EBADMSG;
	memcpy(ret_text, space + 1, length);
	ret_text[length] = '\0';
	return 0;
}

int cosignature_read(const char *note, size_t text_length, const char *line, size_t line_length,
		     const struct note_key *key, int64_t *ret_time)
{
	_cleanup_(buffer_finish) struct buffer message = BUFFER_INIT;
	uint8_t blob[BLOB_BYTES], id[KEY_ID_BYTES];
	char text[BLOB_CHARS + 1];
	uint64_t time = 0;
	size_t bytes;
	int r;

	r = split(line, line_length, key, text);
	if (r < 0)
		return r;
	if (base64_decode(text, blob, sizeof(blob), &bytes) < 0 || bytes <= KEY_ID_BYTES)
		return -EBADMSG;
	r = witness_id(key, id);
	if (r < 0)
		return r;
	if (memcmp(id, blob, KEY_ID_BYTES) != 0)
		return -ENOKEY;
	if (bytes != BLOB_BYTES)
		return -EBADMSG;
	for (unsigned i = 0; i < TIME_BYTES; i++)
		time = time << 8 | blob[KEY_ID_BYTES + i];
	if (time == 0 || time > INT64_MAX)
		return -EBADMSG;
	r = cosignature_message(note, text_length, (int64_t)time, &message);
	if (r < 0)
		return r == -EINVAL ? -EBADMSG : r;
	r = ed25519_verify(key->public, message.data, message.length, blob + KEY_ID_BYTES + TIME_BYTES);
	if (r < 0)
		return r == -EBADMSG ? -EKEYREJECTED : r;
	*ret_time = (int64_t)time;
	return 0;
}
