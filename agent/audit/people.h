/* SPDX-License-Identifier: MIT
 *
 * Whom an event is about, and whose each of its personal data is: the leaf has their ids alone, and what is said about
 * each of them stands in a patch of their own (docs/audit-log.md, "A record").
 *
 * Only files of agent/audit include it.
 */
#pragma once

#include "audit/audit.h"
#include "trail/leaf.h"

#define PERSON_UNKNOWN "-" /* somebody, or nobody, that the directory does not know */

struct people {
	unsigned count;
	char ids[LEAF_PERSONS_MAX][LEAF_ID_MAX];
	int user;   /* whom it is about: name, address, terminal, key, and all free text */
	int target; /* who they become */
	int caller; /* who asked on the socket */
};
struct people people_of(const struct audit_event *event);
/* A local service's account, or root: the number says nothing about a person. */
bool people_is_system_uid(uint32_t uid);
