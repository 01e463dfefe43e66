/* SPDX-License-Identifier: MIT
 *
 * Signed notes: a known answer, and every way in which a note can be changed.
 */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "feed_fixture.h"

/* The key of RFC 8032, section 7.1, test 1. The signature is OpenSSL's, with that seed as a PEM file:
 *     printf 'known answer\nsecond line\n' > text
 *     openssl pkeyutl -sign -rawin -inkey key.pem -in text | { printf '\x37\x96\x56\x7c'; cat; } | base64 -w0
 * and the key id (3796567c) is
 *     { printf '%s\n\001' "$NAME"; openssl pkey -in key.pem -pubout -outform DER | tail -c 32; } | sha256sum | cut
 * -c1-8 */
#define KNOWN_NAME "control.example.org/feed/ten_8fJ2kQpL0aZx4TyB"
static const char known_seed[] = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
static const char known_public[] = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
static const char known_vkey[] = KNOWN_NAME "+3796567c+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";
static const char known_text[] = "known answer\nsecond line\n";
static const char known_note[] =
	"known answer\nsecond line\n\n\xE2\x80\x94 " KNOWN_NAME
	" N5ZWfBUH5zN+ysLwHmGhfCDrLyiElahPmEA0CvBy/NqbE/2jMdxXa4iaZ+gqdBeyQP3aZ4ytJJCVT+9/ilH2aDVX+A4=\n";

static struct note_key known_key(void)
{
	struct note_key key;

	assert_result(note_key_parse(known_vkey, strlen(known_vkey), &key), 0);
	return key;
}

static int verify(const char *note, size_t length, const struct note_key *keys, uint32_t count, size_t *text,
		  uint32_t *signers)
{
	struct problem problem = {0};
	int r;

	*text = 4242;
	*signers = 4242;
	r = note_verify(note, length, keys, count, text, signers, &problem);
	if (r < 0) {
		assert_string_not_equal(problem.text, "");
		assert_int_equal(*text, 4242);
		assert_int_equal(*signers, 4242);
	}
	return r;
}

static void known_answer(void **state)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	uint8_t seed[ED25519_SECRET_BYTES], public[ED25519_PUBLIC_BYTES];
	struct note_key key = known_key(), made;
	char vkey[NOTE_VKEY_MAX];
	uint32_t signers;
	size_t text;

	assert_result(text_from_hex(known_seed, seed, sizeof(seed)), 0);
	assert_result(text_from_hex(known_public, public, sizeof(public)), 0);
	assert_result(note_key_init(&made, KNOWN_NAME, public), 0);
	assert_memory_equal(made.public, key.public, sizeof(public));
	assert_int_equal(made.id, 0x3796567c);
	assert_result(note_key_render(&made, vkey), 0);
	assert_string_equal(vkey, known_vkey);
	assert_result(buffer_add_text(&note, known_text), 0);
	assert_result(note_sign(&note, &made, seed), 0);
	assert_string_equal(buffer_text(&note), known_note);
	assert_result(verify(known_note, strlen(known_note), &key, 1, &text, &signers), 0);
	assert_int_equal(text, strlen(known_text));
	assert_int_equal(signers, 1);
}

static void every_byte_changed(void **state)
{
	struct note_key key = known_key();
	char note[sizeof(known_note)];
	uint32_t signers;
	size_t text;

	for (size_t i = 0; i + 1 < sizeof(known_note); i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			memcpy(note, known_note, sizeof(note));
			note[i] = (char)(note[i] ^ 1 << bit);
			if (verify(note, sizeof(note) - 1, &key, 1, &text, &signers) >= 0)
				fail_msg("bit %u of byte %zu may change", bit, i);
		}
}

static void truncated(void **state)
{
	struct note_key key = known_key();
	uint32_t signers;
	size_t text;

	for (size_t i = 0; i < strlen(known_note); i++)
		if (verify(known_note, i, &key, 1, &text, &signers) >= 0)
			fail_msg("%zu bytes are enough", i);
	for (size_t i = 1; i < strlen(known_note); i++)
		if (verify(known_note + i, strlen(known_note) - i, &key, 1, &text, &signers) >= 0)
			fail_msg("from byte %zu on is enough", i);
}

