/* SPDX-License-Identifier: MIT
 *
 * The control plane as an OpenID provider, for programs: discovery (OpenID Connect Discovery 1.0, RFC 8414), device
 * authorization and tokens (RFC 8628). One issuer for all tenants; a client is a tenant, by its id, and has no secret:
 * what it proves is that somebody typed a password on the page (provider/device_page.c).
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/secret.h"
#include "base/text.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/events.h"
#include "control_plane/api/refusals.h"
#include "control_plane/app.h"
#include "control_plane/auth/credential.h"
#include "control_plane/provider/counts.h"
#include "control_plane/provider/grants.h"
#include "control_plane/provider/oauth.h"
#include "control_plane/provider/tokens.h"

#define GRANT_TYPE "urn:ietf:params:oauth:grant-type:device_code"
#define DISCOVERY_SEC 300
#define NONCE_MAX 128U
#define SCOPE_MAX 256U
#define BUSY_SEC 30
#define VERIFIER_LEAST 43U
#define VERIFIER_MOST 128U
#define UNRESERVED "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
#define BASE64URL "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/* ---- discovery ------------------------------------------------------------------------------------------------------
 */

/* There is no authorization endpoint: nobody is sent from site to site here, so nothing can be sent to the wrong one.
 */
static int handle_discovery(struct request *request)
{
	const char *url = request->app->config->url;
	json_t *document =
		json_pack("{s:s, s:s+, s:s+, s:s+, s:s+, s:[s], s:[], s:[s], s:[s], s:[s], s:[s], s:[sss], "
			  "s:[sssssssssssss], s:b, s:b, s:b}",
			  "issuer", url, "device_authorization_endpoint", url, "/oauth2/device_authorization",
			  "token_endpoint", url, "/oauth2/token", "userinfo_endpoint", url, PROVIDER_USERINFO_PATH,
			  "jwks_uri", url, "/.well-known/jwks.json", "grant_types_supported", GRANT_TYPE,
			  "response_types_supported", "subject_types_supported", "public",
			  "id_token_signing_alg_values_supported", "ES256", "token_endpoint_auth_methods_supported",
			  "none", "code_challenge_methods_supported", "S256", "scopes_supported", "openid", "profile",
			  "email", "claims_supported", "iss", "sub", "aud", "exp", "iat", "auth_time", "amr", "nonce",
			  "at_hash", "tenant", "email", "name", "preferred_username", "claims_parameter_supported", 0,
			  "request_parameter_supported", 0, "request_uri_parameter_supported", 0);

	respond_header(request, "Cache-Control", request_text(request, "public, max-age=%d", DISCOVERY_SEC));
	return respond_json(request, 200, document);
}

/* ---- device authorization -------------------------------------------------------------------------------------------
 */

/* Those of the scopes that mean something here, in the arena; NULL: openid is not among them. */
static const char *take_scope(struct request *request, const char *wanted)
{
	if (strlen(wanted) > SCOPE_MAX || !oauth_scope_has(wanted, "openid"))
		return NULL;
	return request_text(request, "openid%s%s", oauth_scope_has(wanted, "profile") ? " profile" : "",
			    oauth_scope_has(wanted, "email") ? " email" : "");
}

/* A host that shows its own token is asked about by its name; nobody needs to. 0; 1: it is answered. */
static int take_host(struct request *request, const char **ret_host)
{
	static const struct credential_question nothing;
	const char *header = request_header(request, "Authorization");
	enum credential_state state;
	struct credential credential;
	int r;

	*ret_host = NULL;
	if (!header)
		return 0;
	if (strncasecmp(header, "Bearer ", strlen("Bearer ")) != 0) {
		oauth_refuse(request, 401, "invalid_client", "clients have no secret here");
		return 1;
	}
	header += strlen("Bearer ");
	r = credential_read(request, header, strlen(header), &nothing, &credential, &state);
	if (r < 0)
		return r;
	if (state != CREDENTIAL_GOOD || credential.principal.kind != PRINCIPAL_HOST) {
		oauth_refuse(request, 401, "invalid_client", "the token is not one of a host, or not good any more");
		return 1;
	}
	*ret_host = credential.principal.id;
	return 0;
}

