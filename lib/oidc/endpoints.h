/* SPDX-License-Identifier: MIT
 *
 * Where a provider is asked what: from its discovery document (OpenID Connect Discovery 1.0, RFC 8414, RFC 8628), or,
 * for GitHub, known in advance.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/problem.h"
#include "records/records.h"

#define OIDC_URL_MAX 512U /* with NUL */
#define OIDC_DOCUMENT_MAX 262144U

/* Of an issuer, whichever client of it asked: nothing in here hangs on the rest of a record. */
struct oidc_endpoints {
	char discovery[OIDC_URL_MAX]; /* where the rest stands; "": known in advance */
	char device[OIDC_URL_MAX], token[OIDC_URL_MAX];
	char keys[OIDC_URL_MAX];                      /* jwks_uri; "" for GitHub */
	char user[OIDC_URL_MAX];                      /* GitHub's user API; "" */
	char emails[OIDC_URL_MAX];                    /* GitHub's list of addresses; "" */
	unsigned algorithms;                          /* JWS_… of ID tokens */
	bool nonce;                                   /* one may be sent */
	bool pkce;                                    /* S256 is offered */
	bool auth_basic, auth_post, auth_private_key; /* how clients may prove themselves; nothing said: basic */
};
/* What is known without asking: for an OpenID provider only `discovery` (issuer without a last '/', then
 * "/.well-known/openid-configuration"). -EINVAL with the problem: an issuer of another form than its kind has
 * (Microsoft's "common", no https, a query …). `allow_plain`: http:// to loopback, for tests. */
int oidc_endpoints_known(const struct idp_record *idp, bool allow_plain, struct oidc_endpoints *ret,
			 struct problem *problem);
/* Fills in from the discovery document: its issuer must be the record's, byte by byte; endpoints https; a device
 * endpoint there. -EINVAL with the field and the remedy. */
int oidc_endpoints_parse(const struct idp_record *idp, const char *text, size_t length, bool allow_plain,
			 struct oidc_endpoints *ret, struct problem *problem);
