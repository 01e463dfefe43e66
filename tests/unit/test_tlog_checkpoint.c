/* SPDX-License-Identifier: MIT
 *
 * Checkpoints and cosignatures: their exact bytes, and every note that is none.
 */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "crypto/digest.h"
#include "feed_fixture.h"
#include "tlog/checkpoint.h"

#define ORIGIN "control.example.org/audit/ten_8fJ2kQpL0aZx4TyB"
#define OTHER_ORIGIN "control.example.org/audit/platform"
#define WITNESS "control.example.org/witness/hst_1"
#define ROOT_TEXT "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static struct checkpoint checkpoint_of(uint64_t size)
{
	struct checkpoint checkpoint = {.origin = ORIGIN, .size = size};

	for (unsigned i = 0; i < SHA256_BYTES; i++)
		checkpoint.root.bytes[i] = (uint8_t)i;
	return checkpoint;
}

static void the_text(void **state)
{
	struct checkpoint checkpoint = checkpoint_of(1234567);
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;

	assert_result(checkpoint_write(&checkpoint, &text), 0);
	assert_string_equal(buffer_text(&text), ORIGIN "\n1234567\n" ROOT_TEXT "\n");
}

static void refused_to_write(void **state)
{
	static const char *const bad[] = {"", "a b", "a\nb", "a+b", "\xC3\xA9"};
	struct checkpoint checkpoint = checkpoint_of(TLOG_SIZE_MAX + 1);
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;

	assert_result(checkpoint_write(&checkpoint, &text), -EINVAL);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		checkpoint = checkpoint_of(1);
		strcpy(checkpoint.origin, bad[i]);
		assert_result(checkpoint_write(&checkpoint, &text), -EINVAL);
	}
	assert_int_equal(text.length, 0);
}

/* The text, signed by the key of that number under that name. */
static void sign(struct buffer *note, const char *text, const char *name, uint8_t number)
{
	struct signer signer = signer_of(name, number);

	buffer_clear(note);
	assert_result(buffer_add_text(note, text), 0);
	feed_sign(note, &signer, NULL);
}

static int read_with(const struct buffer *note, const char *origin, const struct note_key *keys, uint32_t count,
		     struct checkpoint *ret)
{
	struct checkpoint before;
	struct problem problem = {0};
	int r;

	memset(ret, 0x42, sizeof(*ret));
	before = *ret;
	r = checkpoint_read(note->data, note->length, origin, keys, count, ret, &problem);
	if (r < 0) {
		assert_string_not_equal(problem.text, "");
		assert_memory_equal(ret, &before, sizeof(before));
	}
	return r;
}

static void read_back(void **state)
{
	struct note_key keys[] = {signer_of(OTHER_ORIGIN, 1).key, signer_of(ORIGIN, 2).key, signer_of(ORIGIN, 1).key};
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	struct checkpoint checkpoint, expected = checkpoint_of(1234567);

	sign(&note, ORIGIN "\n1234567\n" ROOT_TEXT "\n", ORIGIN, 1);
	assert_result(read_with(&note, ORIGIN, keys, 3, &checkpoint), 0);
	assert_string_equal(checkpoint.origin, ORIGIN);
	assert_int_equal(checkpoint.size, 1234567);
	assert_memory_equal(&checkpoint.root, &expected.root, sizeof(expected.root));
	/* Keys of other names do not count, whichever they are. */
	assert_result(read_with(&note, ORIGIN, keys, 2, &checkpoint), -ENOKEY);
	assert_result(read_with(&note, ORIGIN, keys, 0, &checkpoint), -ENOKEY);
	assert_result(read_with(&note, OTHER_ORIGIN, keys, 3, &checkpoint), -ENOKEY);
	/* Extensions, and signatures of others. */
	sign(&note, ORIGIN "\n1234567\n" ROOT_TEXT "\nsomething 1\nelse\n", ORIGIN, 1);
	assert_result(buffer_add_text(&note, "\xE2\x80\x94 somebody AAAAAAA=\n"), 0);
	assert_result(read_with(&note, ORIGIN, keys, 3, &checkpoint), 0);
	/* A feed's note by the same key stands for no checkpoint. */
	sign(&note, ORIGIN "\n1234567\n" ROOT_TEXT "\n", FEED_ORIGIN, 1);
	assert_result(read_with(&note, ORIGIN, keys, 3, &checkpoint), -ENOKEY);
	/* Signed by a key of this log, and another log's. */
	sign(&note, OTHER_ORIGIN "\n1234567\n" ROOT_TEXT "\n", ORIGIN, 1);
	assert_result(read_with(&note, ORIGIN, keys, 3, &checkpoint), -EREMCHG);
}

