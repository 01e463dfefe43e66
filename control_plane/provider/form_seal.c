/* SPDX-License-Identifier: MIT */
#include "control_plane/provider/form_seal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "jose/base64url.h"

#define PURPOSE "device page"
#define SEALED_MAX 256U
#define EARLY_SEC 60 /* another replica's clock */

static const char *const steps[] = {[FORM_CODE] = "code", [FORM_DECISION] = "decision"};

const char *form_seal(const struct seal_key *key, struct arena *arena, enum form_step step, const char *code,
		      int64_t now)
{
	_cleanup_(buffer_finish) struct buffer sealed = BUFFER_INIT;
	char plain[64];
	char *text;

	(void)snprintf(plain, sizeof(plain), "%s %lld %s", steps[step], (long long)now, code ? code : "");
	if (seal(key, PURPOSE, plain, strlen(plain), &sealed) < 0)
		return NULL;
	text = arena_alloc(arena, BASE64URL_CHARS(sealed.length) + 1);
	if (text)
		base64url_encode(sealed.data, sealed.length, text);
	return text;
}

int form_open(const struct seal_key *key, enum form_step step, const char *text, int64_t now,
	      char ret_code[USER_CODE_SIZE])
{
	_cleanup_(buffer_finish) struct buffer plain = BUFFER_INIT;
	uint8_t sealed[SEALED_MAX];
	char *time, *code;
	size_t length;
	uint64_t shown;

	if (base64url_decode(text, strlen(text), sealed, sizeof(sealed), &length) < 0 ||
	    unseal(key, PURPOSE, sealed, length, &plain) < 0 || !buffer_text(&plain))
		return -EBADMSG;
	time = strchr(plain.data, ' ');
	code = time ? strchr(time + 1, ' ') : NULL;
	if (!code)
		return -EBADMSG;
	*time++ = *code++ = '\0';
	if (strcmp(plain.data, steps[step]) != 0 || parse_u64(time, &shown) < 0 || shown > INT64_MAX)
		return -EBADMSG;
	if (step == FORM_DECISION && user_code_parse(code, ret_code) < 0)
		return -EBADMSG;
	return (int64_t)shown > now + EARLY_SEC || now - (int64_t)shown > FORM_SECONDS ? -ESTALE : 0;
}
