/* SPDX-License-Identifier: MIT */
#include "oidc/endpoints.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "jose/jws_verify.h"
#include "oidc/preset.h"
#include "oidc/url.h"
#include "json/json_read.h"

#define WELL_KNOWN "/.well-known/openid-configuration"

/* ---- known in advance -------------------------------------------------------------------------- */
static int known_github(const struct idp_record *idp, struct oidc_endpoints *ret, struct problem *problem)
{
	const char *host = strstr(idp->issuer, "://") + 3, *dot = strchr(host, '.');
	char api[OIDC_URL_MAX];

	if (strpbrk(host, "/?")) {
		problem_remedy(problem, "write https://github.com, or your own server's address without a path");
		return problem_set(problem, EINVAL, "GitHub is named by its site alone");
	}
	/* github.com and its tenants with a domain of their own have a host for the API; a server of one's own a path.
	 */
	if (text_equal(host, "github.com") || (dot && text_equal(dot, ".ghe.com")))
		snprintf(api, sizeof(api), "https://api.%s", host);
	else
		snprintf(api, sizeof(api), "%s/api/v3", idp->issuer);
	if (snprintf(ret->device, sizeof(ret->device), "%s/login/device/code", idp->issuer) >= (int)OIDC_URL_MAX ||
	    snprintf(ret->token, sizeof(ret->token), "%s/login/oauth/access_token", idp->issuer) >= (int)OIDC_URL_MAX ||
	    snprintf(ret->user, sizeof(ret->user), "%s/user", api) >= (int)OIDC_URL_MAX ||
	    snprintf(ret->emails, sizeof(ret->emails), "%s/user/emails", api) >= (int)OIDC_URL_MAX)
		return problem_set(problem, EINVAL, "the issuer's address is too long");
	ret->auth_post = true;
	return 0;
}

int oidc_endpoints_known(const struct idp_record *idp, bool allow_plain, struct oidc_endpoints *ret,
			 struct problem *problem)
{
	struct oidc_endpoints known = {0};
	size_t length = strlen(idp->issuer);
	const char *directory;
	int r;

	if (!oidc_url_is_good(idp->issuer, OIDC_URL_MAX - sizeof(WELL_KNOWN), allow_plain) ||
	    strchr(idp->issuer, '?')) {
		problem_remedy(problem, "write it as the provider does, like https://accounts.example.com");
		return problem_set(problem, EINVAL, "the issuer is not an https address without query and fragment");
	}
	if (idp->kind == IDP_GITHUB) {
		r = known_github(idp, &known, problem);
		if (r < 0)
			return r;
		*ret = known;
		return 0;
	}
	if (idp->kind == IDP_MICROSOFT && !oidc_microsoft_directory(idp->issuer, &directory, &length)) {
		problem_remedy(problem,
			       "write https://login.microsoftonline.com/<directory id>/v2.0, with the id as in "
			       "the portal's overview, not \"common\", \"organizations\" or a domain");
		return problem_set(problem, EINVAL, "the issuer is not that of one Microsoft directory");
	}
	length = strlen(idp->issuer);
	while (length > 0 && idp->issuer[length - 1] == '/')
		length--;
	snprintf(known.discovery, sizeof(known.discovery), "%.*s" WELL_KNOWN, (int)length, idp->issuer);
	*ret = known;
	return 0;
}

/* ---- discovery --------------------------------------------------------------------------------- */
static int read_url(const json_t *document, const char *name, const char *missing, bool allow_plain,
		    char ret[OIDC_URL_MAX], struct problem *problem)
{
	const json_t *value = json_object_get(document, name);

	if (!value) {
		problem_remedy(problem, "%s", missing);
		return problem_set(problem, EINVAL, "the discovery document has no \"%s\"", name);
	}
	if (!json_is_string(value) || !oidc_url_is_good(json_string_value(value), OIDC_URL_MAX, allow_plain))
		return problem_set(problem, EINVAL, "\"%s\" of the discovery document is not an https address", name);
	memcpy(ret, json_string_value(value), json_string_length(value) + 1);
	return 0;
}

/* A list of strings, or not there. `each` is called for every one of them. */
static int read_list(const json_t *document, const char *name, void (*each)(struct oidc_endpoints *, const char *),
		     struct oidc_endpoints *out, bool *ret_there, struct problem *problem)
{
	const json_t *list = json_object_get(document, name), *item;
	size_t i;

