/* SPDX-License-Identifier: MIT
 *
 * Access tokens of a control plane, checked by what the tenant's own feed says: its keys, its revocations, its people.
 */
#pragma once

#include "credential/credential.h"

/* Judges one: as credential_check. False: no key of a control plane is named, so that it may be somebody else's. */
bool token_check(const struct directory *d, const char *text, size_t length, int64_t now,
		 struct credential_result *ret);
/* Does it still stand? REASON_ALLOWED, or why not. */
enum reason token_in_force(const struct directory *d, const struct user_record *user,
			   const struct credential_token *token, int64_t now);
