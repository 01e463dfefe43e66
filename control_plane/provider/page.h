/* SPDX-License-Identifier: MIT
 *
 * The pages on which people approve a sign-in, as HTML text: no script, no picture, nothing from elsewhere. Pure. What
 * comes from outside is escaped here and nowhere else.
 */
#pragma once

#include "base/buffer.h"

struct page_code {
	const char *form;  /* form_seal.h */
	const char *code;  /* to begin with, as shown; "" */
	const char *alert; /* what was wrong before; NULL */
};
struct page_decision {
	const char *form, *alert;
	const char *code;         /* as shown */
	const char *tenant;       /* its name */
	const char *host;         /* "": not known */
	const char *source, *ago; /* "203.0.113.7", "2 minutes" */
	const char *email;        /* typed before; "" */
};
struct page_end {
	const char *title, *text;
	const char *link; /* "Enter a code"; NULL: none, it is over */
};
void page_code(struct buffer *out, const struct page_code *page);
void page_decision(struct buffer *out, const struct page_decision *page);
void page_end(struct buffer *out, const struct page_end *page);
/* The policy that the pages need (Content-Security-Policy), by the digest of their style; in `out`. 0, -errno. */
#define PAGE_POLICY_SIZE 320
int page_policy(char out[PAGE_POLICY_SIZE]);

/* Text as HTML, in elements and in quoted attributes. */
void page_escape(struct buffer *out, const char *text);