	*ret_there = list && !json_is_null(list);
	if (!*ret_there)
		return 0;
	if (!json_is_array(list))
		return problem_set(problem, EINVAL, "\"%s\" of the discovery document is no list", name);
	json_array_foreach(list, i, item)
	{
		if (!json_is_string(item))
			return problem_set(problem, EINVAL,
					   "\"%s\" of the discovery document has something other than strings", name);
		each(out, json_string_value(item));
	}
	return 0;
}

static void on_algorithm(struct oidc_endpoints *out, const char *name)
{
	out->algorithms |= jws_algorithm(name);
}

static void on_challenge(struct oidc_endpoints *out, const char *name)
{
	out->pkce = out->pkce || text_equal(name, "S256");
}

static void on_auth(struct oidc_endpoints *out, const char *name)
{
	out->auth_basic = out->auth_basic || text_equal(name, "client_secret_basic");
	out->auth_post = out->auth_post || text_equal(name, "client_secret_post");
	out->auth_private_key = out->auth_private_key || text_equal(name, "private_key_jwt");
}

static int read_lists(const json_t *document, const struct oidc_preset *preset, struct oidc_endpoints *out,
		      struct problem *problem)
{
	bool there;
	int r = read_list(document, "id_token_signing_alg_values_supported", on_algorithm, out, &there, problem);

	if (r < 0)
		return r;
	if (!there)
		out->algorithms = JWS_RS256; /* what every OpenID provider has (Core, 15.1) */
	if (out->algorithms == 0) {
		problem_remedy(problem, "have it sign ID tokens with RS256, PS256, ES256 or EdDSA");
		return problem_set(problem, EINVAL,
				   "the provider signs ID tokens with no algorithm that is known here");
	}
	r = read_list(document, "code_challenge_methods_supported", on_challenge, out, &there, problem);
	if (r == 0)
		r = read_list(document, "token_endpoint_auth_methods_supported", on_auth, out, &there, problem);
	if (r < 0)
		return r;
	if (!there)
		out->auth_basic = true; /* RFC 8414, section 2 */
	out->pkce = out->pkce && preset->extras;
	out->nonce = preset->extras;
	return 0;
}

static int read_issuer(const json_t *document, const struct idp_record *idp, struct problem *problem)
{
	const json_t *issuer = json_object_get(document, "issuer");

	if (!json_is_string(issuer))
		return problem_set(problem, EINVAL, "the discovery document has no \"issuer\"");
	if (text_equal(json_string_value(issuer), idp->issuer))
		return 0;
	/* problem_set escapes what it is given. */
	problem_remedy(problem, "if that is the provider you mean, write its issuer exactly like this in the record");
	return problem_set(problem, EINVAL, "the discovery document is of another issuer: \"%.200s\"",
			   json_string_value(issuer));
}

int oidc_endpoints_parse(const struct idp_record *idp, const char *text, size_t length, bool allow_plain,
			 struct oidc_endpoints *ret, struct problem *problem)
{
	_cleanup_(json_decrefp) json_t *document = NULL;
	const struct oidc_preset *preset = oidc_preset(idp->kind);
	struct oidc_endpoints found;
	int r;

	if (!preset->id_tokens)
		return problem_set(problem, EINVAL, "a provider of this kind has no discovery document");
	if (length > OIDC_DOCUMENT_MAX)
		return problem_set(problem, EINVAL, "the discovery document is larger than %u bytes",
				   OIDC_DOCUMENT_MAX);
	r = oidc_endpoints_known(idp, allow_plain, &found, problem);
	if (r < 0)
		return r;
	r = json_read(text, length, &document, problem);
	if (r < 0)
		return r == -EBADMSG ? -EINVAL : r;
	if (!json_is_object(document))
		return problem_set(problem, EINVAL, "the discovery document is no JSON object");
	r = read_issuer(document, idp, problem);
	if (r == 0)
		r = read_url(document, "device_authorization_endpoint",
			     "switch on the device authorization grant at the provider, for this client too",
			     allow_plain, found.device, problem);
	if (r == 0)
		r = read_url(document, "token_endpoint", "this is not an OpenID provider's", allow_plain, found.token,
			     problem);
	if (r == 0)
		r = read_url(document, "jwks_uri", "this is not an OpenID provider's", allow_plain, found.keys,
			     problem);
	if (r == 0)
		r = read_lists(document, preset, &found, problem);
	if (r < 0)
		return r;
	*ret = found;
	return 0;
}
