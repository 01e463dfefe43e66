/* SPDX-License-Identifier: MIT */
#include "jose/signature.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

#include "base/macros.h"
#include "jose/jws_verify.h"

#define ES256_HALF 32U
#define ES256_BYTES (2 * ES256_HALF)
/* SEQUENCE { INTEGER, INTEGER }, each with a zero byte before it at most. */
#define ES256_DER_MAX (2 + 2 * (2 + 1 + ES256_HALF))

DEFINE_CLEANUP(EVP_MD_CTX, EVP_MD_CTX_free)

/* A positive INTEGER of DER (X.690, 8.3) from 32 big-endian bytes. */
static size_t put_integer(const unsigned char half[ES256_HALF], unsigned char *out)
{
	size_t skip = 0, pad;

	while (skip < ES256_HALF - 1 && half[skip] == 0)
		skip++;
	pad = half[skip] >= 0x80;
	out[0] = 0x02;
	out[1] = (unsigned char)(ES256_HALF - skip + pad);
	if (pad)
		out[2] = 0;
	memcpy(out + 2 + pad, half + skip, ES256_HALF - skip);
	return 2 + pad + ES256_HALF - skip;
}

/* r and s as JWS has them (RFC 7518, 3.4) in the form in which OpenSSL wants them. */
static size_t to_der(const unsigned char raw[ES256_BYTES], unsigned char der[ES256_DER_MAX])
{
	size_t length = 2;

	length += put_integer(raw, der + length);
	length += put_integer(raw + ES256_HALF, der + length);
	der[0] = 0x30;
	der[1] = (unsigned char)(length - 2);
	return length;
}

static bool is_pss(EVP_PKEY_CTX *context)
{
	/* RFC 7518, 3.5: the digest again for the mask, and a salt as long as the digest. */
	return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

bool signature_check(EVP_PKEY *key, unsigned algorithm, const void *data, size_t length, const void *signature,
		     size_t signature_length)
{
	_cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *digest = EVP_MD_CTX_new();
	const EVP_MD *kind = algorithm == JWS_EDDSA ? NULL : EVP_sha256();
	unsigned char der[ES256_DER_MAX];
	EVP_PKEY_CTX *context = NULL; /* the digest's */
	bool good;

	if (!digest || EVP_DigestVerifyInit(digest, &context, kind, NULL, key) != 1) {
		ERR_clear_error();
		return false;
	}
	if (algorithm == JWS_ES256) {
		if (signature_length != ES256_BYTES)
			return false;
		signature_length = to_der(signature, der);
		signature = der;
	}
	good = (algorithm != JWS_PS256 || is_pss(context)) &&
	       EVP_DigestVerify(digest, signature, signature_length, data, length) == 1;
	ERR_clear_error();
	return good;
}
