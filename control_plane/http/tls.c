/* SPDX-License-Identifier: MIT
 *
 * The server's certificate, which may be exchanged while it serves.
 */
#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "control_plane/http/server_internal.h"

#define CHAIN_MAX 10U
#define PEM_MAX (256U * 1024U)

struct generation {
	struct generation *older;
	gnutls_pcert_st chain[CHAIN_MAX];
	unsigned count;
	gnutls_privkey_t key;
};

struct tls {
	char *certificate_path, *key_path;
	/* Older ones are kept until the end, since a handshake may still use one: a few kilobytes for each renewal. */
	_Atomic(struct generation *) newest;
};

/* libmicrohttpd's callback has no context. */
static _Atomic(struct tls *) current;

static void generation_free(struct generation *generation)
{
	for (unsigned i = 0; i < generation->count; i++)
		gnutls_pcert_deinit(&generation->chain[i]);
	if (generation->key)
		gnutls_privkey_deinit(generation->key);
	free(generation);
}
DEFINE_CLEANUP(struct generation, generation_free)

static int read_pem(const char *path, struct buffer *ret, struct problem *problem)
{
	struct stat st;
	int result = file_read(AT_FDCWD, path, PEM_MAX, FILE_TRUST_ANY, geteuid(), ret, &st);

	if (result == 0 && !buffer_text(ret))
		result = -ENOMEM;
	if (result == 0)
		return 0;
	problem_at(problem, path, 0, 0);
	return problem_set(problem, -result, "%s", strerror(-result));
}

static int fault(struct problem *problem, const char *path, int result)
{
	problem_at(problem, path, 0, 0);
	return problem_set(problem, EINVAL, "%s", gnutls_strerror(result));
}

/* Do the two belong together? */
static int compare(const struct generation *generation, const char *key_path, struct problem *problem)
{
	gnutls_pubkey_t of_key;
	gnutls_datum_t a = {NULL, 0}, b = {NULL, 0};
	bool same = false;
	int result = gnutls_pubkey_init(&of_key);

	if (result < 0)
		return fault(problem, key_path, result);
	if (gnutls_pubkey_import_privkey(of_key, generation->key, 0, 0) >= 0 &&
	    gnutls_pubkey_export2(of_key, GNUTLS_X509_FMT_DER, &a) >= 0 &&
	    gnutls_pubkey_export2(generation->chain[0].pubkey, GNUTLS_X509_FMT_DER, &b) >= 0)
		same = a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
	gnutls_free(a.data);
	gnutls_free(b.data);
	gnutls_pubkey_deinit(of_key);
	if (same)
		return 0;
	problem_at(problem, key_path, 0, 0);
	return problem_set(problem, EINVAL, "the key is not the certificate's");
}

static int read_generation(const struct tls *tls, struct generation **ret, struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer certificate = BUFFER_INIT, key = {.wipe = true};
	_cleanup_(generation_freep) struct generation *generation = calloc(1, sizeof(*generation));
	gnutls_datum_t data;
	unsigned count = CHAIN_MAX;
	int result;

	if (!generation)
		return -ENOMEM;
	result = read_pem(tls->certificate_path, &certificate, problem);
	if (result == 0)
		result = read_pem(tls->key_path, &key, problem);
	if (result < 0)
		return result;
	data = (gnutls_datum_t){(unsigned char *)certificate.data, (unsigned)certificate.length};
	result = gnutls_pcert_list_import_x509_raw(generation->chain, &count, &data, GNUTLS_X509_FMT_PEM, 0);
	if (result < 0)
		return fault(problem, tls->certificate_path, result);
	generation->count = count;
	data = (gnutls_datum_t){(unsigned char *)key.data, (unsigned)key.length};
	result = gnutls_privkey_init(&generation->key);
	if (result >= 0)
		result = gnutls_privkey_import_x509_raw(generation->key, &data, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (result < 0)
		return fault(problem, tls->key_path, result);
	result = compare(generation, tls->key_path, problem);
	if (result < 0)
		return result;
	*ret = TAKE_PTR(generation);
	return 0;
}

int tls_reload(struct tls *tls, struct problem *problem)
{
	struct generation *generation;
	int result = read_generation(tls, &generation, problem);

	if (result < 0)
		return result;
	generation->older = atomic_load(&tls->newest);
	atomic_store(&tls->newest, generation);
	return 0;
}

int tls_load(const char *certificate, const char *key, struct tls **ret, struct problem *problem)
{
	struct tls *tls = calloc(1, sizeof(*tls));
	int result = -ENOMEM;

	if (!tls)
		return result;
	tls->certificate_path = strdup(certificate);
	tls->key_path = strdup(key);
	if (tls->certificate_path && tls->key_path)
		result = tls_reload(tls, problem);
	if (result < 0) {
		tls_free(tls);
		return result;
	}
	atomic_store(&current, tls);
	*ret = tls;
	return 0;
}

void tls_free(struct tls *tls)
{
	struct generation *generation;

	if (!tls)
		return;
	generation = atomic_load(&tls->newest);
	while (generation) {
		struct generation *older = generation->older;

		generation_free(generation);
		generation = older;
	}
	free(tls->certificate_path);
	free(tls->key_path);
	free(tls);
}

int tls_retrieve(gnutls_session_t session, const gnutls_datum_t *names, int name_count,
		 const gnutls_pk_algorithm_t *algorithms, int algorithm_count, struct gnutls_pcert_st **certificates,
		 unsigned *count, struct gnutls_privkey_st **key)
{
	struct generation *generation = atomic_load(&atomic_load(&current)->newest);

	*certificates = generation->chain;
	*count = generation->count;
	*key = generation->key;
	return 0;
}
