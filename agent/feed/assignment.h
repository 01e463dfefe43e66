/* SPDX-License-Identifier: MIT
 *
 * Which tenants this host serves, as the control plane says it: in the answer to enrolment and in GET /v1/hosts/self.
 * Trust documents are looked at when they come, so nothing that could never be followed takes the place of what works.
 */
#pragma once

#include <jansson.h>

#include "base/problem.h"
#include "feed/host.h"

struct assignment {
	char tenant_id[FEED_TENANT_ID_MAX];
	const char *trust; /* borrowed from the JSON */
	size_t trust_length;
};
struct assignments {
	json_t *json; /* owned */
	const char *host_id;
	struct assignment tenants[HOST_TENANTS_MAX];
	uint32_t count;
	bool disabled; /* the control plane's word; what counts is a signed revocation */
};
/* `id_name`: what the member with the host's id is called. 0; -EBADMSG with the problem. */
int assignments_read(const char *body, size_t length, const char *id_name, struct assignments *ret,
		     struct problem *problem);
void assignments_finish(struct assignments *assignments);
const struct assignment *assignments_find(const struct assignments *assignments, const char *tenant_id);
/* What to tell a person about an answer that is no success: the control plane's own words where it gave some. */
void assignments_refusal(unsigned status, const char *body, size_t length, struct problem *problem);
