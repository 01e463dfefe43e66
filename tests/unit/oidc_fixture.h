/* SPDX-License-Identifier: MIT
 *
 * A provider, its keys and tokens that it signed, whatever they say.
 */
#pragma once

#include "jws_fixture.h"
#include "oidc/id_token.h"

#define OIDC_NOW 1800000000
#define OIDC_ISSUER "https://id.example"
#define OIDC_CLIENT "client-1"
#define OIDC_NONCE "n-0S6_WzA2Mj"
#define OIDC_ACCESS "ya29.access-token"
#define OIDC_AUDIENCE "https://fleet.example"
#define MICROSOFT_TID "72f988bf-86f1-41af-91ab-2d7cd011db47"
#define MICROSOFT_ISSUER "https://login.microsoftonline.com/" MICROSOFT_TID "/v2.0"

int oidc_set_up(void **state); /* for cmocka_run_group_tests */
int oidc_tear_down(void **state);

/* An OpenID provider of tenant ten_a, as its record would be, with nothing asked for. */
struct idp_record oidc_idp(void);
/* One of Microsoft's, Google's, the control plane's. */
struct idp_record oidc_idp_of(enum idp_kind kind);
/* All keys, all algorithms, no nonce, OIDC_ACCESS, OIDC_NOW. */
struct id_token_rules oidc_rules(const struct idp_record *idp);

/* An ID token's claims that are good for the record; an access token's. The caller's. */
json_t *oidc_claims(const struct idp_record *idp);
json_t *oidc_access_claims(const struct idp_record *idp);
/* The same with one changed; NULL: taken away. */
json_t *oidc_with(json_t *claims, const char *name, json_t *value);

/* Signs with the provider's ES256 key and checks; takes the claims. Fails where a refused token gives an identity, or
 * the fault is another one. */
void id_expect(const char *what, const struct id_token_rules *rules, json_t *claims, enum token_fault wanted);
void access_expect(const char *what, const struct id_token_rules *rules, json_t *claims, enum token_fault wanted);
/* Who comes out of good claims. */
struct oidc_identity id_identity(const struct id_token_rules *rules, json_t *claims);
/* at_hash of OIDC_ACCESS. */
const char *oidc_at_hash(const EVP_MD *digest);
