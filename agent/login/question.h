/* SPDX-License-Identifier: MIT
 *
 * What policy is asked about somebody who comes by a PAM service.
 */
#pragma once

#include "login/login.h"
#include "login/services.h"

/* Action, service, where they sit and when; the rest is the caller's. Borrows from `origin`. */
struct policy_request login_question(const struct login_book *book, const struct service_rule *rule,
				     const struct login_origin *origin, uint64_t now_usec, int64_t realtime);
/* What the key's own scope says against it: REASON_ALLOWED or a KEY_SCOPE_ reason. */
enum reason login_key_scope(const struct login_book *book, const struct directory *d, const struct service_rule *rule,
			    const struct login_origin *origin, const struct user_record *user,
			    const struct key_record *key, uint64_t now_usec, int64_t realtime);
