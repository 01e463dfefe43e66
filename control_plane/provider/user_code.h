/* SPDX-License-Identifier: MIT
 *
 * The code that a person carries from a terminal to a browser (RFC 8628, section 6.1): eight consonants, so that it
 * makes no words, is read without doubt and holds 34 bits. Shown as "WDJB-MJHT"; letters' case, dashes and spaces do
 * not matter when it comes back.
 */
#pragma once

#define USER_CODE_CHARS 8
#define USER_CODE_SIZE (USER_CODE_CHARS + 1)
#define USER_CODE_SHOWN_SIZE (USER_CODE_CHARS + 2)

/* 0, -errno. */
int user_code_make(char out[USER_CODE_SIZE]);
/* 0; -EINVAL: it cannot be one. */
int user_code_parse(const char *text, char out[USER_CODE_SIZE]);
void user_code_show(const char code[USER_CODE_SIZE], char out[USER_CODE_SHOWN_SIZE]);