static void refused_forms(void **state)
{
	static const struct {
		const char *note;
		int result;
	} table[] = {
		{"", -ENOKEY},
		{"text\n", -ENOKEY},
		{"text\n\n", -ENOKEY},
		{"\n\n", -ENOKEY},
		{"text\n\nno signature\n", -EBADMSG},
		{"text\n\n\xE2\x80\x94\n", -EBADMSG},
		{"text\n\n\xE2\x80\x94 name\n", -EBADMSG},
		{"text\n\n\xE2\x80\x94 name \n", -EBADMSG},
		{"text\n\n\xE2\x80\x94  AAAAAAA=\n", -EBADMSG},
		{"text\n\n\xE2\x80\x94 name AAAA\n", -EBADMSG},     /* shorter than a key id */
		{"text\n\n\xE2\x80\x94 name AAAAAA==\n", -EBADMSG}, /* a key id alone */
		{"text\n\n\xE2\x80\x94 na+me AAAAAAA=\n", -EBADMSG},
		{"text\n\n\xE2\x80\x94 name AAAAAAA= \n", -EBADMSG},
		{"text\n\n\xE2\x80\x94 name AAAAAAB=\n", -EBADMSG}, /* not the one base64 of its bytes */
		{"text\n\n- name AAAAAAA=\n", -EBADMSG},
		{"text\n\n\xE2\x80\x94 name AAAAAAA=", -EBADMSG},
		{"text\r\n\n\xE2\x80\x94 name AAAAAAA=\n", -EBADMSG},
		{"text\t\n\n\xE2\x80\x94 name AAAAAAA=\n", -EBADMSG},
		{"te\xFFxt\n\n\xE2\x80\x94 name AAAAAAA=\n", -EBADMSG},
		{"text\n\n\xE2\x80\x94 na\xFFme AAAAAAA=\n", -EBADMSG},
		{"text\n\n\xE2\x80\x94 name AAAAAAA=\n", -ENOKEY}, /* in order, by somebody */
	};
	static const char nul_in_text[] = "te\0t\n\n\xE2\x80\x94 n AAAAAAA=\n";
	static const char nul_in_name[] = "text\n\n\xE2\x80\x94 \0 AAAAAAA=\n";
	static const char nul_in_signature[] = "text\n\n\xE2\x80\x94 n AAAA\0AA=\n";
	struct note_key key = known_key();
	uint32_t signers;
	size_t text;

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (verify(table[i].note, strlen(table[i].note), &key, 1, &text, &signers) != table[i].result)
			fail_msg("note %zu", i);
	assert_result(verify(nul_in_text, sizeof(nul_in_text) - 1, &key, 1, &text, &signers), -EBADMSG);
	assert_result(verify(nul_in_name, sizeof(nul_in_name) - 1, &key, 1, &text, &signers), -EBADMSG);
	assert_result(verify(nul_in_signature, sizeof(nul_in_signature) - 1, &key, 1, &text, &signers), -EBADMSG);
	assert_result(note_verify(known_note, strlen(known_note), &key, 33, &text, &signers, NULL), -EINVAL);
}

static void several_signers(void **state)
{
	struct signer a = signer_of(FEED_ORIGIN, 1), b = signer_of(FEED_ORIGIN, 2), c = signer_of("other.example", 3);
	struct note_key keys[] = {a.key, b.key, c.key};
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	uint32_t signers;
	size_t text;

	assert_result(buffer_add_text(&note, "text\n"), 0);
	feed_sign(&note, &c, &a);
	assert_result(verify(note.data, note.length, keys, 3, &text, &signers), 0);
	assert_int_equal(signers, 5);
	assert_result(verify(note.data, note.length, keys, 1, &text, &signers), 0);
	assert_int_equal(signers, 1);
	assert_result(verify(note.data, note.length, keys + 1, 1, &text, &signers), -ENOKEY);
	assert_result(verify(note.data, note.length, keys, 0, &text, &signers), -ENOKEY);
	/* One key twice. */
	feed_sign(&note, &a, NULL);
	assert_result(verify(note.data, note.length, keys, 3, &text, &signers), -EBADMSG);
	assert_result(verify(note.data, note.length, keys + 1, 2, &text, &signers), 0);
}

/* A good signature beside it saves no bad one by a key that is known. */
static void one_bad_of_two(void **state)
{
	struct signer a = signer_of(FEED_ORIGIN, 1), b = signer_of(FEED_ORIGIN, 2), liar = a;
	struct note_key keys[] = {a.key, b.key};
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	uint32_t signers;
	size_t text;

	memcpy(liar.secret, b.secret, sizeof(liar.secret));
	assert_result(buffer_add_text(&note, "text\n"), 0);
	feed_sign(&note, &b, &liar);
	assert_result(verify(note.data, note.length, keys, 2, &text, &signers), -EKEYREJECTED);
	assert_result(verify(note.data, note.length, keys + 1, 1, &text, &signers), 0);
}

/* A key's name and id with a signature of another length. */
static void wrong_signature_length(void **state)
{
	struct note_key key = known_key();
	char note[512];
	uint32_t signers;
	size_t text;

	(void)snprintf(note, sizeof(note), "text\n\n\xE2\x80\x94 %s N5ZWfAAA\n", KNOWN_NAME);
	assert_result(verify(note, strlen(note), &key, 1, &text, &signers), -EKEYREJECTED);
}

