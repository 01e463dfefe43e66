/* SPDX-License-Identifier: MIT
 *
 * Text rules that hold at every entrance: names, slugs, ids, control characters, UTF-8.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

#define NAME_MAX_BYTES 32       /* login names: what utmp holds */
#define SLUG_MAX_BYTES 24       /* tenant and project slugs */
#define ID_MAX_BYTES 40         /* record ids, e.g. usr_8Zk2… */
#define GROUP_NAME_MAX_BYTES 64 /* <tenant>-<project>-<role> fits */

bool text_equal(const char *a, const char *b); /* both may be NULL */
bool text_starts(const char *text, const char *prefix);

/* Login name: [A-Za-z0-9._-], 1..32 bytes, no leading dash or dot, not digits only, no trailing '$',
 * and none of the names every Unix host owns (root, daemon, nobody …: see text.c). */
bool text_is_login_name(const char *text);
/* Does every Unix host, or a package that gives its group power, own this name? In any case of letters. */
bool text_is_reserved_name(const char *text);
/* Why a login name is refused, as half a sentence ("starts with a dash"); NULL when it is fine. */
const char *text_login_name_fault(const char *text);
/* Slug: [a-z0-9-], 1..24 bytes, starts and ends with a letter or digit, not digits only. */
bool text_is_slug(const char *text);
/* Record id: [A-Za-z0-9_], 1..40 bytes, starts with a letter. */
bool text_is_id(const char *text);
/* Action, service or role name: [A-Za-z0-9._-], 1..48 bytes, starts with a letter. */
bool text_is_word(const char *text);
/* Valid UTF-8 without control characters (C0, DEL, C1), bidirectional overrides or line separators. */
bool text_is_printable(const char *text, size_t length);
/* Printable and without ':' (fields of passwd and group). */
bool text_is_passwd_field(const char *text);
/* Absolute path, printable, no "..", no "//", no ':', at most 255 bytes. */
bool text_is_safe_path(const char *text);
/* Copies to `out` with every control or non-UTF-8 byte as \xNN; always terminated; returns `out`. */
char *text_escape(const char *text, size_t length, char *out, size_t size);

/* In place: what follows the public part of anything that looks like an API key (tnt_pk_<id>_…) becomes '*', for
 * text that people read and that quotes what somebody typed into the wrong place. Keeps the length. */
void text_hide_keys(char *text);

/* The candidate nearest to `word` by edit distance (at most 2, and under half its length), or NULL. */
const char *text_suggest(const char *word, const char *const *candidates, size_t count);

/* Lower-case hex. `out` holds 2*length+1. text_from_hex: 0 or -EINVAL; exact length. */
void text_to_hex(const void *data, size_t length, char *out);
int text_from_hex(const char *hex, void *out, size_t length);
int text_compare(const void *a, const void *b); /* for qsort over const char * */
