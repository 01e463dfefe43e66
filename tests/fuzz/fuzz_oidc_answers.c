/* SPDX-License-Identifier: MIT
 *
 * What providers answer. Input: a line "d 200" (device), "t 400" (token) or "g 0" (GitHub's user; the addresses follow
 * after a byte 0x1e), then the answer.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "fuzz.h"
#include "oidc/answers.h"
#include "oidc/email.h"
#include "oidc/id_token.h"

static void check_ascii(const char *text, size_t size)
{
	FUZZ_CHECK(strlen(text) < size);
	for (; *text; text++)
		FUZZ_CHECK(*text >= 0x20 && *text < 0x7f);
}

static void device(unsigned status, const char *text, size_t length)
{
	struct device_answer answer = {0};
	struct problem problem = {0};

	if (device_answer_parse(status, text, length, &answer, &problem) < 0) {
		FUZZ_CHECK(problem.text[0] && !answer.device_code[0] && !answer.uri[0]);
		FUZZ_CHECK(text_is_printable(problem.text, strlen(problem.text)));
		return;
	}
	FUZZ_CHECK(status == 200 && answer.device_code[0] && answer.user_code[0]);
	check_ascii(answer.device_code, sizeof(answer.device_code));
	check_ascii(answer.user_code, sizeof(answer.user_code));
	check_ascii(answer.uri, sizeof(answer.uri));
	check_ascii(answer.uri_complete, sizeof(answer.uri_complete));
	FUZZ_CHECK(strncmp(answer.uri, "https://", 8) == 0);
	FUZZ_CHECK(!answer.uri_complete[0] || strncmp(answer.uri_complete, "https://", 8) == 0);
	FUZZ_CHECK(answer.interval >= 1 && answer.interval <= 60);
	FUZZ_CHECK(answer.expires_in >= 1 && answer.expires_in <= 3600);
}

static void token(unsigned status, const char *text, size_t length)
{
	static struct token_answer answer;

	token_answer_parse(status, text, length, &answer);
	FUZZ_CHECK((answer.outcome == TOKEN_GRANTED) == (answer.access_token[0] != '\0'));
	FUZZ_CHECK(answer.outcome != TOKEN_GRANTED || (status == 200 && !answer.error[0]));
	FUZZ_CHECK(answer.outcome == TOKEN_GRANTED || !answer.id_token[0]);
	check_ascii(answer.access_token, sizeof(answer.access_token));
	check_ascii(answer.id_token, sizeof(answer.id_token));
	FUZZ_CHECK(text_is_printable(answer.error, strlen(answer.error)));
	FUZZ_CHECK(text_is_printable(answer.description, strlen(answer.description)));
}

static void github(const char *text, size_t length)
{
	const char *parted = memchr(text, 0x1e, length);
	struct oidc_identity who = {0};
	struct problem problem = {0};
	size_t user = parted ? (size_t)(parted - text) : length;

	if (github_user_parse(text, user, parted ? parted + 1 : NULL, parted ? length - user - 1 : 0,
			      "https://github.com", &who, &problem) < 0) {
		FUZZ_CHECK(problem.text[0] && !who.subject[0]);
		return;
	}
	FUZZ_CHECK(who.subject[0] >= '1' && who.subject[0] <= '9' &&
		   strspn(who.subject, "0123456789") == strlen(who.subject));
	FUZZ_CHECK(!who.email[0] || oidc_email_is_plain(who.email));
	FUZZ_CHECK(who.email[0] || !who.email_verified);
	FUZZ_CHECK(parted || !who.email[0]);
	FUZZ_CHECK(text_is_printable(who.name, strlen(who.name)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *line_end = size > 2 ? memchr(text, '\n', size) : NULL;
	char line[16];
	unsigned status;
	size_t length;

	if (!line_end || line_end - text >= (long)sizeof(line))
		return 0;
	length = (size_t)(line_end - text);
	memcpy(line, text, length);
	line[length] = '\0';
	if (sscanf(line + 1, " %3u", &status) != 1)
		return 0;
	text = line_end + 1;
	length = size - length - 1;
	if (line[0] == 'd')
		device(status, text, length);
	else if (line[0] == 't')
		token(status, text, length);
	else if (line[0] == 'g')
		github(text, length);
	return 0;
}