static void refused_forms(void **state)
{
	static const char *const bad[] = {
		"\n",
		ORIGIN "\n",
		ORIGIN "\n1\n",
		ORIGIN "\n01\n" ROOT_TEXT "\n",
		ORIGIN "\n+1\n" ROOT_TEXT "\n",
		ORIGIN "\n-1\n" ROOT_TEXT "\n",
		ORIGIN "\n 1\n" ROOT_TEXT "\n",
		ORIGIN "\n1 \n" ROOT_TEXT "\n",
		ORIGIN "\n0x1\n" ROOT_TEXT "\n",
		ORIGIN "\n4611686018427387905\n" ROOT_TEXT "\n",
		ORIGIN "\n18446744073709551617\n" ROOT_TEXT "\n",
		ORIGIN "\n1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n",  /* no padding */
		ORIGIN "\n1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=\n", /* not the one base64 of it */
		ORIGIN "\n1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==\n", /* 31 bytes */
		ORIGIN "\n1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g\n", /* 33 bytes */
		ORIGIN "\n1\n" ROOT_TEXT "\n\nempty line before\n",
		ORIGIN " \n1\n" ROOT_TEXT "\n",
		ORIGIN "\n0\n" ROOT_TEXT "\n", /* an empty log has one root */
	};
	struct note_key key = signer_of(ORIGIN, 1).key;
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	struct checkpoint checkpoint;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		sign(&note, bad[i], ORIGIN, 1);
		if (read_with(&note, ORIGIN, &key, 1, &checkpoint) != -EBADMSG)
			fail_msg("taken: %s", bad[i]);
	}
	sign(&note, ORIGIN "\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", ORIGIN, 1);
	assert_result(read_with(&note, ORIGIN, &key, 1, &checkpoint), 0);
	sign(&note, ORIGIN "\n4611686018427387904\n" ROOT_TEXT "\n", ORIGIN, 1);
	assert_result(read_with(&note, ORIGIN, &key, 1, &checkpoint), 0);
}

static void every_byte_changed(void **state)
{
	struct note_key key = signer_of(ORIGIN, 1).key;
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	struct checkpoint checkpoint;

	sign(&note, ORIGIN "\n1234567\n" ROOT_TEXT "\n", ORIGIN, 1);
	for (size_t i = 0; i < note.length; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			note.data[i] = (char)(note.data[i] ^ 1 << bit);
			if (read_with(&note, ORIGIN, &key, 1, &checkpoint) >= 0)
				fail_msg("bit %u of byte %zu may change", bit, i);
			note.data[i] = (char)(note.data[i] ^ 1 << bit);
		}
	for (size_t length = note.length; length-- > 0;) {
		note.length = length;
		assert_true(read_with(&note, ORIGIN, &key, 1, &checkpoint) < 0);
	}
}

static void too_long(void **state)
{
	struct note_key key = signer_of(ORIGIN, 1).key;
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT, text = BUFFER_INIT;
	struct checkpoint checkpoint;

	assert_result(buffer_add_text(&text, ORIGIN "\n1\n" ROOT_TEXT "\n"), 0);
	while (text.length < CHECKPOINT_BYTES_MAX)
		assert_result(buffer_add_text(&text, "an extension\n"), 0);
	sign(&note, buffer_text(&text), ORIGIN, 1);
	assert_result(read_with(&note, ORIGIN, &key, 1, &checkpoint), -EBADMSG);
}