static const char *check_device_request(struct request *request, struct grant_request *ret)
{
	const char *challenge = oauth_field(request, "code_challenge");
	const char *method = oauth_field(request, "code_challenge_method");
	const char *nonce = oauth_field(request, "nonce");

	if (challenge && (!method || strcmp(method, "S256") != 0))
		return "code_challenge_method is S256";
	if (challenge &&
	    (strlen(challenge) != GRANT_CHALLENGE_CHARS || strspn(challenge, BASE64URL) != strlen(challenge)))
		return "code_challenge is not a digest in base64url";
	if (method && !challenge)
		return "a code_challenge_method without a code_challenge";
	if (nonce && strlen(nonce) > NONCE_MAX)
		return "the nonce is too long";
	ret->challenge = challenge ? challenge : "";
	ret->nonce = nonce ? nonce : "";
	return NULL;
}

static int answer_codes(struct request *request, const struct grant_codes *codes)
{
	const char *url = request->app->config->url;
	char shown[USER_CODE_SHOWN_SIZE];

	user_code_show(codes->user, shown);
	respond_header(request, "Cache-Control", "no-store");
	request->response.secret = true;
	return respond_json(request, 200,
			    json_pack("{s:s, s:s, s:s+, s:s++, s:i, s:i}", "device_code", codes->device, "user_code",
				      shown, "verification_uri", url, "/device", "verification_uri_complete", url,
				      "/device?user_code=", shown, "expires_in", GRANT_SECONDS, "interval",
				      GRANT_INTERVAL));
}

static int handle_device_authorization(struct request *request)
{
	const char *client = oauth_field(request, "client_id"), *scope = oauth_field(request, "scope"), *fault;
	struct grant_request wanted = {.tenant_id = client};
	struct grant_codes codes;
	enum grant_begin how;
	int r;

	if (!client)
		return oauth_refuse(request, 400, "invalid_request", "client_id is missing");
	if (!oauth_is_client(client))
		return oauth_refuse(request, 401, "invalid_client", "no such client");
	fault = check_device_request(request, &wanted);
	if (fault)
		return oauth_refuse(request, 400, "invalid_request", fault);
	wanted.scope = scope ? take_scope(request, scope) : NULL;
	if (!wanted.scope)
		return oauth_refuse(request, 400, "invalid_scope", "ask for openid, and profile or email beside it");
	r = take_host(request, &wanted.host_id);
	if (r == 0)
		r = grant_begin(request, &wanted, &codes, &how);
	if (r != 0)
		return MIN_OF(r, 0);
	switch (how) {
	case GRANT_NO_CLIENT:
		return oauth_refuse(request, 401, "invalid_client", "no such client");
	case GRANT_NOT_OURS:
		return oauth_refuse(request, 400, "unauthorized_client",
				    "the tenant has no identity provider of kind tenantd, or is suspended");
	case GRANT_TOO_MANY:
		return respond_retry(request, PROBLEM_TOO_MANY, BUSY_SEC, "too many sign-ins wait already");
	case GRANT_BEGUN:
		break;
	}
	r = answer_codes(request, &codes);
	secret_wipe(&codes, sizeof(codes));
	return r;
}

/* ---- tokens ---------------------------------------------------------------------------------------------------------
 */

static bool is_verifier(const char *text)
{
	size_t length = strlen(text);

	return length >= VERIFIER_LEAST && length <= VERIFIER_MOST && strspn(text, UNRESERVED) == length;
}

/* As clients know them (RFC 8628, section 3.5). What only tells them to go on, or that it is over, is nobody's fault;
 * that they are too fast is theirs. */
