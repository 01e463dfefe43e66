/* SPDX-License-Identifier: MIT
 *
 * How a sign-in at a provider ended.
 */
#pragma once

#include "oidc/id_token.h"

enum flow_end {
	FLOW_PROVEN,      /* `identity` is checked */
	FLOW_DENIED,      /* the person said no at the provider */
	FLOW_EXPIRED,     /* nobody answered in time */
	FLOW_BAD_TOKEN,   /* `token`, `jws` say what is wrong with what came */
	FLOW_REFUSED,     /* the provider refuses this client: the operator's matter */
	FLOW_UNREACHABLE, /* no answer, or none that can be read */
	FLOW_END_COUNT,
};
struct flow_result {
	enum flow_end end;
	enum token_fault token;
	enum jws_fault jws;
	struct oidc_identity identity;
	char detail[256]; /* for the audit and operators; printable, no secrets */
};
