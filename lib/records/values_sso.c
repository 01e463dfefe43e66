/* SPDX-License-Identifier: MIT
 *
 * An issuer is compared byte by byte with what tokens say, so it is judged as it stands and never put into another
 * form. What others chose (subjects, client ids, scopes) is judged by what their own standards allow.
 */
#include "records/values_sso.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "jose/base64url.h"
#include "json/json_read.h"

#define ISSUER_BYTES_MAX 511U
#define SUBJECT_BYTES_MAX 255U /* OpenID Connect Core, 2 */
#define CLIENT_BYTES_MAX 255U
#define SECRET_BYTES_MAX 1024U
#define CLIENT_KEY_BYTES_MAX 8192U
#define CLAIM_BYTES_MAX 255U
#define DOMAIN_BYTES_MAX 253U
#define LABEL_BYTES_MAX 63U
#define COORDINATE_BYTES 32U
#define MODULUS_BYTES_MIN 256U
#define MODULUS_BYTES_MAX 1024U

const char *const value_idp_kind_words[] = {"oidc", "google", "microsoft", "github", "tenantd", NULL};
const char *const value_client_auth_words[] = {"none", "client_secret_basic", "client_secret_post", "private_key_jwt",
					       NULL};
const char *const value_bind_words[] = {"listed", "verified_email", NULL};

static int fail(struct value_fault *fault, const char *what, const char *remedy)
{
	*fault = (struct value_fault){0};
	snprintf(fault->what, sizeof(fault->what), "%s", what);
	snprintf(fault->remedy, sizeof(fault->remedy), "%s", remedy);
	return -EINVAL;
}

static int fail_secret(struct value_fault *fault, const char *what, const char *remedy)
{
	fail(fault, what, remedy);
	fault->secret = true;
	return -EINVAL;
}

/* ASCII from `first` on that can be seen, from one to `most` bytes. */
static bool is_ascii(const char *text, size_t length, char first, size_t most)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] < first || text[i] > 0x7e)
			return false;
	return length > 0 && length <= most;
}

/* Where the host of "https://host:port/path" ends; NULL: it is no host. Brackets are for IPv6. */
static const char *host_end(const char *host)
{
	size_t length = *host == '[' ? 1 + strspn(host + 1, "0123456789abcdefABCDEF:.") : strcspn(host, ":/");

	if (*host == '[')
		return host[length] == ']' && length > 1 ? host + length + 1 : NULL;
	for (size_t i = 0; i < length; i++)
		if (!((host[i] >= 'a' && host[i] <= 'z') || (host[i] >= 'A' && host[i] <= 'Z') ||
		      (host[i] >= '0' && host[i] <= '9') || host[i] == '-' || host[i] == '.'))
			return NULL;
	return length > 0 && length <= DOMAIN_BYTES_MAX && *host != '-' && *host != '.' ? host + length : NULL;
}

static bool is_loopback(const char *host, size_t length)
{
	static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strlen(names[i]) == length && memcmp(names[i], host, length) == 0)
			return true;
	return false;
}

/* Plain http is for a provider on this very machine, as tests have it, and then only where whoever asks it allows
 * that as well. */
static int check_issuer(const char *text, size_t length, struct value_fault *fault)
{
	static const char form[] =
		"write it as the provider's tokens have it in \"iss\", like https://login.example.com";
	bool plain = text_starts(text, "http://");
	const char *host, *end, *rest;

	if (!is_ascii(text, length, 0x21, ISSUER_BYTES_MAX) || (!plain && !text_starts(text, "https://")))
		return fail(fault, "not an https URL", form);
	host = strstr(text, "://") + 3;
	rest = end = host_end(host);
	if (end && *end == ':') {
		size_t digits = strspn(end + 1, "0123456789");

		rest = digits > 0 && digits <= 5 ? end + 1 + digits : NULL;
	}
	if (!rest || (*rest && *rest != '/'))
		return fail(fault, "not the URL of a host", form);
	if (strpbrk(rest, "?#\\\"<>"))
		return fail(fault, "a URL with a query, a fragment or characters that URLs do not have", form);
	if (plain && !is_loopback(host, (size_t)(end - host)))
		return fail(fault, "not an https URL", "http:// is for a provider on this machine only");
	return 0;
}

