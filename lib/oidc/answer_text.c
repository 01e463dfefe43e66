/* SPDX-License-Identifier: MIT */
#include "oidc/answer_text.h"

#include <string.h>

#include "base/text.h"
#include "base/utf8.h"

bool answer_text_is_ascii(const char *text, bool space)
{
	size_t length = strlen(text);

	if (length == 0 || text[0] == ' ' || text[length - 1] == ' ')
		return false;
	for (size_t i = 0; i < length; i++)
		if (text[i] < (space ? ' ' : '!') || text[i] > '~')
			return false;
	return true;
}

/* Escaped, and then cut, so that no half of an escape is mistaken for the provider's words: the rest is only for
 * people. */
static void put_printable(const json_t *value, char *ret, size_t size)
{
	ret[0] = '\0';
	if (json_is_string(value))
		(void)text_escape(json_string_value(value), json_string_length(value), ret, size);
}

bool answer_error(const json_t *answer, char *word, size_t word_size, char *description, size_t description_size)
{
	const json_t *error = json_object_get(answer, "error");

	word[0] = description[0] = '\0';
	if (!error || json_is_null(error))
		return false;
	put_printable(error, word, word_size);
	if (!word[0])
		strncat(word, "unreadable", word_size - 1);
	put_printable(json_object_get(answer, "error_description"), description, description_size);
	return true;
}

void answer_name(const char *text, char *ret, size_t size)
{
	size_t length = 0, step;

	ret[0] = '\0';
	if (!text || !text_is_printable(text, strlen(text)))
		return;
	while ((step = utf8_next(text + length, strlen(text + length), NULL)) > 0 && length + step < size)
		length += step;
	memcpy(ret, text, length);
	ret[length] = '\0';
}
