/* SPDX-License-Identifier: MIT
 *
 * What the readers of providers' answers share.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Not empty, and printable ASCII; spaces only where `space` is set, and then not at the ends. */
bool answer_text_is_ascii(const char *text, bool space);
/* The OAuth error of an answer (RFC 6749, 5.2), made printable and cut to what fits. False: it has none. An "error"
 * that is no string is one that cannot be read. */
bool answer_error(const json_t *answer, char *word, size_t word_size, char *description, size_t description_size);
/* Text for people as far as it is printable UTF-8; else "". Cut between characters. */
void answer_name(const char *text, char *ret, size_t size);
