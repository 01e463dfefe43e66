/* SPDX-License-Identifier: MIT
 *
 * Answers of token endpoints while a person decides.
 */
#include <jansson.h>
#include <string.h>
#include <strings.h>

#include "base/macros.h"
#include "base/text.h"
#include "oidc/answer_text.h"
#include "oidc/answers.h"
#include "json/json_read.h"
#include "json/json_wipe.h"

static const struct {
	const char *word;
	enum token_outcome outcome;
} words[] = {
	{"authorization_pending", TOKEN_PENDING}, {"slow_down", TOKEN_SLOW_DOWN},
	{"access_denied", TOKEN_DENIED},          {"authorization_declined", TOKEN_DENIED}, /* Microsoft's */
	{"expired_token", TOKEN_EXPIRED},         {"token_expired", TOKEN_EXPIRED},         /* GitHub's, at times */
	{"temporarily_unavailable", TOKEN_AGAIN}, {"server_error", TOKEN_AGAIN},
};

static enum token_outcome outcome_of(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (text_equal(words[i].word, word))
			return words[i].outcome;
	return TOKEN_REFUSED;
}

/* A token that goes into a header or to the checks as it is; "" where there is none. */
static bool read_token(const json_t *answer, const char *name, char ret[JWS_BYTES_MAX + 1])
{
	const json_t *value = json_object_get(answer, name);

	if (!value || json_is_null(value))
		return true;
	if (!json_is_string(value) || json_string_length(value) > JWS_BYTES_MAX ||
	    !answer_text_is_ascii(json_string_value(value), false))
		return false;
	memcpy(ret, json_string_value(value), json_string_length(value) + 1);
	return true;
}

/* One that must be proved to be held (RFC 9449) would not work for us as it is. */
static bool is_bearer(const json_t *answer)
{
	const json_t *type = json_object_get(answer, "token_type");

	return json_is_string(type) && strcasecmp(json_string_value(type), "Bearer") == 0;
}

void token_answer_parse(unsigned status, const char *text, size_t length, struct token_answer *ret)
{
	_cleanup_(json_forget) json_t *answer = NULL;

	memset(ret, 0, sizeof(*ret));
	ret->outcome = TOKEN_AGAIN;
	if (status == 429 || (status >= 500 && status <= 599))
		return;
	ret->outcome = TOKEN_UNREADABLE;
	if (length > OIDC_ANSWER_MAX || json_read(text, length, &answer, &(struct problem){0}) < 0 ||
	    !json_is_object(answer))
		return;
	/* GitHub says everything with 200. */
	if (answer_error(answer, ret->error, sizeof(ret->error), ret->description, sizeof(ret->description))) {
		ret->outcome = outcome_of(ret->error);
		return;
	}
	if (status == 200 && is_bearer(answer) && read_token(answer, "access_token", ret->access_token) &&
	    read_token(answer, "id_token", ret->id_token) && ret->access_token[0]) {
		ret->outcome = TOKEN_GRANTED;
		return;
	}
	explicit_bzero(ret->access_token, sizeof(ret->access_token));
	explicit_bzero(ret->id_token, sizeof(ret->id_token));
}
