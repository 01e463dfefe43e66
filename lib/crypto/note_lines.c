/* SPDX-License-Identifier: MIT */
#include "crypto/note_lines.h"

#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "base/text.h"

struct note_lines note_lines(const char *text, size_t length)
{
	return (struct note_lines){.at = text, .end = text + length};
}

void note_lines_value(struct note_lines *lines, const char *word, const char *name, char ret[NOTE_VALUE_MAX])
{
	size_t room = (size_t)(lines->end - lines->at), prefix = word ? strlen(word) + 1 : 0, length;
	const char *stop = room > 0 ? memchr(lines->at, '\n', room) : NULL;

	ret[0] = '\0';
	if (lines->wrong)
		return;
	length = stop ? (size_t)(stop - lines->at) : 0;
	if (length <= prefix || length - prefix >= NOTE_VALUE_MAX || memchr(lines->at, '\0', length) ||
	    (word && (memcmp(lines->at, word, prefix - 1) != 0 || lines->at[prefix - 1] != ' '))) {
		lines->wrong = name;
		return;
	}
	memcpy(ret, lines->at + prefix, length - prefix);
	ret[length - prefix] = '\0';
	lines->at = stop + 1;
}

void note_lines_literal(struct note_lines *lines, const char *text)
{
	char value[NOTE_VALUE_MAX];

	note_lines_value(lines, NULL, text, value);
	if (!lines->wrong && strcmp(value, text) != 0)
		lines->wrong = text;
}

uint64_t note_lines_number(struct note_lines *lines, const char *word, uint64_t least, uint64_t most)
{
	char value[NOTE_VALUE_MAX];
	uint64_t number = 0;

	note_lines_value(lines, word, word, value);
	if (!lines->wrong && (parse_u64(value, &number) < 0 || number < least || number > most))
		lines->wrong = word;
	return lines->wrong ? 0 : number;
}

void note_lines_hash(struct note_lines *lines, const char *word, uint8_t ret[SHA256_BYTES])
{
	char value[NOTE_VALUE_MAX];

	note_lines_value(lines, word, word, value);
	if (!lines->wrong && text_from_hex(value, ret, SHA256_BYTES) < 0)
		lines->wrong = word;
}

int64_t note_lines_time(struct note_lines *lines, const char *word)
{
	char value[NOTE_VALUE_MAX], text[TIME_TEXT_SIZE];
	int64_t seconds = 0;

	note_lines_value(lines, word, word, value);
	if (!lines->wrong && (parse_time(value, &seconds) < 0 || strcmp(format_time(seconds, text), value) != 0))
		lines->wrong = word;
	return lines->wrong ? 0 : seconds;
}

int note_lines_end(const struct note_lines *lines, struct problem *problem)
{
	if (lines->wrong)
		return problem_set(problem, EBADMSG, "the note has no right line '%s' in its place", lines->wrong);
	if (lines->at != lines->end)
		return problem_set(problem, EBADMSG, "the note has more lines than it should");
	return 0;
}
