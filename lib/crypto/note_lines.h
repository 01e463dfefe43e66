/* SPDX-License-Identifier: MIT
 *
 * The text of a note, line by line: "<word> <value>", or a value alone, in an order that is fixed. One text for each
 * meaning: numbers without leading zeros, times as we write them. The first line that is not what it should be is kept,
 * and what is read after it is empty.
 */
#pragma once

#include "base/problem.h"
#include "crypto/digest.h"
#include "crypto/note.h"

#define NOTE_VALUE_MAX (NOTE_VKEY_MAX + 1)

struct note_lines {
	const char *at, *end;
	const char *wrong; /* the line that was expected; NULL: all in order */
};
struct note_lines note_lines(const char *text, size_t length);
/* The next line's value; `word` NULL: the line is the value, and `name` is what it is called. */
void note_lines_value(struct note_lines *lines, const char *word, const char *name, char ret[NOTE_VALUE_MAX]);
void note_lines_literal(struct note_lines *lines, const char *text);
uint64_t note_lines_number(struct note_lines *lines, const char *word, uint64_t least, uint64_t most);
void note_lines_hash(struct note_lines *lines, const char *word, uint8_t ret[SHA256_BYTES]); /* in hex */
int64_t note_lines_time(struct note_lines *lines, const char *word);
/* Nothing may follow. 0, -EBADMSG. */
int note_lines_end(const struct note_lines *lines, struct problem *problem);
