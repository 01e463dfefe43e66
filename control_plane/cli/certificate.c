/* SPDX-License-Identifier: MIT */
#include "control_plane/cli/certificate.h"

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define YEARS 10
#define HOST_SIZE 256

DEFINE_CLEANUP(EVP_PKEY, EVP_PKEY_free)
DEFINE_CLEANUP(X509, X509_free)
DEFINE_CLEANUP(BIO, BIO_free)

/* Without brackets and port. */
static int host_of(const char *url, char out[HOST_SIZE])
{
	const char *host = strstr(url, "://");
	size_t length;

	host = host ? host + 3 : url;
	if (host[0] == '[') {
		host++;
		length = strcspn(host, "]");
	} else {
		length = strcspn(host, ":/");
	}
	if (length == 0 || length >= HOST_SIZE)
		return -EINVAL;
	memcpy(out, host, length);
	out[length] = '\0';
	return 0;
}

static bool is_address(const char *host)
{
	return strchr(host, ':') || strspn(host, "0123456789.") == strlen(host);
}

static bool add_extension(X509 *certificate, int id, const char *text)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;
	bool done;

	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, id, text);
	done = extension && X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return done;
}

static bool fill(X509 *certificate, EVP_PKEY *key, const char *host)
{
	char names[HOST_SIZE + 8];
	X509_NAME *name = X509_get_subject_name(certificate);
	BIGNUM *serial = BN_new();
	bool done;

	(void)snprintf(names, sizeof(names), "%s:%s", is_address(host) ? "IP" : "DNS", host);
	done = serial && BN_rand(serial, 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
	       BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(certificate)) &&
	       X509_set_version(certificate, 2) == 1 &&
	       /* A name has 64 characters at most; who asks looks at the alternative name. */
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"tenant-control", -1, -1,
					  0) == 1 &&
	       X509_set_issuer_name(certificate, name) == 1 &&
	       X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) && /* clocks differ */
	       X509_time_adj_ex(X509_getm_notAfter(certificate), YEARS * 365, 0, NULL) &&
	       X509_set_pubkey(certificate, key) == 1 && add_extension(certificate, NID_subject_alt_name, names) &&
	       add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(certificate, NID_key_usage, "critical,digitalSignature") &&
	       add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
	       add_extension(certificate, NID_subject_key_identifier, "hash") &&
	       X509_sign(certificate, key, EVP_sha256()) > 0;
	BN_free(serial);
	return done;
}

static int take_bio(BIO *bio, struct buffer *out)
{
	char *data = NULL;
	long length = BIO_get_mem_data(bio, &data);

	return length <= 0 ? -EIO : buffer_add(out, data, (size_t)length);
}

int certificate_make(const char *url, struct buffer *ret_certificate, struct buffer *ret_key, struct problem *problem)
{
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
	_cleanup_(X509_freep) X509 *certificate = X509_new();
	_cleanup_(BIO_freep) BIO *public = BIO_new(BIO_s_mem()), *private = BIO_new(BIO_s_secmem());
	char host[HOST_SIZE];

	if (host_of(url, host) < 0)
		return problem_set(problem, EINVAL, "the URL has no host to make a certificate for");
	if (!key || !certificate || !public || !private || !fill(certificate, key, host) ||
	    PEM_write_bio_X509(public, certificate) != 1 ||
	    PEM_write_bio_PrivateKey(private, key, NULL, NULL, 0, NULL, NULL) != 1 ||
	    take_bio(public, ret_certificate) < 0 || take_bio(private, ret_key) < 0)
		return problem_set(problem, EIO, "OpenSSL does not make a certificate");
	return 0;
}

static int no_password(char *buffer, int size, int writing, void *context)
{
	return 0;
}

static EVP_PKEY *read_key(const char *path)
{
	_cleanup_(BIO_freep) BIO *file = BIO_new_file(path, "re");

	return file ? PEM_read_bio_PrivateKey(file, NULL, no_password, NULL) : NULL;
}

static X509 *read_certificate(const char *path)
{
	_cleanup_(BIO_freep) BIO *file = BIO_new_file(path, "re");

	return file ? PEM_read_bio_X509(file, NULL, no_password, NULL) : NULL;
}

int certificate_read(const char *certificate_path, const char *key_path, const char *url, struct certificate_facts *ret,
		     struct problem *problem)
{
	_cleanup_(X509_freep) X509 *certificate = read_certificate(certificate_path);
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *key = read_key(key_path);
	char host[HOST_SIZE];
	struct tm end = {0};

	if (!certificate)
		return problem_set(problem, EINVAL, "%s: no certificate that can be read", certificate_path);
	if (!key)
		return problem_set(problem, EINVAL, "%s: no key that can be read", key_path);
	if (host_of(url, host) < 0 || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1)
		return problem_set(problem, EINVAL, "%s: not as it should be", certificate_path);
	*ret = (struct certificate_facts){
		.not_after = timegm(&end),
		.for_host = is_address(host) ? X509_check_ip_asc(certificate, host, 0) == 1
					     : X509_check_host(certificate, host, 0, 0, NULL) == 1,
		.own_key = X509_check_private_key(certificate, key) == 1,
	};
	return 0;
}
