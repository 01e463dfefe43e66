/* SPDX-License-Identifier: MIT
 *
 * What a session or a code began with, asked about again later: may it still count for something new?
 */
#pragma once

#include <stdint.h>

#include "directory/directory.h"
#include "login/login.h"
#include "policy/policy.h"

/* `name` as in a session's `credential`: "api-key:key_…", "token:<jti>", "ssh-key:SHA256:…", "sso:idp_…". `provider`:
 * the identity provider that made the token, where one did and it is known; else "".
 * REASON_ALLOWED, and the key where it is one, whose scope goes on counting; REASON_CREDENTIAL_UNSUPPORTED: nothing
 * that counts any further (none at all, a one-time code); or why it does not stand any more. */
enum reason credential_stands(const struct login_book *book, const struct directory *d, const struct user_record *user,
			      const char *name, const char *provider, int64_t now, const struct key_record **ret_key);
