/* SPDX-License-Identifier: MIT
 *
 * Access tokens of a tenant's own identity provider (RFC 9068) as credentials, where the provider's record names an
 * audience for them. Checked offline, by keys that were fetched before.
 */
#pragma once

#include "credential/credential.h"

/* Judges one, as credential_check; false: no provider whose tokens count has this issuer. */
bool bearer_check(const struct credential_context *context, const char *text, size_t length,
		  struct credential_result *ret);
/* Do provider and identity of a token that was good before still stand? REASON_ALLOWED, or why not. */
enum reason bearer_stands(const struct credential_context *context, const struct user_record *user,
			  const struct credential_token *token);
