/* SPDX-License-Identifier: MIT */
#include "jose/jwks.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "jose/base64url.h"
#include "jose/jwks_key.h"
#include "jose/jws_verify.h"
#include "jose/public_key.h"
#include "json/json_read.h"

/* ---- one key ----------------------------------------------------------------------------------- */
/* Members of private and of symmetric keys (RFC 7518, 6.2.2, 6.3.2, 6.4.1): one that is published is nobody's any more.
 */
static const char *const private_members[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"};

/* Positive: a key that is not for us. */
enum { FOREIGN = 1 };

/* A member that is a string, or not there (NULL). */
static int read_text(const json_t *jwk, const char *name, const char **ret, struct problem *problem)
{
	const json_t *value = json_object_get(jwk, name);

	*ret = NULL;
	if (!value)
		return 0;
	if (!json_is_string(value))
		return problem_set(problem, EINVAL, "\"%s\" of a key is no string", name);
	*ret = json_string_value(value);
	return 0;
}

static int read_number(const json_t *jwk, const char *name, uint8_t *out, size_t size, size_t *ret_length,
		       struct problem *problem)
{
	const char *text;
	int r = read_text(jwk, name, &text, problem);

	if (r < 0)
		return r;
	if (!text)
		return problem_set(problem, EINVAL, "a key has no \"%s\"", name);
	r = base64url_decode(text, strlen(text), out, size, ret_length);
	if (r == -ENOSPC)
		return problem_set(problem, EINVAL, "\"%s\" of a key is too long", name);
	if (r < 0)
		return problem_set(problem, EINVAL, "\"%s\" of a key is not base64url", name);
	return 0;
}

static int read_exact(const json_t *jwk, const char *name, uint8_t *out, size_t size, struct problem *problem)
{
	size_t length;
	int r = read_number(jwk, name, out, size, &length, problem);

	if (r == 0 && length != size)
		return problem_set(problem, EINVAL, "\"%s\" of a key is not %zu bytes long", name, size);
	return r;
}

static int refuse(int r, const char *what, struct problem *problem)
{
	if (r == 0)
		return 0;
	if (r == -EINVAL)
		return problem_set(problem, EINVAL, "%s", what);
	return problem_set(problem, -r, "a key could not be checked");
}

static int read_rsa(const json_t *jwk, struct jwks_key *ret, struct problem *problem)
{
	uint8_t modulus[PUBLIC_KEY_RSA_BITS_MAX / 8], exponent[PUBLIC_KEY_EXPONENT_BYTES_MAX];
	size_t modulus_length = 0, exponent_length = 0;
	int r = read_number(jwk, "n", modulus, sizeof(modulus), &modulus_length, problem);

	if (r == 0)
		r = read_number(jwk, "e", exponent, sizeof(exponent), &exponent_length, problem);
	if (r < 0)
		return r;
	ret->algorithms = JWS_RS256 | JWS_PS256;
	return refuse(public_key_rsa(modulus, modulus_length, exponent, exponent_length, &ret->key),
		      "an RSA key has a modulus under 2048 or over 4096 bits, or numbers that no such key has",
		      problem);
}

static int read_ec(const json_t *jwk, struct jwks_key *ret, struct problem *problem)
{
	uint8_t x[PUBLIC_KEY_P256_BYTES], y[PUBLIC_KEY_P256_BYTES];
	int r = read_exact(jwk, "x", x, sizeof(x), problem);

	if (r == 0)
		r = read_exact(jwk, "y", y, sizeof(y), problem);
	if (r < 0)
		return r;
	ret->algorithms = JWS_ES256;
	return refuse(public_key_p256(x, y, &ret->key), "a key is no point of the curve P-256", problem);
}

static int read_ed25519(const json_t *jwk, struct jwks_key *ret, struct problem *problem)
{
	uint8_t x[PUBLIC_KEY_ED25519_BYTES];
	int r = read_exact(jwk, "x", x, sizeof(x), problem);

	if (r < 0)
		return r;
	ret->algorithms = JWS_EDDSA;
	return refuse(public_key_ed25519(x, &ret->key), "an Ed25519 key is one for which anybody can sign", problem);
}

/* `use` and `key_ops` (RFC 7517, 4.2 and 4.3). 0: for signatures; FOREIGN: for something else. */
static int read_purpose(const json_t *jwk, struct problem *problem)
{
	const json_t *operations = json_object_get(jwk, "key_ops"), *operation;
	const char *use;
	bool verify = !operations;
	size_t i;
	int r = read_text(jwk, "use", &use, problem);

	if (r < 0)
		return r;
	if (operations && !json_is_array(operations))
		return problem_set(problem, EINVAL, "\"key_ops\" of a key is no list");
	json_array_foreach(operations, i, operation)
	{
		if (!json_is_string(operation))
			return problem_set(problem, EINVAL, "\"key_ops\" of a key has something other than strings");
		verify = verify || text_equal(json_string_value(operation), "verify");
	}
	return (!use || text_equal(use, "sig")) && verify ? 0 : FOREIGN;
}

static int read_kid(const json_t *jwk, char ret[JWKS_KID_MAX], struct problem *problem)
{
	const char *kid;
	int r = read_text(jwk, "kid", &kid, problem);

	if (r < 0 || !kid)
		return r;
	if (kid[0] == '\0' || strlen(kid) >= JWKS_KID_MAX || !text_is_printable(kid, strlen(kid)))
		return problem_set(problem, EINVAL,
				   "\"kid\" of a key is empty, longer than %u bytes, or has control characters",
				   JWKS_KID_MAX - 1);
	memcpy(ret, kid, strlen(kid) + 1);
	return 0;
}

/* The algorithms that the key's kind has and its own word leaves. */
static int narrow(const char *algorithm, struct jwks_key *key, struct problem *problem)
{
	if (!algorithm)
		return 0;
	key->algorithms &= jws_algorithm(algorithm);
	if (key->algorithms == 0)
		return problem_set(problem, EINVAL, "\"alg\" of a key does not fit its kind");
	return 0;
}

/* 0, FOREIGN or -errno; `ret->key` is the caller's in any case. */
static int read_key(const json_t *jwk, struct jwks_key *ret, struct problem *problem)
{
	const char *kind, *curve, *algorithm;
	int r;

	if (!json_is_object(jwk))
		return problem_set(problem, EINVAL, "a key is no JSON object");
	for (size_t i = 0; i < ARRAY_LEN(private_members); i++)
		if (json_object_get(jwk, private_members[i])) {
			problem_remedy(problem, "the provider publishes a secret: it must replace this key at once");
			return problem_set(problem, EINVAL, "the set holds a private key");
		}
	if (read_text(jwk, "kty", &kind, problem) < 0 || read_text(jwk, "crv", &curve, problem) < 0 ||
	    read_text(jwk, "alg", &algorithm, problem) < 0)
		return -EINVAL;
	if (!kind)
		return problem_set(problem, EINVAL, "a key has no \"kty\"");
	r = read_kid(jwk, ret->kid, problem);
	if (r == 0)
		r = read_purpose(jwk, problem);
	if (r != 0)
		return r;
	if (algorithm && jws_algorithm(algorithm) == 0)
		return FOREIGN;
	if (text_equal(kind, "RSA"))
		r = read_rsa(jwk, ret, problem);
	else if (text_equal(kind, "EC") && text_equal(curve, "P-256"))
		r = read_ec(jwk, ret, problem);
	else if (text_equal(kind, "OKP") && text_equal(curve, "Ed25519"))
		r = read_ed25519(jwk, ret, problem);
	else if (algorithm)
		return problem_set(problem, EINVAL, "\"alg\" of a key does not fit its kind");
	else
		return FOREIGN;
	return r < 0 ? r : narrow(algorithm, ret, problem);
}

/* ---- the set ----------------------------------------------------------------------------------- */
static int read_keys(const json_t *list, struct jwks *set, struct problem *problem)
{
	const json_t *jwk;
	size_t i;

	json_array_foreach(list, i, jwk)
	{
		struct jwks_key *key = &set->keys[set->count];
		int r = read_key(jwk, key, problem);

		if (r != 0) {
			EVP_PKEY_free(key->key);
			memset(key, 0, sizeof(*key));
			if (r < 0)
				return r;
			continue;
		}
		set->count++;
		if (key->kid[0])
			for (uint32_t j = 0; j + 1 < set->count; j++)
				if (text_equal(set->keys[j].kid, key->kid))
					return problem_set(problem, EINVAL, "two keys have the same \"kid\"");
	}
	if (set->count == 0)
		return problem_set(problem, EINVAL, "none of its keys is for RS256, PS256, ES256 or EdDSA (Ed25519)");
	return 0;
}

int jwks_parse(const char *text, size_t length, struct jwks **ret, struct problem *problem)
{
	_cleanup_(json_decrefp) json_t *document = NULL;
	_cleanup_(jwks_unrefp) struct jwks *set = NULL;
	const json_t *list;
	int r;

	if (length > JWKS_BYTES_MAX)
		return problem_set(problem, EINVAL, "the set of keys is larger than %u bytes", JWKS_BYTES_MAX);
	r = json_read(text, length, &document, problem);
	if (r < 0)
		return r == -EBADMSG ? -EINVAL : r;
	list = json_object_get(document, "keys");
	if (!json_is_array(list))
		return problem_set(problem, EINVAL, "the set of keys has no list \"keys\"");
	if (json_array_size(list) > JWKS_KEYS_MAX)
		return problem_set(problem, EINVAL, "the set has more than %u keys", JWKS_KEYS_MAX);
	set = calloc(1, sizeof(*set) + json_array_size(list) * sizeof(set->keys[0]));
	if (!set)
		return -ENOMEM;
	set->references = 1;
	r = read_keys(list, set, problem);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(set);
	return 0;
}

struct jwks *jwks_ref(struct jwks *keys)
{
	(void)__atomic_add_fetch(&keys->references, 1, __ATOMIC_RELAXED);
	return keys;
}

void jwks_unref(struct jwks *keys)
{
	if (!keys || __atomic_sub_fetch(&keys->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (uint32_t i = 0; i < keys->count; i++)
		EVP_PKEY_free(keys->keys[i].key);
	free(keys);
}

uint32_t jwks_count(const struct jwks *keys)
{
	return keys->count;
}

bool jwks_has(const struct jwks *keys, const char *kid)
{
	for (uint32_t i = 0; i < keys->count; i++)
		if (kid[0] && text_equal(keys->keys[i].kid, kid))
			return true;
	return false;
}
