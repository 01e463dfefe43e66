/* SPDX-License-Identifier: MIT */
#include "jose/jws_sign.h"

#include <errno.h>
#include <jose/b64.h>
#include <jose/jws.h>
#include <string.h>

#include "base/macros.h"

int jws_sign(const json_t *key, const json_t *header, const json_t *claims, size_t most, struct buffer *ret)
{
	_cleanup_(json_decrefp) json_t *payload = jose_b64_enc_dump(claims), *jws = NULL, *template = NULL,
				       *protected_header = json_deep_copy(header);
	const char *protected, *signature;

	if (!payload || !protected_header)
		return -ENOMEM;
	template = json_pack("{s:O}", "protected", protected_header);
	jws = json_pack("{s:O}", "payload", payload);
	if (!template || !jws)
		return -ENOMEM;
	if (!jose_jws_sig(NULL, jws, template, key) ||
	    json_unpack(jws, "{s:s, s:s}", "protected", &protected, "signature", &signature) < 0)
		return -EIO;
	if (strlen(protected) + json_string_length(payload) + strlen(signature) + 2 > most)
		return -EMSGSIZE;
	return buffer_printf(ret, "%s.%s.%s", protected, json_string_value(payload), signature);
}
