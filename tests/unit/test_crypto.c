/* SPDX-License-Identifier: MIT
 *
 * Digests, encodings, API keys and sealing, against published vectors and with everything changed that can be.
 */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "crypto/api_key.h"
#include "crypto/seal.h"

/* Made by another implementation of the same form. */
static const char person_key[] = "tnt_pk_0123456789abcdef_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA0YBtz5";
static const char service_key[] = "tnt_sk_Zz9Yy8Xx7Ww6Vv5U_f3Zq8f3Zq8f3Zq8f3Zq8f3Zq8f3Zq8f3Zq8f3Zq8abc2CvqVG";

static void digests(void **state)
{
	uint8_t out[SHA256_BYTES];
	char hex[2 * SHA256_BYTES + 1];

	/* FIPS 180-2, appendix B. */
	assert_result(sha256("abc", 3, out), 0);
	text_to_hex(out, sizeof(out), hex);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_result(sha256(NULL, 0, out), 0);
	text_to_hex(out, sizeof(out), hex);
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_int_equal(crc32_ieee("123456789", 9), 0xCBF43926);
	assert_int_equal(crc32_ieee(NULL, 0), 0);
	assert_int_equal(crc32_ieee("\xFF\xFF\xFF\xFF", 4), 0xFFFFFFFF);
	for (unsigned byte = 0; byte < 256; byte++) {
		uint8_t text[2] = {(uint8_t)byte, (uint8_t)~byte};
		uint32_t crc = 0xFFFFFFFF;

		for (size_t i = 0; i < 16; i++) {
			if (i % 8 == 0)
				crc ^= text[i / 8];
			crc = crc & 1 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
		}
		assert_int_equal(crc32_ieee(text, sizeof(text)), ~crc);
	}
}

