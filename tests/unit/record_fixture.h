/* SPDX-License-Identifier: MIT
 *
 * Records from JSON for tests: each body is read as a tree and, where it is flat, as a snapshot's line has it, and both
 * must say the same.
 */
#pragma once

#include "base/arena.h"
#include "records/record_json.h"
#include "unit.h"

#define TENANT "ten_8fJ2kQpL0aZx4TyB"
#define IDS "\"ids\":{\"first\":1879048192,\"count\":16384,\"next\":1879048200}"
#define TENANT_WITH(more) "{\"slug\":\"acme\",\"gid\":1879048192," IDS "," more "}"
#define USER_WITH(more) "{\"login\":\"alice\",\"uid\":1879048200," more "}"

struct record_store record_store_of(struct arena *arena);
/* Of TENANT's feed. */
int read_record(struct arena *arena, enum record_kind kind, const char *id, const char *body, union any_record *ret,
		struct problem *problem);

struct record_refusal {
	enum record_kind kind;
	const char *id, *body, *text; /* a part of the problem's text; NULL: it is no JSON */
};
void check_refusals(const struct record_refusal *refusals, size_t count);
