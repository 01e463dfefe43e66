/* SPDX-License-Identifier: MIT
 *
 * Sets of keys as providers publish them, and a token that each set is asked about.
 */
#include <jansson.h>
#include <string.h>

#include "fuzz.h"
#include "jose/jwks.h"
#include "jose/jws_verify.h"

/* RFC 7515, A.3: its key is in the corpus, so some sets verify it. */
static const char token[] = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
			    "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djx"
			    "La8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jwks *keys = NULL;
	struct problem problem = {0};
	struct jws_rules rules = {.algorithms = JWS_ANY};
	json_t *claims = NULL;

	if (jwks_parse((const char *)data, size, &keys, &problem) < 0) {
		FUZZ_CHECK(!keys && problem.text[0]);
		return 0;
	}
	FUZZ_CHECK(keys && jwks_count(keys) >= 1 && jwks_count(keys) <= JWKS_KEYS_MAX);
	FUZZ_CHECK(!jwks_has(keys, ""));
	rules.keys = keys;
	FUZZ_CHECK((jws_verify(token, sizeof(token) - 1, &rules, &claims, NULL) == JWS_FINE) == (claims != NULL));
	json_decref(claims);
	jwks_unref(keys);
	return 0;
}
