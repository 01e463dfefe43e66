/* SPDX-License-Identifier: MIT
 *
 * ID tokens (OpenID Connect Core 1.0, 3.1.3.7) and access tokens of an identity provider (RFC 9068): every check, each
 * with a reason of its own. Pure: keys, rules and the time go in, who it is comes out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jose/jws_verify.h"
#include "records/records.h"

#define OIDC_LEEWAY_SEC 60
#define OIDC_SUBJECT_MAX 256U /* with NUL; OpenID allows 255 */

/* Somebody, as an issuer knows them. */
struct oidc_identity {
	char issuer[512], subject[OIDC_SUBJECT_MAX];
	char email[255];                    /* "" */
	bool email_verified;                /* by the issuer's own word, as its kind gives it */
	char name[128];                     /* for the audit and `tenantctl sso test`; printable */
	int64_t issued, expires, auth_time; /* 0: not said */
	char token_id[128];                 /* jti; "" */
};

enum token_fault {
	TOKEN_FINE,
	TOKEN_SIGNED_BADLY, /* enum jws_fault says how */
	TOKEN_NO_CLAIM,     /* iss, sub, aud, exp or iat is missing, or of another type */
	TOKEN_OTHER_ISSUER,
	TOKEN_OTHER_AUDIENCE,
	TOKEN_OTHER_PARTY, /* azp: several audiences without one, or another client */
	TOKEN_OVER,        /* exp */
	TOKEN_TOO_EARLY,   /* nbf */
	TOKEN_FROM_FUTURE, /* iat */
	TOKEN_TOO_LONG,    /* a lifetime over a day, or ends before it begins */
	TOKEN_NONCE,
	TOKEN_AT_HASH,
	TOKEN_ACR,
	TOKEN_AMR,
	TOKEN_AUTH_TIME, /* max_age */
	TOKEN_HOSTED_DOMAIN,
	TOKEN_DIRECTORY, /* Microsoft: `tid` is not that of the issuer */
	TOKEN_SUBJECT,   /* empty, too long, or with other than printable ASCII */
	TOKEN_TENANT,    /* IDP_TENANTD: `tenant` is not the provider's tenant */
	TOKEN_KIND,      /* an access token where an ID token is wanted, the other way round, or neither */
	TOKEN_BOUND,     /* good only with a key that its holder proves (`cnf`): that cannot be done here */
	TOKEN_FAULT_COUNT,
};
const char *token_fault_word(enum token_fault fault);     /* "other-audience" */
const char *token_fault_sentence(enum token_fault fault); /* for people */

struct id_token_rules {
	const struct idp_record *idp;
	const struct jwks *keys;
	unsigned algorithms;      /* JWS_…, of the endpoints */
	const char *nonce;        /* that was sent; "": none was. One that is there must be this one, and our
				   * own control plane's tokens must have it */
	const char *access_token; /* for at_hash; "" */
	int64_t now;
};
/* Of clocks that differ: a time that is over or ahead by OIDC_LEEWAY_SEC still counts, one second more does not. `ret`
 * is untouched unless all is fine. `jws` may be NULL. */
enum token_fault id_token_check(const char *token, size_t length, const struct id_token_rules *rules,
				struct oidc_identity *ret, enum jws_fault *jws);
/* An access token as a credential: audience idp->token_audience, typ "at+jwt" or "JWT"; an ID token (nonce, at_hash,
 * the client's own id as its only audience) is none. Needs no jti, but keeps it: one that is too long to be kept makes
 * the token bad, since it could not be revoked. */
enum token_fault access_token_check(const char *token, size_t length, const struct id_token_rules *rules,
				    struct oidc_identity *ret, enum jws_fault *jws);
