/* SPDX-License-Identifier: MIT
 *
 * Addresses as providers write them. Only plain ones count: ASCII, so that no two of them look alike and none is folded
 * into another by a rule of Unicode's.
 */
#pragma once

#include <stdbool.h>

#define OIDC_EMAIL_MAX 255U /* with NUL */

/* One '@', something around it, no spaces, quotes, comments or control characters. */
bool oidc_email_is_plain(const char *email);
/* The same but for the case of letters A to Z; both plain. */
bool oidc_email_equal(const char *a, const char *b);
/* Is a plain address in this domain itself (not below it)? */
bool oidc_email_is_in(const char *email, const char *domain);
/* Names of domains: equal but for the case of letters A to Z. */
bool oidc_domain_equal(const char *a, const char *b);
