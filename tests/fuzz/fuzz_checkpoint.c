/* SPDX-License-Identifier: MIT
 *
 * Checkpoints and cosignatures. The first byte says what the rest is: a note as it comes ('n'), the text of one, which
 * is signed here ('t'), or the line of a cosignature ('c').
 */
#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "fuzz.h"
#include "tlog/checkpoint.h"

#define ORIGIN "control.example.org/audit/ten_8fJ2kQpL0aZx4TyB"

/* The key of RFC 8032, section 7.1, test 1. */
static const uint8_t secret[ED25519_SECRET_BYTES] = {0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a,
						     0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32,
						     0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60};
static const uint8_t public[ED25519_PUBLIC_BYTES] = {0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe,
						     0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6,
						     0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a};

static int read_note(const char *note, size_t length, const struct note_key *key, struct checkpoint *ret)
{
	struct problem problem = {0};
	char origin[CHECKPOINT_ORIGIN_MAX];
	int r = checkpoint_read(note, length, ORIGIN, key, 1, ret, &problem);

	FUZZ_CHECK(r == 0 || r == -EBADMSG || r == -ENOKEY || r == -EKEYREJECTED || r == -EREMCHG);
	FUZZ_CHECK(r == 0 || problem.text[0] != '\0');
	if (r == 0) {
		FUZZ_CHECK(checkpoint_origin(note, length, origin) == 0 && strcmp(origin, ORIGIN) == 0);
		FUZZ_CHECK(strcmp(ret->origin, ORIGIN) == 0 && ret->size <= TLOG_SIZE_MAX);
	}
	(void)checkpoint_origin(note, length, origin);
	return r;
}

static void read_signed(const char *text, size_t size, const struct note_key *key)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT, again = BUFFER_INIT;
	struct checkpoint checkpoint;

	if (size == 0 || text[size - 1] != '\n' || buffer_add(&note, text, size) < 0 ||
	    note_sign(&note, key, secret) < 0 || read_note(note.data, note.length, key, &checkpoint) < 0)
		return;
	/* Written again it is how the text begins. */
	FUZZ_CHECK(checkpoint_write(&checkpoint, &again) == 0);
	FUZZ_CHECK(again.length <= size && memcmp(again.data, text, again.length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char cosigned[] = ORIGIN "\n1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
	const char *text = (const char *)data + 1;
	struct checkpoint checkpoint;
	struct note_key key;

	if (size == 0)
		return 0;
	FUZZ_CHECK(note_key_init(&key, ORIGIN, public) == 0);
	if (data[0] == 'n') {
		(void)read_note(text, size - 1, &key, &checkpoint);
	} else if (data[0] == 't') {
		read_signed(text, size - 1, &key);
	} else if (data[0] == 'c') {
		int64_t time = 0;
		int r = cosignature_read(cosigned, strlen(cosigned), text, size - 1, &key, &time);

		FUZZ_CHECK(r == 0 || r == -EBADMSG || r == -ENOKEY || r == -EKEYREJECTED);
		FUZZ_CHECK((r == 0) == (time > 0));
	}
	return 0;
}