static void origins(void **state)
{
	static const char *const bad[] = {"", "\n", "no line end", "a b\n", "a+b\n", "\x01\n"};
	char origin[CHECKPOINT_ORIGIN_MAX] = "before", long_line[CHECKPOINT_ORIGIN_MAX + 1];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_result(checkpoint_origin(bad[i], strlen(bad[i]), origin), -EBADMSG);
	assert_result(checkpoint_origin("a\0b\n", 4, origin), -EBADMSG);
	memset(long_line, 'x', sizeof(long_line));
	long_line[sizeof(long_line) - 1] = '\n';
	assert_result(checkpoint_origin(long_line, sizeof(long_line), origin), -EBADMSG);
	assert_string_equal(origin, "before");
	assert_result(checkpoint_origin(long_line + 1, sizeof(long_line) - 1, origin), 0);
	assert_int_equal(strlen(origin), CHECKPOINT_ORIGIN_MAX - 1);
	assert_result(checkpoint_origin(ORIGIN "\n1\n", strlen(ORIGIN) + 3, origin), 0);
	assert_string_equal(origin, ORIGIN);
}

/* ---- cosignatures ----------------------------------------------------------------------------- */
static const char cosigned[] = ORIGIN "\n1234567\n" ROOT_TEXT "\n";
#define COSIGNED_AT 1790000000

static void cosign(struct buffer *line, uint8_t number)
{
	struct signer signer = signer_of(WITNESS, number);

	buffer_clear(line);
	assert_result(cosignature_write(cosigned, strlen(cosigned), &signer.key, signer.secret, COSIGNED_AT, line), 0);
}

/* By hand, after the words of the specification: what is signed, and how the line is made. */
static void the_line(void **state)
{
	static const char message[] = "cosignature/v1\ntime 1790000000\n" ORIGIN "\n1234567\n" ROOT_TEXT "\n";
	struct signer signer = signer_of(WITNESS, 7);
	_cleanup_(buffer_finish) struct buffer line = BUFFER_INIT;
	_cleanup_(freep) char *base64 = NULL, *key = NULL;
	uint8_t hashed[sizeof(WITNESS) + 1 + ED25519_PUBLIC_BYTES] = WITNESS "\n\x04", digest[SHA256_BYTES];
	uint8_t blob[4 + 8 + 64] = {0}, typed[1 + ED25519_PUBLIC_BYTES] = {0x04};
	char expected[512], vkey[NOTE_VKEY_MAX];

	memcpy(hashed + sizeof(WITNESS) + 1, signer.key.public, ED25519_PUBLIC_BYTES);
	assert_result(sha256(hashed, sizeof(hashed), digest), 0);
	memcpy(blob, digest, 4);
	blob[8] = 0x6A; /* 1790000000 is 0x6AB13B80 */
	blob[9] = 0xB1;
	blob[10] = 0x3B;
	blob[11] = 0x80;
	assert_result(ed25519_sign(signer.secret, message, strlen(message), blob + 12), 0);
	base64 = base64_encode(blob, sizeof(blob));
	(void)snprintf(expected, sizeof(expected), "\xE2\x80\x94 " WITNESS " %s\n", base64);
	cosign(&line, 7);
	assert_string_equal(buffer_text(&line), expected);
	memcpy(typed + 1, signer.key.public, ED25519_PUBLIC_BYTES);
	key = base64_encode(typed, sizeof(typed));
	(void)snprintf(expected, sizeof(expected), WITNESS "+%02x%02x%02x%02x+%s", digest[0], digest[1], digest[2],
		       digest[3], key);
	assert_result(cosignature_key_render(&signer.key, vkey), 0);
	assert_string_equal(vkey, expected);
}

static int read_line(const char *text, const char *line, size_t length, const struct note_key *key)
{
	int64_t time = 42;
	int r = cosignature_read(text, strlen(text), line, length, key, &time);

	assert_int_equal(time, r == 0 ? COSIGNED_AT : 42);
	return r;
}