static void base64(void **state)
{
	/* RFC 4648, section 10. */
	static const char *const table[][2] = {{"", ""},
					       {"f", "Zg=="},
					       {"fo", "Zm8="},
					       {"foo", "Zm9v"},
					       {"foob", "Zm9vYg=="},
					       {"fooba", "Zm9vYmE="},
					       {"foobar", "Zm9vYmFy"},
					       {"\xFB\xFF\xFE", "+//+"}};
	static const char *const bad[] = {"Z",      "Zg",   "Zg=",      "Zg===", "=",        "====",
					  "Zh==",   "Zm9=", "Zg==Zg==", "Z===",  "Zm 9",     "Zm9\n",
					  "Zm9v\n", "-__-", "Zg=v",     "Z=g=",  "Zm9v=Zm9", "\xC3\xA9=="};
	uint8_t out[16];
	size_t length;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		char *text = base64_encode(table[i][0], strlen(table[i][0]));

		assert_string_equal(text, table[i][1]);
		free(text);
		assert_result(base64_decode(table[i][1], out, sizeof(out), &length), 0);
		assert_int_equal(length, strlen(table[i][0]));
		assert_memory_equal(out, table[i][0], length);
		if (length > 0) {
			assert_result(base64_decode(table[i][1], out, length, &length), 0);
			assert_result(base64_decode(table[i][1], out, length - 1, &length), -ENOSPC);
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		length = 42;
		if (base64_decode(bad[i], out, sizeof(out), &length) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(length, 42);
	}
}

static void keys_parse(void **state)
{
	struct api_key_parts parts;

	assert_result(api_key_parse(person_key, strlen(person_key), &parts), 0);
	assert_int_equal(parts.kind, API_KEY_PERSON);
	assert_string_equal(parts.id, "0123456789abcdef");
	assert_result(api_key_parse(service_key, strlen(service_key), &parts), 0);
	assert_int_equal(parts.kind, API_KEY_SERVICE);
	assert_string_equal(parts.id, "Zz9Yy8Xx7Ww6Vv5U");
}

static void keys_changed(void **state)
{
	struct api_key_parts parts = {.id = "untouched"};
	char text[API_KEY_TEXT_CHARS + 2];

	assert_int_equal(strlen(person_key), API_KEY_TEXT_CHARS);
	/* Every other byte in every place. */
	for (size_t i = 0; i < API_KEY_TEXT_CHARS; i++)
		for (unsigned c = 0; c < 256; c++) {
			int r;

			if ((char)c == person_key[i])
				continue;
			memcpy(text, person_key, sizeof(person_key));
			text[i] = (char)c;
			r = api_key_parse(text, API_KEY_TEXT_CHARS, &parts);
			if (r == 0)
				fail_msg("accepted: byte %zu changed to %u", i, c);
			assert_true(r == -EINVAL || r == -EBADMSG);
		}
	/* Neighbours swapped: the commonest slip of typing. */
	for (size_t i = 0; i + 1 < API_KEY_TEXT_CHARS; i++) {
		memcpy(text, service_key, sizeof(service_key));
		text[i] = service_key[i + 1];
		text[i + 1] = service_key[i];
		if (text[i] != text[i + 1])
			assert_true(api_key_parse(text, API_KEY_TEXT_CHARS, &parts) < 0);
	}
	/* Cut, and with something after it. */
	for (size_t length = 0; length < API_KEY_TEXT_CHARS; length++) {
		char *exact = malloc(length ? length : 1);

		assert_non_null(exact);
		memcpy(exact, person_key, length);
		assert_result(api_key_parse(exact, length, &parts), -EINVAL);
		assert_int_equal(api_key_has_shape(exact, length), length >= 7);
		free(exact);
	}
	memcpy(text, person_key, sizeof(person_key));
	text[API_KEY_TEXT_CHARS] = '\n';
	assert_result(api_key_parse(text, API_KEY_TEXT_CHARS + 1, &parts), -EINVAL);
	assert_string_equal(parts.id, "untouched");
	/* A typing slip is told from what is no key at all. */
	memcpy(text, person_key, sizeof(person_key));
	text[30] = 'B';
	assert_result(api_key_parse(text, API_KEY_TEXT_CHARS, &parts), -EBADMSG);
	text[30] = '!';
	assert_result(api_key_parse(text, API_KEY_TEXT_CHARS, &parts), -EINVAL);
	assert_false(api_key_has_shape("TNT_pk_", 7));
	assert_false(api_key_has_shape("tnt_xk_0123", 11));
	assert_false(api_key_has_shape("password", 8));
	assert_false(api_key_has_shape("", 0));
}

static void keys_made(void **state)
{
	char before[API_KEY_TEXT_CHARS + 1] = "", text[API_KEY_TEXT_CHARS + 1], id[API_KEY_ID_CHARS + 1];
	uint8_t a[SHA256_BYTES], b[SHA256_BYTES];

	for (int i = 0; i < 2000; i++) {
		static const enum api_key_kind kinds[] = {API_KEY_PERSON, API_KEY_SERVICE, API_KEY_ENROLMENT};
		enum api_key_kind kind = kinds[i % 3];
		struct api_key_parts parts;

		assert_result(api_key_make(kind, text, id), 0);
		assert_int_equal(strlen(text), API_KEY_TEXT_CHARS);
		assert_true(api_key_has_shape(text, strlen(text)));
		assert_result(api_key_parse(text, strlen(text), &parts), 0);
		assert_int_equal(parts.kind, kind);
		assert_string_equal(parts.id, id);
		assert_string_not_equal(text, before);
		/* 256 bits need no digit above the one that 2^256 / 62^42 gives. */
		assert_true(text[24] >= '0' && text[24] <= 'z');
		memcpy(before, text, sizeof(text));
	}
	assert_result(api_key_verifier(text, strlen(text), a), 0);
	assert_result(sha256(text, strlen(text), b), 0);
	assert_memory_equal(a, b, sizeof(a));
	assert_result(api_key_make((enum api_key_kind)7, text, id), -EINVAL);
}

static void random_digits(void **state)
{
	static char text[62001];
	unsigned counts[256] = {0};

	assert_result(base62_random(text, 62000), 0);
	assert_int_equal(strlen(text), 62000);
	for (size_t i = 0; i < 62000; i++)
		counts[(unsigned char)text[i]]++;
	/* A thousand of each are expected; these bounds are eight standard deviations off. */
	for (unsigned c = 0; c < 256; c++) {
		bool digit = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');

		if (digit)
			assert_in_range(counts[c], 750, 1250);
		else
			assert_int_equal(counts[c], 0);
	}
	assert_result(base62_random(text, 0), 0);
	assert_string_equal(text, "");
}

static const struct seal_key host_key = {{1, 2, 3, 4, 5}};

static void seals(void **state)
{
	static const size_t sizes[] = {0, 1, 15, 16, 17, 1000, 300000};

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		_cleanup_(buffer_finish) struct buffer plain = BUFFER_INIT, sealed = BUFFER_INIT,
						       opened = {.wipe = true};
		_cleanup_(buffer_finish) struct buffer again = BUFFER_INIT;

		for (size_t j = 0; j < sizes[i]; j++)
			assert_result(buffer_add_char(&plain, (char)j), 0);
		assert_result(seal(&host_key, "cache", plain.data, plain.length, &sealed), 0);
		assert_int_equal(sealed.length, 8 + 16 + 12 + sizes[i] + 16);
		assert_memory_equal(sealed.data, "TNTSEAL1", 8);
		assert_result(buffer_add_text(&opened, "before"), 0);
		assert_result(unseal(&host_key, "cache", sealed.data, sealed.length, &opened), 0);
		assert_int_equal(opened.length, 6 + sizes[i]);
		assert_memory_equal(opened.data, "before", 6);
		if (sizes[i] > 0)
			assert_memory_equal(opened.data + 6, plain.data, sizes[i]);
		/* Never twice the same. */
		assert_result(seal(&host_key, "cache", plain.data, plain.length, &again), 0);
		assert_memory_not_equal(sealed.data + 8, again.data + 8, 28);
	}
}

