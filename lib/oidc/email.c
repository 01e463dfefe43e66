/* SPDX-License-Identifier: MIT */
#include "oidc/email.h"

#include <string.h>

static bool is_atom(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-/=?^_`{|}~.", c));
}

static bool is_host(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

bool oidc_email_is_plain(const char *email)
{
	const char *at = strchr(email, '@');

	if (!at || at == email || !at[1] || strlen(email) >= OIDC_EMAIL_MAX)
		return false;
	for (const char *c = email; c < at; c++)
		if (!is_atom(*c))
			return false;
	for (const char *c = at + 1; *c; c++)
		if (!is_host(*c))
			return false;
	return true;
}

static char lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

bool oidc_domain_equal(const char *a, const char *b)
{
	for (; *a && lower(*a) == lower(*b); a++)
		b++;
	return !*a && !*b;
}

bool oidc_email_equal(const char *a, const char *b)
{
	return oidc_email_is_plain(a) && oidc_email_is_plain(b) && oidc_domain_equal(a, b);
}

bool oidc_email_is_in(const char *email, const char *domain)
{
	return domain[0] && oidc_email_is_plain(email) && oidc_domain_equal(strchr(email, '@') + 1, domain);
}