static void cosignatures(void **state)
{
	struct note_key key = signer_of(WITNESS, 7).key, other = signer_of(WITNESS, 8).key,
			named = signer_of("control.example.org/witness/hst_2", 7).key;
	_cleanup_(buffer_finish) struct buffer line = BUFFER_INIT, checkpoint = BUFFER_INIT;
	struct checkpoint taken;
	struct note_key log = signer_of(ORIGIN, 1).key;
	size_t last;

	cosign(&line, 7);
	last = line.length - 1;
	assert_result(read_line(cosigned, line.data, line.length, &key), 0);
	assert_result(read_line(cosigned, line.data, last, &key), 0);
	assert_result(read_line(cosigned, line.data, line.length, &other), -ENOKEY);
	assert_result(read_line(cosigned, line.data, line.length, &named), -ENOKEY);
	assert_result(read_line(ORIGIN "\n1234568\n" ROOT_TEXT "\n", line.data, line.length, &key), -EKEYREJECTED);
	assert_result(read_line("", line.data, line.length, &key), -EBADMSG);
	for (size_t i = 0; i < last; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			line.data[i] = (char)(line.data[i] ^ 1 << bit);
			if (read_line(cosigned, line.data, line.length, &key) >= 0)
				fail_msg("bit %u of byte %zu may change", bit, i);
			line.data[i] = (char)(line.data[i] ^ 1 << bit);
		}
	for (size_t length = 0; length < last; length++)
		assert_true(read_line(cosigned, line.data, length, &key) < 0);
	assert_result(buffer_add_char(&line, '\n'), 0);
	assert_result(read_line(cosigned, line.data, line.length, &key), -EBADMSG);
	line.length--;
	/* Beside the log's own signature it disturbs nobody. */
	sign(&checkpoint, cosigned, ORIGIN, 1);
	assert_result(buffer_add(&checkpoint, line.data, line.length), 0);
	assert_result(read_with(&checkpoint, ORIGIN, &log, 1, &taken), 0);
}

/* The same key's plain signature is no cosignature, and no cosignature is a plain one. */
static void not_for_each_other(void **state)
{
	struct signer signer = signer_of(WITNESS, 7);
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT, line = BUFFER_INIT;
	struct problem problem = {0};
	uint32_t signers;
	size_t text;

	sign(&note, cosigned, WITNESS, 7);
	text = strlen(cosigned) + 1;
	assert_result(read_line(cosigned, note.data + text, note.length - text, &signer.key), -ENOKEY);
	buffer_clear(&note);
	cosign(&line, 7);
	assert_result(buffer_printf(&note, "%s\n%s", cosigned, buffer_text(&line)), 0);
	assert_result(note_verify(note.data, note.length, &signer.key, 1, &text, &signers, &problem), -ENOKEY);
}

static void times_that_cannot_be(void **state)
{
	struct signer signer = signer_of(WITNESS, 7);
	_cleanup_(buffer_finish) struct buffer line = BUFFER_INIT;
	uint8_t signature[ED25519_SIGNATURE_BYTES] = {0};

	assert_result(cosignature_write(cosigned, strlen(cosigned), &signer.key, signer.secret, 0, &line), -EINVAL);
	assert_result(cosignature_write(cosigned, strlen(cosigned), &signer.key, signer.secret, -1, &line), -EINVAL);
	assert_result(cosignature_write(cosigned, 0, &signer.key, signer.secret, 1, &line), -EINVAL);
	assert_result(cosignature_write(cosigned, strlen(cosigned) - 1, &signer.key, signer.secret, 1, &line), -EINVAL);
	assert_int_equal(line.length, 0);
	assert_result(cosignature_line(&signer.key, signature, -1, &line), 0);
	assert_result(read_line(cosigned, line.data, line.length, &signer.key), -EBADMSG);
	buffer_clear(&line);
	assert_result(cosignature_line(&signer.key, signature, 0, &line), 0);
	assert_result(read_line(cosigned, line.data, line.length, &signer.key), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text),
		cmocka_unit_test(refused_to_write),
		cmocka_unit_test(read_back),
		cmocka_unit_test(refused_forms),
		cmocka_unit_test(every_byte_changed),
		cmocka_unit_test(too_long),
		cmocka_unit_test(origins),
		cmocka_unit_test(the_line),
		cmocka_unit_test(cosignatures),
		cmocka_unit_test(not_for_each_other),
		cmocka_unit_test(times_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