static bool is_domain(const char *text, size_t length)
{
	size_t label = 0, dots = 0;

	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		if (c == '.') {
			if (label == 0 || text[i - 1] == '-')
				return false;
			label = 0;
			dots++;
			continue;
		}
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '-' && label > 0)) ||
		    ++label > LABEL_BYTES_MAX)
			return false;
	}
	return length <= DOMAIN_BYTES_MAX && dots > 0 && label > 0 && text[length - 1] != '-';
}

static bool has_bytes(const json_t *jwk, const char *name, size_t least, size_t most)
{
	const char *text = json_string_value(json_object_get(jwk, name));
	uint8_t bytes[MODULUS_BYTES_MAX];
	size_t length = 0;
	bool good = text && base64url_decode(text, strlen(text), bytes, sizeof(bytes), &length) == 0 &&
		    length >= least && length <= most;

	explicit_bzero(bytes, sizeof(bytes));
	return good;
}

/* RFC 7518, 6.2 and 6.3: a private key that RS256, PS256 or ES256 can be made with. Whether its numbers belong
 * together shows when it is used. */
static bool is_private_jwk(const char *text, size_t length)
{
	_cleanup_(json_decrefp) json_t *jwk = NULL;
	struct problem problem = {0};
	const char *kty;

	if (length > CLIENT_KEY_BYTES_MAX || json_read(text, length, &jwk, &problem) < 0 || !json_is_object(jwk))
		return false;
	kty = json_string_value(json_object_get(jwk, "kty"));
	if (text_equal(kty, "EC"))
		return text_equal(json_string_value(json_object_get(jwk, "crv")), "P-256") &&
		       has_bytes(jwk, "x", COORDINATE_BYTES, COORDINATE_BYTES) &&
		       has_bytes(jwk, "y", COORDINATE_BYTES, COORDINATE_BYTES) &&
		       has_bytes(jwk, "d", COORDINATE_BYTES, COORDINATE_BYTES);
	return text_equal(kty, "RSA") && has_bytes(jwk, "n", MODULUS_BYTES_MIN, MODULUS_BYTES_MAX) &&
	       has_bytes(jwk, "e", 1, 8) && has_bytes(jwk, "d", 1, MODULUS_BYTES_MAX);
}

/* RFC 6749, 3.3. */
static bool is_scope(const char *text, size_t length)
{
	return is_ascii(text, length, 0x21, CLAIM_BYTES_MAX) && !memchr(text, '"', length) &&
	       !memchr(text, '\\', length);
}

static int check_secret(enum value_kind kind, const char *text, size_t length, struct value_fault *fault)
{
	if (kind == VALUE_CLIENT_SECRET)
		return is_ascii(text, length, 0x20, SECRET_BYTES_MAX)
			       ? 0
			       : fail_secret(fault, "not a client secret",
					     "copy it from the provider, at most 1024 characters on one line");
	return is_private_jwk(text, length)
		       ? 0
		       : fail_secret(fault, "not a private key as JWK",
				     "a JSON object, as text, with kty EC (P-256) or RSA (2048 bits or more) and its "
				     "private \"d\"");
}

int value_check_sso(enum value_kind kind, const char *text, size_t length, struct value_fault *fault)
{
	if (kind == VALUE_ISSUER)
		return check_issuer(text, length, fault);
	if (kind == VALUE_CLIENT_SECRET || kind == VALUE_CLIENT_KEY)
		return check_secret(kind, text, length, fault);
	if (kind == VALUE_SUBJECT)
		return is_ascii(text, length, 0x20, SUBJECT_BYTES_MAX)
			       ? 0
			       : fail(fault, "not a subject",
				      "copy it from the token's \"sub\" (GitHub: the account's number), at most 255 "
				      "ASCII characters");
	if (kind == VALUE_CLIENT_ID)
		return is_ascii(text, length, 0x20, CLIENT_BYTES_MAX)
			       ? 0
			       : fail(fault, "not a client id", "copy it from the provider, at most 255 characters");
	if (kind == VALUE_SCOPE)
		return is_scope(text, length) ? 0 : fail(fault, "not a scope", "one word each, like openid");
	if (kind == VALUE_CLAIM)
		return is_ascii(text, length, 0x21, CLAIM_BYTES_MAX)
			       ? 0
			       : fail(fault, "not a value that a token may have",
				      "visible ASCII characters without spaces, at most 255");
	if (kind == VALUE_DOMAIN)
		return is_domain(text, length)
			       ? 0
			       : fail(fault, "not a domain", "write it in small letters, like example.com");
	return fail(fault, "of an unknown type", "");
}
