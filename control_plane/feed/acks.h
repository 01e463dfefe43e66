/* SPDX-License-Identifier: MIT
 *
 * Which hosts have taken in which revision. Acknowledgements are collected in memory for some milliseconds and written
 * together; they are counted, never waited for by a writer.
 */
#pragma once

#include "control_plane/http/request.h"

struct publisher;
struct acks;

struct ack_counts {
	uint32_t hosts;         /* enrolled, not disabled, serving the tenant, seen within the last 10 min */
	uint32_t acknowledged;  /* at or past the revision */
	uint32_t refused, away; /* away: serve it, but were not seen within 10 min */
};
/* In a transaction of the tenant's scope. */
int acks_count(struct db_tx *tx, const char *tenant_id, uint64_t revision, struct ack_counts *ret);
/* {"revision": …, "hosts": …, "acknowledged": …, "refused": …, "away": …} for answers; NULL: out of memory. */
json_t *acks_render(uint64_t revision, const struct ack_counts *counts);

/* ---- collecting ---- */
struct ack {
	char tenant_id[64], host_id[64];
	uint64_t epoch;
	uint64_t revision, refused; /* in force; refused: 0 where it says nothing of the kind */
	char error[256];
};
int acks_create(struct publisher *publisher, struct acks **ret);
void acks_destroy(struct acks *acks); /* takes NULL; writes what is left */
/* Written within some 50 ms. What a crash takes away the host says again with its next one. -EBUSY: too many wait. */
int acks_add(struct acks *acks, const struct ack *ack);
