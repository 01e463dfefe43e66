/* SPDX-License-Identifier: MIT */
#include "crypto/note.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "crypto/digest.h"

#define ALGORITHM_ED25519 0x01
#define KEY_ID_BYTES 4U
#define KEYS_AT_ONCE 32U                /* one bit each */
#define SIGNATURE_START "\xE2\x80\x94 " /* an em dash and a space */
#define SIGNATURE_START_BYTES (sizeof(SIGNATURE_START) - 1)
#define BLOB_BYTES (KEY_ID_BYTES + ED25519_SIGNATURE_BYTES)

/* Ours are plain ASCII: every reader sees the same name. */
static bool is_key_name(const char *name, size_t length)
{
	if (length == 0 || length >= NOTE_KEY_NAME_MAX)
		return false;
	for (size_t i = 0; i < length; i++)
		if (name[i] <= ' ' || name[i] > '~' || name[i] == '+')
			return false;
	return true;
}

static uint32_t read_id(const uint8_t bytes[KEY_ID_BYTES])
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void write_id(uint32_t id, uint8_t bytes[KEY_ID_BYTES])
{
	for (unsigned i = 0; i < KEY_ID_BYTES; i++)
		bytes[i] = (uint8_t)(id >> (24 - 8 * i));
}

static int key_init(struct note_key *ret, const char *name, size_t length, const uint8_t public[ED25519_PUBLIC_BYTES])
{
	char hashed[NOTE_KEY_NAME_MAX + 2 + ED25519_PUBLIC_BYTES];
	uint8_t digest[SHA256_BYTES];
	int r;

	if (!is_key_name(name, length))
		return -EINVAL;
	memcpy(hashed, name, length);
	hashed[length] = '\n';
	hashed[length + 1] = ALGORITHM_ED25519;
	memcpy(hashed + length + 2, public, ED25519_PUBLIC_BYTES);
	r = sha256(hashed, length + 2 + ED25519_PUBLIC_BYTES, digest);
	if (r < 0)
		return r;
	*ret = (struct note_key){.id = read_id(digest)};
	memcpy(ret->name, name, length);
	memcpy(ret->public, public, ED25519_PUBLIC_BYTES);
	return 0;
}

int note_key_init(struct note_key *ret, const char *name, const uint8_t public[ED25519_PUBLIC_BYTES])
{
	return key_init(ret, name, strlen(name), public);
}

int note_key_parse(const char *vkey, size_t length, struct note_key *ret)
{
	uint8_t blob[1 + ED25519_PUBLIC_BYTES], id[KEY_ID_BYTES];
	char text[NOTE_VKEY_MAX], hex[2 * KEY_ID_BYTES + 1], *plus;
	struct note_key key;
	size_t bytes, name;
	int r;

	if (length >= sizeof(text) || memchr(vkey, '\0', length))
		return -EINVAL;
	memcpy(text, vkey, length);
	text[length] = '\0';
	plus = strchr(text, '+');
	if (!plus || strlen(plus) < 2 + 2 * KEY_ID_BYTES || plus[1 + 2 * KEY_ID_BYTES] != '+')
		return -EINVAL;
	name = (size_t)(plus - text);
	memcpy(hex, plus + 1, 2 * KEY_ID_BYTES);
	hex[2 * KEY_ID_BYTES] = '\0';
	if (text_from_hex(hex, id, sizeof(id)) < 0 ||
	    base64_decode(plus + 2 + 2 * KEY_ID_BYTES, blob, sizeof(blob), &bytes) < 0 || bytes != sizeof(blob) ||
	    blob[0] != ALGORITHM_ED25519)
		return -EINVAL;
	r = key_init(&key, text, name, blob + 1);
	if (r < 0)
		return r;
	if (key.id != read_id(id))
		return -EINVAL;
	*ret = key;
	return 0;
}

int note_key_render(const struct note_key *key, char out[NOTE_VKEY_MAX])
{
	uint8_t blob[1 + ED25519_PUBLIC_BYTES] = {ALGORITHM_ED25519};
	_cleanup_(freep) char *text = NULL;

	memcpy(blob + 1, key->public, ED25519_PUBLIC_BYTES);
	text = base64_encode(blob, sizeof(blob));
	if (!text)
		return -ENOMEM;
	(void)snprintf(out, NOTE_VKEY_MAX, "%s+%08x+%s", key->name, key->id, text);
	return 0;
}

/* Where the signatures begin, past the empty line: the last one counts. NULL: there is none. */
static const char *find_signatures(const char *note, size_t length)
{
	for (size_t i = length; i >= 2; i--)
		if (note[i - 1] == '\n' && note[i - 2] == '\n')
			return note + i;
	return NULL;
}

size_t note_text_length(const struct buffer *note)
{
	const char *signatures = find_signatures(note->data, note->length);

	if (signatures && (size_t)(note->data + note->length - signatures) >= SIGNATURE_START_BYTES &&
	    memcmp(signatures, SIGNATURE_START, SIGNATURE_START_BYTES) == 0)
		return (size_t)(signatures - note->data) - 1;
	return note->length;
}

int note_add_signature(struct buffer *note, const struct note_key *key,
		       const uint8_t signature[ED25519_SIGNATURE_BYTES])
{
	_cleanup_(freep) char *text = NULL;
	uint8_t blob[BLOB_BYTES];

	if (note->length == 0 || note->data[note->length - 1] != '\n')
		return -EINVAL;
	if (note_text_length(note) == note->length)
		(void)buffer_add_char(note, '\n');
	write_id(key->id, blob);
	memcpy(blob + KEY_ID_BYTES, signature, ED25519_SIGNATURE_BYTES);
	text = base64_encode(blob, sizeof(blob));
	if (!text || note->failed)
		return -ENOMEM;
	return buffer_printf(note, "%s%s %s\n", SIGNATURE_START, key->name, text);
}

