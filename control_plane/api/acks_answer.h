/* SPDX-License-Identifier: MIT
 *
 * Answers to what takes something away: how many hosts have taken it in, and ?wait=<seconds> until all have. The wait
 * holds neither a transaction nor a worker: the frame asks again after the commit (request->again).
 */
#pragma once

#include "control_plane/http/router.h"

/* One tenant's feed that the request changes. */
struct acks_target {
	const char *tenant_id;
	const struct change *change;
};
/* What is waited for besides: what came of it, beyond its being known. `look` puts it into `answer` as it is in `tx`, a
 * transaction of the tenant's scope that may be over right after. 0: there is nothing more to wait for; 1: there is;
 * -errno. */
struct acks_more {
	int (*look)(struct request *request, struct db_tx *tx, const void *context, json_t *answer);
	const void *context; /* lives as long as the request */
};
/* Publishes what the request has collected, and answers with `view` (taken) and "acks" in it. The last thing that a
 * handler does. 0, or -errno. */
int acks_answer(struct request *request, unsigned status, uint64_t version, json_t *view);
/* The same for several tenants, whose counts are added up. Targets live as long as the request. */
int acks_answer_many(struct request *request, unsigned status, uint64_t version, json_t *view,
		     const struct acks_target *targets, size_t count);
/* The same for the request's own tenant, with more to say. */
int acks_answer_more(struct request *request, unsigned status, uint64_t version, json_t *view,
		     const struct acks_more *more);