static void limits(void **state)
{
	struct signer a = signer_of(FEED_ORIGIN, 1);
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	uint32_t signers;
	size_t text;

	for (size_t i = 0; i < NOTE_BYTES_MAX - 200; i++)
		assert_result(buffer_add_char(&note, i % 100 == 99 ? '\n' : 'x'), 0);
	assert_result(buffer_add_char(&note, '\n'), 0);
	feed_sign(&note, &a, NULL);
	assert_true(note.length <= NOTE_BYTES_MAX);
	assert_result(verify(note.data, note.length, &a.key, 1, &text, &signers), 0);
	while (note.length <= NOTE_BYTES_MAX)
		assert_result(buffer_add_text(&note, "\xE2\x80\x94 name AAAAAAA=\n"), 0);
	assert_result(verify(note.data, note.length, &a.key, 1, &text, &signers), -EBADMSG);
	buffer_clear(&note);
	assert_result(buffer_add_text(&note, "text\n"), 0);
	feed_sign(&note, &a, NULL);
	for (unsigned i = 1; i < NOTE_SIGNATURES_MAX; i++)
		assert_result(buffer_add_text(&note, "\xE2\x80\x94 name AAAAAAA=\n"), 0);
	assert_result(verify(note.data, note.length, &a.key, 1, &text, &signers), 0);
	assert_result(buffer_add_text(&note, "\xE2\x80\x94 name AAAAAAA=\n"), 0);
	assert_result(verify(note.data, note.length, &a.key, 1, &text, &signers), -EBADMSG);
}

static void refused_keys(void **state)
{
	static const char *const bad[] = {
		"",
		"+",
		KNOWN_NAME,
		KNOWN_NAME "+3796567c",
		KNOWN_NAME "+3796567c+",
		KNOWN_NAME "+3796567d+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea", /* another id */
		KNOWN_NAME "+3796567C+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea",
		KNOWN_NAME "+3796567c+AtdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea", /* another algorithm */
		KNOWN_NAME "+3796567c+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1E=",
		KNOWN_NAME "+3796567c+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1EaAA==",
		KNOWN_NAME "X+3796567c+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea",
		"na me+3796567c+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea",
		" " KNOWN_NAME "+3796567c+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea",
	};
	struct note_key key = {.id = 42};
	uint8_t public[ED25519_PUBLIC_BYTES] = {0};
	char name[NOTE_KEY_NAME_MAX + 1];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (note_key_parse(bad[i], strlen(bad[i]), &key) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(key.id, 42);
	}
	assert_result(note_key_parse(known_vkey, strlen(known_vkey) + 1, &key), -EINVAL); /* a NUL at its end */
	assert_result(note_key_init(&key, "", public), -EINVAL);
	assert_result(note_key_init(&key, "a b", public), -EINVAL);
	assert_result(note_key_init(&key, "a+b", public), -EINVAL);
	assert_result(note_key_init(&key, "a\nb", public), -EINVAL);
	assert_result(note_key_init(&key, "\xC3\xA9", public), -EINVAL);
	memset(name, 'x', sizeof(name));
	name[NOTE_KEY_NAME_MAX] = '\0';
	assert_result(note_key_init(&key, name, public), -EINVAL);
	name[NOTE_KEY_NAME_MAX - 1] = '\0';
	assert_result(note_key_init(&key, name, public), 0);
}

static void refused_signing(void **state)
{
	struct signer a = signer_of(FEED_ORIGIN, 1);
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;

	assert_result(note_sign(&note, &a.key, a.secret), -EINVAL);
	assert_result(buffer_add_text(&note, "no end"), 0);
	assert_result(note_sign(&note, &a.key, a.secret), -EINVAL);
}

/* RFC 8032, section 7.1, test 3, and the same with a bit more in the message. */
static void ed25519(void **state)
{
	static const char public_hex[] = "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025";
	static const char signature_hex[] = "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
					    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a";
	uint8_t public[ED25519_PUBLIC_BYTES], signature[ED25519_SIGNATURE_BYTES], secret[ED25519_SECRET_BYTES];

	assert_result(text_from_hex(public_hex, public, sizeof(public)), 0);
	assert_result(text_from_hex(signature_hex, signature, sizeof(signature)), 0);
	assert_result(ed25519_verify(public, "\xAF\x82", 2, signature), 0);
	assert_result(ed25519_verify(public, "\xAF\x83", 2, signature), -EBADMSG);
	assert_result(ed25519_verify(public, "\xAF\x82", 1, signature), -EBADMSG);
	/* s + the group's order: the same point to a careless verifier. */
	signature[63] = (uint8_t)(signature[63] + 0x10);
	assert_result(ed25519_verify(public, "\xAF\x82", 2, signature), -EBADMSG);
	assert_result(ed25519_make(secret, public), 0);
	assert_result(ed25519_sign(secret, "x", 1, signature), 0);
	assert_result(ed25519_verify(public, "x", 1, signature), 0);
	assert_result(ed25519_verify(public, "y", 1, signature), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answer),    cmocka_unit_test(every_byte_changed),
		cmocka_unit_test(truncated),       cmocka_unit_test(refused_forms),
		cmocka_unit_test(several_signers), cmocka_unit_test(one_bad_of_two),
		cmocka_unit_test(limits),          cmocka_unit_test(wrong_signature_length),
		cmocka_unit_test(refused_keys),    cmocka_unit_test(refused_signing),
		cmocka_unit_test(ed25519),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
