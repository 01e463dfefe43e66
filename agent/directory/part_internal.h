/* SPDX-License-Identifier: MIT
 *
 * Between part.c and part_index.c.
 */
#pragma once

#include "directory/part.h"

#define HOST_NAME_SIZE 254U

/* The index `by` of a part: derived from that of `before` (NULL: there is none), or anew. */
int part_make_index(struct part *part, unsigned by, const struct part *before, const struct part_difference *difference,
		    struct problem *problem);
uint64_t part_hash_slug(const char *tenant_id, const char *slug);
uint64_t part_hash_host(const char *name); /* in any case of letters */
uint64_t part_hash_identity(const char *tenant_id, const char *issuer, const char *subject);
const struct identity_record *part_find_identity(const struct user_record *user, const char *issuer,
						 const char *subject);
