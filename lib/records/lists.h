/* SPDX-License-Identifier: MIT
 *
 * Lists in records. Two questions that are easily taken for each other: is the word on it, and does the list, as a
 * limit, let the word through.
 */
#pragma once

#include "records/records.h"

/* Of an empty list nothing is; NULL never is. */
bool list_has(const struct string_list *list, const char *word);
/* An empty list limits nothing, not even NULL; any other wants a word that is on it. */
bool list_lets(const struct string_list *list, const char *word);
/* The same of addresses; NULL: none is known. */
bool blocks_let(const struct cidr_list *list, const struct in6_addr *address);
