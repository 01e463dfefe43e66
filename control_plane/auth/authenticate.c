/* SPDX-License-Identifier: MIT */
#include "control_plane/auth/authenticate.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "control_plane/auth/credential.h"

#define SCHEME "Bearer "

static int refuse(struct request *request, const char *why)
{
	respond_problem(request, PROBLEM_UNAUTHENTICATED, "%s", why);
	respond_header(request, "WWW-Authenticate", "Bearer error=\"invalid_token\"");
	return 1;
}

int authenticate(struct request *request)
{
	const char *header = request_header(request, "Authorization");
	enum credential_state state;
	static const struct credential_question nothing = {0};
	struct credential credential;
	struct tenant_record *own;
	int r;

	request->principal = (struct principal){0};
	if (!header)
		return 0;
	if (strncasecmp(header, SCHEME, strlen(SCHEME)) != 0)
		return refuse(request, "send Authorization: Bearer with an access token or an API key");
	header += strlen(SCHEME);
	r = credential_read(request, header, strlen(header), &nothing, &credential, &state);
	if (r < 0)
		return r;
	switch (state) {
	case CREDENTIAL_GOOD:
		own = arena_alloc(&request->arena, sizeof(*own));
		if (!own)
			return -ENOMEM;
		*own = credential.own;
		request->principal = credential.principal;
		request->principal.service = credential.service;
		request->principal.tenant_suspended = credential.tenant_suspended;
		request->principal.own = own;
		return 0;
	case CREDENTIAL_MALFORMED:
	case CREDENTIAL_UNKNOWN:
		return refuse(request, "the credential was not accepted");
	/* Whoever comes this far had the secret, and may know. */
	case CREDENTIAL_NOT_YET:
		return refuse(request, "the credential is not valid yet");
	case CREDENTIAL_EXPIRED:
		return refuse(request, "the credential has expired");
	case CREDENTIAL_REVOKED:
		return refuse(request, "the credential was revoked");
	case CREDENTIAL_SUSPENDED:
		break;
	}
	if (credential.principal.kind == PRINCIPAL_HOST) {
		respond_problem(request, PROBLEM_FORBIDDEN, "this host is disabled");
		return 1;
	}
	return refuse(request, "the account is suspended");
}
