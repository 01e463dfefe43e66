/* SPDX-License-Identifier: MIT */
#include "crypto/digest_stream.h"

#include <errno.h>
#include <openssl/evp.h>

/* The stream is OpenSSL's own context under our name. */
static EVP_MD_CTX *context_of(struct sha256_stream *stream)
{
	return (EVP_MD_CTX *)stream;
}

int sha256_stream_new(struct sha256_stream **ret)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	if (!context)
		return -ENOMEM;
	if (EVP_DigestInit_ex(context, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(context);
		return -EIO;
	}
	*ret = (struct sha256_stream *)context;
	return 0;
}

int sha256_stream_add(struct sha256_stream *stream, const void *data, size_t length)
{
	return EVP_DigestUpdate(context_of(stream), data, length) == 1 ? 0 : -EIO;
}

int sha256_stream_end(struct sha256_stream *stream, uint8_t out[SHA256_BYTES])
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned size;

	if (EVP_DigestFinal_ex(context_of(stream), digest, &size) != 1 || size != SHA256_BYTES)
		return -EIO;
	for (unsigned i = 0; i < SHA256_BYTES; i++)
		out[i] = digest[i];
	return 0;
}

void sha256_stream_free(struct sha256_stream *stream)
{
	EVP_MD_CTX_free(context_of(stream));
}
