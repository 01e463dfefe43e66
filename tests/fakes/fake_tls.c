/* SPDX-License-Identifier: MIT */
#include "../fakes/fake_tls.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/unit.h"
#include "crypto/digest.h"

static char *take_text(BIO *bio)
{
	char *data, *copy;
	long length = BIO_get_mem_data(bio, &data);

	assert_true(length > 0);
	copy = strndup(data, (size_t)length);
	assert_non_null(copy);
	BIO_free(bio);
	return copy;
}

static void add_name(X509 *certificate, const char *address)
{
	char text[128];
	X509_EXTENSION *extension;

	snprintf(text, sizeof(text), "%s:%s", strspn(address, "0123456789.") == strlen(address) ? "IP" : "DNS",
		 address);
	extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, text);
	assert_non_null(extension);
	assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

void fake_tls_make(const char *address, struct fake_tls *ret)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	unsigned char *public = NULL;
	uint8_t digest[SHA256_BYTES];
	char *pin;
	int length;

	assert_non_null(key);
	assert_non_null(certificate);
	assert_int_equal(X509_set_version(certificate, X509_VERSION_3), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
	assert_int_equal(X509_set_pubkey(certificate, key), 1);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
				   (const unsigned char *)"test", -1, -1, 0);
	assert_int_equal(X509_set_issuer_name(certificate, X509_get_subject_name(certificate)), 1);
	add_name(certificate, address);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);

	assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	ret->key = take_text(bio);
	bio = BIO_new(BIO_s_mem());
	assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
	ret->certificate = take_text(bio);

	length = i2d_PUBKEY(key, &public);
	assert_true(length > 0);
	assert_int_equal(sha256(public, (size_t)length, digest), 0);
	OPENSSL_free(public);
	pin = base64_encode(digest, sizeof(digest));
	assert_non_null(pin);
	snprintf(ret->pin, sizeof(ret->pin), "sha256//%s", pin);
	free(pin);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

void fake_tls_finish(struct fake_tls *tls)
{
	free(tls->key);
	free(tls->certificate);
	*tls = (struct fake_tls){0};
}
