/* SPDX-License-Identifier: MIT
 *
 * Which tenants this host serves, as the control plane says it: in the answer to enrolment and in GET /v1/hosts/self.
 * What counts is the note under the platform's authority key; the rest of the answer has to be what the note says.
 * Trust documents are looked at when they come, so nothing that could never be followed takes the place of what works.
 */
#pragma once

#include <jansson.h>

#include "base/problem.h"
#include "feed/feed.h"
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
	const char *authority, *note; /* borrowed from the JSON; NULL: not in it */
	size_t note_length;
	bool disabled; /* the control plane's word; what counts is a signed revocation */
};
/* `id_name`: what the member with the host's id is called. 0; -EBADMSG with the problem. */
int assignments_read(const char *body, size_t length, const char *id_name, struct assignments *ret,
		     struct problem *problem);
/* Does the note in the answer say just that, for this host, by this key? 0 with the note; -EKEYREJECTED with the
 * problem. Whether it is older than what one has is for assignments_follow. */
int assignments_verify(const struct assignments *assignments, const char *authority, const char *host_id,
		       struct feed_assignment *ret, struct problem *problem);
/* 0: the same or newer than what the identity keeps; -EKEYREJECTED with the problem. */
int assignments_follow(const struct feed_assignment *note, const struct host_identity *identity,
		       struct problem *problem);
/* A refusal (403) that may hold the authority's word that this host is out of service. 0: it does, by the key that is
 * known here, and for the very key that this host enrolled with. -ENODATA: there is no such note; -EKEYREJECTED: there
 * is one that is not believed, with the problem. */
int assignments_disabled(const struct host_identity *identity, const char *body, size_t length,
			 struct feed_disabled *ret, struct problem *problem);
void assignments_finish(struct assignments *assignments);
const struct assignment *assignments_find(const struct assignments *assignments, const char *tenant_id);
/* What to tell a person about an answer that is no success: the control plane's own words where it gave some. */
void assignments_refusal(unsigned status, const char *body, size_t length, struct problem *problem);
