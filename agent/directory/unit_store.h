/* SPDX-License-Identifier: MIT
 *
 * Where a feed's records have their texts and lists: in the unit that they belong to, shared as far as that is cheap.
 */
#pragma once

#include "directory/unit.h"
#include "records/record_json.h"

#define RECENT_TEXTS 4U

struct unit_text {
	const char *text;
	size_t length;
};
struct unit_store {
	struct unit *unit;
	struct unit_text recent[RECENT_TEXTS];
	unsigned at;
};
/* Borrows `store`, which may get its unit later. */
struct record_store unit_store(struct unit_store *store);
/* Before a membership with this id ("<user>/…") is read: its user mostly stands in the same unit. */
void unit_store_know_user(struct unit_store *store, const char *member_id);
