/* SPDX-License-Identifier: MIT */
#include "crypto/ed25519.h"

#include <errno.h>
#include <openssl/evp.h>

#include "base/macros.h"
#include "base/secret.h"

DEFINE_CLEANUP(EVP_PKEY, EVP_PKEY_free)
DEFINE_CLEANUP(EVP_MD_CTX, EVP_MD_CTX_free)

int ed25519_make(uint8_t secret[ED25519_SECRET_BYTES], uint8_t public[ED25519_PUBLIC_BYTES])
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	size_t length = ED25519_PUBLIC_BYTES;
	int r;

	r = random_bytes(secret, ED25519_SECRET_BYTES);
	if (r < 0)
		return r;
	key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, ED25519_SECRET_BYTES);
	if (!key || EVP_PKEY_get_raw_public_key(key, public, &length) != 1 || length != ED25519_PUBLIC_BYTES)
		return -EIO;
	return 0;
}

int ed25519_sign(const uint8_t secret[ED25519_SECRET_BYTES], const void *data, size_t length,
		 uint8_t signature[ED25519_SIGNATURE_BYTES])
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	_cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t size = ED25519_SIGNATURE_BYTES;

	key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, ED25519_SECRET_BYTES);
	if (!key || !context || EVP_DigestSignInit(context, NULL, NULL, NULL, key) != 1 ||
	    EVP_DigestSign(context, signature, &size, data, length) != 1 || size != ED25519_SIGNATURE_BYTES)
		return -EIO;
	return 0;
}

int ed25519_verify(const uint8_t public[ED25519_PUBLIC_BYTES], const void *data, size_t length,
		   const uint8_t signature[ED25519_SIGNATURE_BYTES])
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
	_cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *context = EVP_MD_CTX_new();

	key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public, ED25519_PUBLIC_BYTES);
	if (!key || !context || EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) != 1)
		return -EIO;
	/* OpenSSL tells a wrong signature (0) from a malformed one (negative); to us both are no signature. */
	return EVP_DigestVerify(context, signature, ED25519_SIGNATURE_BYTES, data, length) == 1 ? 0 : -EBADMSG;
}
