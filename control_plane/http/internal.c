/* SPDX-License-Identifier: MIT */
#include "control_plane/http/internal.h"

#include <string.h>
#include <strings.h>

#include "base/secret.h"
#include "control_plane/app.h"
#include "crypto/digest.h"

#define SCHEME "Bearer "

int internal_authenticate(struct request *request)
{
	const struct app *app = request->app;
	const char *given = request_header(request, "Authorization");
	uint8_t digest[SHA256_BYTES];

	/* Hashes are compared, so that not even the secret's length is told by the time that it takes. */
	if (app->has_internal_secret && given && strncasecmp(given, SCHEME, strlen(SCHEME)) == 0 &&
	    sha256(given + strlen(SCHEME), strlen(given + strlen(SCHEME)), digest) == 0 &&
	    secret_equal(digest, app->internal_secret_hash, sizeof(digest))) {
		request->principal = (struct principal){
			.kind = PRINCIPAL_INTERNAL, .id = "internal", .name = "internal", .credential = "internal"};
		return 0;
	}
	respond_problem(request, PROBLEM_NOT_FOUND, NULL);
	return 1;
}