int note_sign(struct buffer *note, const struct note_key *key, const uint8_t secret[ED25519_SECRET_BYTES])
{
	uint8_t signature[ED25519_SIGNATURE_BYTES];
	int r;

	if (note->failed)
		return -ENOMEM;
	r = ed25519_sign(secret, note->data, note_text_length(note), signature);
	return r < 0 ? r : note_add_signature(note, key, signature);
}

/* Lines of printable UTF-8, each with its end. */
static bool is_text(const char *text, size_t length)
{
	const char *end = text + length;

	if (length == 0 || end[-1] != '\n')
		return false;
	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));

		if (!text_is_printable(text, (size_t)(stop - text)))
			return false;
		text = stop + 1;
	}
	return true;
}

struct signature {
	const char *name;
	size_t name_length;
	uint32_t id;
	uint8_t bytes[ED25519_SIGNATURE_BYTES];
	bool ours; /* of the length of an Ed25519 signature */
};

/* One line without its end: "— name base64". `scratch` holds as much as the line. */
static int read_signature(const char *line, size_t length, char *scratch, struct signature *ret)
{
	const char *space, *name;
	size_t bytes;

	if (length < SIGNATURE_START_BYTES || memcmp(line, SIGNATURE_START, SIGNATURE_START_BYTES) != 0)
		return -EBADMSG;
	name = line + SIGNATURE_START_BYTES;
	length -= SIGNATURE_START_BYTES;
	space = memchr(name, ' ', length);
	if (!space || space == name || !text_is_printable(name, (size_t)(space - name)) ||
	    memchr(name, '+', (size_t)(space - name)))
		return -EBADMSG;
	*ret = (struct signature){.name = name, .name_length = (size_t)(space - name)};
	length -= ret->name_length + 1;
	memcpy(scratch, space + 1, length);
	scratch[length] = '\0';
	if (strlen(scratch) != length)
		return -EBADMSG;
	/* In place: what is written lags behind what is read. */
	if (base64_decode(scratch, scratch, length, &bytes) < 0 || bytes <= KEY_ID_BYTES)
		return -EBADMSG;
	ret->id = read_id((const uint8_t *)scratch);
	ret->ours = bytes == BLOB_BYTES;
	if (ret->ours)
		memcpy(ret->bytes, scratch + KEY_ID_BYTES, ED25519_SIGNATURE_BYTES);
	return 0;
}

static bool is_by(const struct signature *signature, const struct note_key *key)
{
	return signature->id == key->id && strlen(key->name) == signature->name_length &&
	       memcmp(key->name, signature->name, signature->name_length) == 0;
}

/* Adds the bits of the keys that made this signature. */
static int verify_one(const char *text, size_t length, const struct signature *signature, const struct note_key *keys,
		      uint32_t count, uint32_t *signers, struct problem *problem)
{
	for (uint32_t i = 0; i < count; i++) {
		int r;

		if (!is_by(signature, &keys[i]))
			continue;
		if (*signers >> i & 1)
			return problem_set(problem, EBADMSG, "the note has two signatures by key %s+%08x", keys[i].name,
					   keys[i].id);
		r = signature->ours ? ed25519_verify(keys[i].public, text, length, signature->bytes) : -EBADMSG;
		if (r == -EBADMSG)
			return problem_set(problem, EKEYREJECTED, "the signature by key %s+%08x does not verify",
					   keys[i].name, keys[i].id);
		if (r < 0)
			return problem_set(problem, -r, "the signature cannot be checked");
		*signers |= UINT32_C(1) << i;
	}
	return 0;
}

int note_verify(const char *note, size_t length, const struct note_key *keys, uint32_t count, size_t *ret_text_length,
		uint32_t *ret_signers, struct problem *problem)
{
	const char *line, *end = note + length;
	_cleanup_(freep) char *scratch = NULL;
	uint32_t signers = 0, seen = 0;
	size_t text_length;
	int r;

	if (count > KEYS_AT_ONCE)
		return -EINVAL;
	if (length > NOTE_BYTES_MAX)
		return problem_set(problem, EBADMSG, "the note is longer than %u bytes", NOTE_BYTES_MAX);
	line = find_signatures(note, length);
	if (!line || line == end)
		return problem_set(problem, ENOKEY, "the note has no signature");
	text_length = (size_t)(line - note) - 1;
	if (!is_text(note, text_length) || end[-1] != '\n')
		return problem_set(problem, EBADMSG, "the note is not lines of text with signatures below");
	scratch = malloc((size_t)(end - line) + 1);
	if (!scratch)
		return problem_set(problem, ENOMEM, "out of memory");
	while (line < end) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));
		struct signature signature;

		if (++seen > NOTE_SIGNATURES_MAX)
			return problem_set(problem, EBADMSG, "the note has more than %u signatures",
					   NOTE_SIGNATURES_MAX);
		if (read_signature(line, (size_t)(stop - line), scratch, &signature) < 0)
			return problem_set(problem, EBADMSG, "signature line %u of the note is malformed", seen);
		r = verify_one(note, text_length, &signature, keys, count, &signers, problem);
		if (r < 0)
			return r;
		line = stop + 1;
	}
	if (signers == 0)
		return problem_set(problem, ENOKEY, "no key that is trusted signed the note");
	*ret_text_length = text_length;
	*ret_signers = signers;
	return 0;
}
