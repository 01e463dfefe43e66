/* SPDX-License-Identifier: MIT
 *
 * QR pictures made of text, for terminals.
 *
 * Light modules are what is drawn, with a margin of them all around: on a terminal of light text on dark ground that is
 * dark on light, as the standard wants it. On a light terminal it comes out the other way round, which cameras of
 * today read as well; colours, which would be right on both, do not pass through ssh. The margin is two modules and
 * not four, so that the usual picture fits a screen of 24 lines together with the address.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum qr_form {
	QR_FORM_UTF8,  /* half blocks: two rows of modules a line */
	QR_FORM_ASCII, /* "##" a module */
	QR_FORM_OFF,
};

#define QR_COLUMNS_MAX 80U
#define QR_LINES_MAX 33U /* of half blocks; twice as many of "##" never fit the columns */

/* Lines, each with a newline, and a NUL. Returns the bytes without it; 0: off, does not fit, or out of memory. */
size_t qr_render(enum qr_form form, const char *text, char *out, size_t size);
/* "utf8", "ascii", "off". False: none of them. */
bool qr_form_parse(const char *word, enum qr_form *ret);