static void seals_in_place(void **state)
{

	for (size_t length = 0; length < 5000; length += length < 40 ? 1 : 1237) {
		_cleanup_(buffer_finish) struct buffer form = BUFFER_INIT, plain = BUFFER_INIT, opened = BUFFER_INIT;

		for (size_t i = 0; i < length; i++) {
			buffer_add_char(&form, (char)(i * 7));
			buffer_add_char(&plain, (char)(i * 7));
		}
		assert_result(seal_in_place(&host_key, "cache", &form), 0);
		assert_int_equal(form.length, length + 8 + 16 + 12 + 16);
		assert_result(unseal(&host_key, "cache", form.data, form.length, &opened), 0);
		assert_int_equal(opened.length, length);
		assert_true(length == 0 || memcmp(opened.data, plain.data, length) == 0);
		form.data[form.length / 2] ^= 1;
		assert_result(unseal(&host_key, "cache", form.data, form.length, &opened), -EBADMSG);
	}
	{
		_cleanup_(buffer_finish) struct buffer small = {.limit = 20};

		buffer_add_text(&small, "no room");
		assert_result(seal_in_place(&host_key, "cache", &small), -ENOMEM);
	}
}

static void unseal_refusals(void **state)
{
	_cleanup_(buffer_finish) struct buffer sealed = BUFFER_INIT, out = {.wipe = true};
	struct seal_key other = host_key;

	assert_result(seal(&host_key, "cache", "the content", 11, &sealed), 0);
	assert_result(buffer_add_text(&out, "kept"), 0);
	/* Every bit counts: magic, salt, nonce, content, tag. */
	for (size_t i = 0; i < sealed.length; i++)
		for (int bit = 0; bit < 8; bit++) {
			sealed.data[i] = (char)(sealed.data[i] ^ 1 << bit);
			if (unseal(&host_key, "cache", sealed.data, sealed.length, &out) != -EBADMSG)
				fail_msg("accepted: bit %d of byte %zu changed", bit, i);
			sealed.data[i] = (char)(sealed.data[i] ^ 1 << bit);
		}
	for (size_t length = 0; length < sealed.length; length++) {
		char *exact = malloc(length ? length : 1);

		assert_non_null(exact);
		memcpy(exact, sealed.data, length);
		assert_result(unseal(&host_key, "cache", exact, length, &out), -EBADMSG);
		free(exact);
	}
	assert_result(unseal(&host_key, "login", sealed.data, sealed.length, &out), -EBADMSG);
	assert_result(unseal(&host_key, "", sealed.data, sealed.length, &out), -EBADMSG);
	assert_result(unseal(&host_key, "cache2", sealed.data, sealed.length, &out), -EBADMSG);
	other.bytes[31] ^= 1;
	assert_result(unseal(&other, "cache", sealed.data, sealed.length, &out), -EBADMSG);
	assert_result(buffer_add_char(&sealed, '\0'), 0);
	assert_result(unseal(&host_key, "cache", sealed.data, sealed.length, &out), -EBADMSG);
	assert_int_equal(out.length, 4);
	assert_memory_equal(out.data, "kept", 4);
	/* Nothing of the content was left behind the end either. */
	for (size_t i = out.length; i + 3 < out.capacity && i < 40; i++)
		assert_memory_not_equal(out.data + i, "cont", 4);
	assert_result(unseal(&host_key, "cache", sealed.data, sealed.length - 1, &out), 0);
	assert_string_equal(buffer_text(&out), "keptthe content");
}

/* Sealed by another program (HKDF and AES-GCM of a Python library) from the layout in the header: what rests
 * on disks today must open tomorrow. */
static void known_file(void **state)
{
	static const char hex[] = "544e545345414c316465666768696a6b6c6d6e6f70717273c8c9cacbcccdcecfd0d1d2d331ecbe4a2648"
				  "f4566f28e81bccd727a5a50b6775ea182d451e55ca8a";
	_cleanup_(buffer_finish) struct buffer out = BUFFER_INIT;
	uint8_t data[(sizeof(hex) - 1) / 2];
	struct seal_key key;

	for (size_t i = 0; i < sizeof(key.bytes); i++)
		key.bytes[i] = (uint8_t)i;
	assert_result(text_from_hex(hex, data, sizeof(data)), 0);
	assert_result(unseal(&key, "test", data, sizeof(data), &out), 0);
	assert_string_equal(buffer_text(&out), "known answer");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests),      cmocka_unit_test(base64),         cmocka_unit_test(keys_parse),
		cmocka_unit_test(keys_changed), cmocka_unit_test(keys_made),      cmocka_unit_test(random_digits),
		cmocka_unit_test(seals),        cmocka_unit_test(seals_in_place), cmocka_unit_test(unseal_refusals),
		cmocka_unit_test(known_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
