/* SPDX-License-Identifier: MIT
 *
 * What a credential may do in a project or tenant: the same questions in the same order, and the same words for the
 * answers, as on a host (tenantd(8), reasons). What is done to a host itself (host.login, host.sudo) only that host can
 * decide.
 */
#pragma once

#include "control_plane/auth/credential.h"

struct decide_question {
	const char *project, *action, *service; /* NULL: not asked */
	const struct in6_addr *source;          /* NULL: not known */
};
/* "allowed", "role-too-low" …: of a credential in `state`, read with this question's project. */
const char *decide(const struct credential *credential, enum credential_state state,
		   const struct decide_question *question);