static int answer_poll(struct request *request, const char *client, enum grant_poll how)
{
	static const struct {
		const char *error, *text;
		bool no_fault;
	} answers[] = {
		[GRANT_UNKNOWN] = {"invalid_grant", "no such device_code", false},
		[GRANT_OTHER_VERIFIER] = {"invalid_grant", "the code_verifier does not fit", false},
		[GRANT_USED] = {"invalid_grant", "the device_code was used before", false},
		[GRANT_EXPIRED] = {"expired_token", "nobody approved in time", true},
		[GRANT_DENIED] = {"access_denied", "it was denied", true},
		[GRANT_SLOW_DOWN] = {"slow_down", "wait 5 seconds more between polls", false},
		[GRANT_PENDING] = {"authorization_pending", "nobody has decided yet", true},
		[GRANT_APPROVED] = {"server_error", NULL, false},
	};

	if (how == GRANT_SLOW_DOWN)
		provider_count(PROVIDER_SLOW_DOWNS);
	if (how == GRANT_UNKNOWN || how == GRANT_OTHER_VERIFIER || how == GRANT_USED)
		refusals_count(request,
			       &(struct refusal){.kind = "device.token", .reason = answers[how].text, .actor = client});
	oauth_refuse(request, 400, answers[how].error, answers[how].text);
	request->response.no_fault = answers[how].no_fault;
	return 0;
}

static int give_tokens(struct request *request, const char *client, const struct grant_person *person)
{
	struct provider_tokens tokens;
	int r = provider_tokens_make(request, client, person, &tokens);

	request->tenant_id = client;
	request->principal.kind = PRINCIPAL_USER;
	request->principal.id = person->user_id;
	request->principal.credential = "device-grant";
	if (r == 0)
		r = event_write(request, "device.sign-in", person->grant_id,
				json_pack("{s:s, s:s}", "token", tokens.token_id, "host", person->host));
	if (r == 0)
		r = db_commit(TAKE_PTR(request->tx));
	if (r < 0)
		return r;
	provider_count(PROVIDER_TOKENS);
	request->response.secret = true;
	respond_header(request, "Cache-Control", "no-store");
	return respond_json(request, 200,
			    json_pack("{s:s, s:s, s:i, s:s, s:s}", "access_token", tokens.access_token, "token_type",
				      "Bearer", "expires_in", PROVIDER_TOKEN_SECONDS, "scope", person->scope,
				      "id_token", tokens.id_token));
}

static int handle_token(struct request *request)
{
	const char *type = oauth_field(request, "grant_type"), *code = oauth_field(request, "device_code");
	const char *client = oauth_field(request, "client_id"), *verifier = oauth_field(request, "code_verifier");
	struct grant_person person;
	enum grant_poll how;
	int r;

	if (!type)
		return oauth_refuse(request, 400, "invalid_request", "grant_type is missing");
	if (strcmp(type, GRANT_TYPE) != 0)
		return oauth_refuse(request, 400, "unsupported_grant_type", "use " GRANT_TYPE);
	if (request_header(request, "Authorization"))
		return oauth_refuse(request, 401, "invalid_client", "clients have no secret here");
	if (!client || !code)
		return oauth_refuse(request, 400, "invalid_request", "client_id or device_code is missing");
	if (!oauth_is_client(client))
		return oauth_refuse(request, 401, "invalid_client", "no such client");
	if (verifier && !is_verifier(verifier))
		return oauth_refuse(request, 400, "invalid_request", "the code_verifier is not one");
	r = grant_poll(request, client, code, verifier, &how, &person);
	if (r < 0)
		return r;
	if (how != GRANT_APPROVED)
		return answer_poll(request, client, how);
	r = give_tokens(request, client, &person);
	if (request->tx)
		db_rollback(TAKE_PTR(request->tx));
	return r;
}

static const struct route routes[] = {
	ROUTE(HTTP_GET, "/.well-known/openid-configuration", ROUTE_PUBLIC, "public", ROUTE_NO_TX, handle_discovery),
	ROUTE_SAYING(HTTP_POST, "/oauth2/device_authorization", ROUTE_PUBLIC, "public", ROUTE_NO_TX | ROUTE_FORM,
		     handle_device_authorization, oauth_problem),
	/* Hosts with many people poll often; a code that is known proves something. */
	ROUTE_SAYING(HTTP_POST, "/oauth2/token", ROUTE_PUBLIC, "public",
		     ROUTE_NO_TX | ROUTE_FORM | ROUTE_LIMIT_FAILURES, handle_token, oauth_problem),
};
const struct route_table provider_routes = {routes, ARRAY_LEN(routes)};
