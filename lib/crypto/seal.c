/* SPDX-License-Identifier: MIT */
#include "crypto/seal.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <string.h>

#include "base/macros.h"
#include "base/secret.h"

#define MAGIC "TNTSEAL1"
#define MAGIC_BYTES ((size_t)8)
#define SALT_BYTES ((size_t)16)
#define NONCE_BYTES ((size_t)12)
#define TAG_BYTES ((size_t)16)
#define HEADER_BYTES (MAGIC_BYTES + SALT_BYTES + NONCE_BYTES)
#define AES_KEY_BYTES 32
#define UPDATE_MAX ((size_t)1 << 30) /* OpenSSL counts in int */

DEFINE_CLEANUP(EVP_KDF, EVP_KDF_free)
DEFINE_CLEANUP(EVP_KDF_CTX, EVP_KDF_CTX_free)
DEFINE_CLEANUP(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)

/* HKDF of RFC 5869 with the purpose as its info. */
static int derive(const struct seal_key *key, const char *purpose, const uint8_t *salt, uint8_t out[AES_KEY_BYTES])
{
	_cleanup_(EVP_KDF_freep) EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	_cleanup_(EVP_KDF_CTX_freep) EVP_KDF_CTX *context = NULL;
	uint8_t secret[SEAL_KEY_BYTES], salt_copy[SALT_BYTES];
	char digest[] = "SHA256", info[256];
	size_t info_length = strlen(purpose);
	OSSL_PARAM parameters[5];
	int ok;

	if (!kdf || info_length >= sizeof(info))
		return -EIO;
	context = EVP_KDF_CTX_new(kdf);
	if (!context)
		return -ENOMEM;
	/* Copies, since the parameters take no pointers to const. */
	memcpy(secret, key->bytes, sizeof(secret));
	memcpy(salt_copy, salt, sizeof(salt_copy));
	memcpy(info, purpose, info_length);
	parameters[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
	parameters[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret, sizeof(secret));
	parameters[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt_copy, sizeof(salt_copy));
	parameters[3] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, info_length);
	parameters[4] = OSSL_PARAM_construct_end();
	ok = EVP_KDF_derive(context, out, AES_KEY_BYTES, parameters);
	secret_wipe(secret, sizeof(secret));
	return ok == 1 ? 0 : -EIO;
}

/* A cipher that has taken key, nonce and header. */
static int start(const struct seal_key *key, const char *purpose, const uint8_t *header, bool encrypt,
		 EVP_CIPHER_CTX **ret)
{
	_cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *context = NULL;
	uint8_t aes[AES_KEY_BYTES];
	int r, ok, n;

	r = derive(key, purpose, header + MAGIC_BYTES, aes);
	if (r < 0)
		return r;
	context = EVP_CIPHER_CTX_new();
	/* Twelve bytes are the nonce length that GCM has by itself. */
	ok = context &&
	     EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, aes, header + MAGIC_BYTES + SALT_BYTES, encrypt) ==
		     1 &&
	     EVP_CipherUpdate(context, NULL, &n, header, (int)HEADER_BYTES) == 1;
	secret_wipe(aes, sizeof(aes));
	if (!context)
		return -ENOMEM;
	if (!ok)
		return -EIO;
	*ret = TAKE_PTR(context);
	return 0;
}

static int update(EVP_CIPHER_CTX *context, uint8_t *out, const uint8_t *in, size_t length)
{
	while (length > 0) {
		int step = (int)MIN_OF(length, UPDATE_MAX), n;

		if (EVP_CipherUpdate(context, out, &n, in, step) != 1 || n != step)
			return -EIO;
		out += step;
		in += step;
		length -= (size_t)step;
	}
	return 0;
}

/* `out` has room for the sealed form; `data` may lie where its middle goes. */
static int seal_into(const struct seal_key *key, const char *purpose, const uint8_t *data, size_t length, uint8_t *out)
{
	_cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *context = NULL;
	int r, n;

	memcpy(out, MAGIC, MAGIC_BYTES);
	r = random_bytes(out + MAGIC_BYTES, SALT_BYTES + NONCE_BYTES);
	if (r < 0)
		return -EIO;
	r = start(key, purpose, out, true, &context);
	if (r < 0)
		return r;
	r = update(context, out + HEADER_BYTES, data, length);
	if (r < 0)
		return r;
	out += HEADER_BYTES + length;
	if (EVP_CipherFinal_ex(context, out, &n) != 1 || n != 0 ||
	    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, (int)TAG_BYTES, out) != 1)
		return -EIO;
	return 0;
}

int seal(const struct seal_key *key, const char *purpose, const void *data, size_t length, struct buffer *ret)
{
	uint8_t *out;
	int r;

	if (length > PTRDIFF_MAX / 2)
		return -ENOMEM;
	out = (uint8_t *)buffer_reserve(ret, HEADER_BYTES + length + TAG_BYTES);
	if (!out)
		return -ENOMEM;
	r = seal_into(key, purpose, data, length, out);
	if (r == 0)
		ret->length += HEADER_BYTES + length + TAG_BYTES;
	return r;
}

int seal_in_place(const struct seal_key *key, const char *purpose, struct buffer *buffer)
{
	size_t length = buffer->length;
	uint8_t *all;
	int r;

	if (buffer->failed || !buffer_reserve(buffer, HEADER_BYTES + TAG_BYTES))
		return -ENOMEM;
	all = (uint8_t *)buffer->data;
	memmove(all + HEADER_BYTES, all, length);
	r = seal_into(key, purpose, all + HEADER_BYTES, length, all);
	if (r == 0)
		buffer->length = HEADER_BYTES + length + TAG_BYTES;
	return r;
}

int unseal(const struct seal_key *key, const char *purpose, const void *data, size_t length, struct buffer *ret)
{
	_cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *context = NULL;
	const uint8_t *in = data;
	uint8_t tag[TAG_BYTES], *out;
	size_t plain;
	int r, n;

	if (length < HEADER_BYTES + TAG_BYTES || memcmp(in, MAGIC, MAGIC_BYTES) != 0)
		return -EBADMSG;
	plain = length - HEADER_BYTES - TAG_BYTES;
	memcpy(tag, in + HEADER_BYTES + plain, sizeof(tag));
	out = (uint8_t *)buffer_reserve(ret, plain);
	if (!out)
		return -ENOMEM;
	r = start(key, purpose, in, false, &context);
	if (r < 0)
		return r;
	if (EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, (int)sizeof(tag), tag) != 1)
		return -EIO;
	r = update(context, out, in + HEADER_BYTES, plain);
	if (r == 0 && EVP_CipherFinal_ex(context, out + plain, &n) != 1)
		r = -EBADMSG;
	if (r < 0) {
		/* Nothing of what failed the test may be used, not even by accident. */
		secret_wipe(out, plain);
		return r;
	}
	ret->length += plain;
	return 0;
}
