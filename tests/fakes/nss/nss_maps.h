/* SPDX-License-Identifier: MIT
 *
 * Directories of any shape for tests of the map, published where nss_place says; and the map as bytes, to
 * be damaged.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "map_writer/map_writer.h"

/* A person: login "<prefix><number>", uid from `first_uid`, and a role in each project ("" none). */
#define CAST_PROJECTS 6
#define CAST_TENANT_GID 0x70000000U
#define CAST_UID_FIRST 0x70001000U
struct cast_person {
	char login[33];
	char name[200];
	uint8_t roles[CAST_PROJECTS]; /* 0: no member, 1 … 3: viewer, editor, owner; 4: one that has no group of its own
				       */
	bool operator_kind;           /* looks in: viewer of the same projects */
	bool present;
};
/* A directory of tenant "acme" (group CAST_TENANT_GID) with projects p0 …, and people[i] with uid
 * CAST_UID_FIRST + i. Those from `changing` on are in a unit of their own; *fixed keeps the first unit
 * from one call to the next (start with NULL; unit_unref it in the end). */
struct unit;
struct directory *cast_build(const struct cast_person *people, uint32_t count, uint32_t changing, struct unit **fixed,
			     const struct directory *before);
uint32_t cast_project_gid(unsigned project);
/* Are they in the project's group of this level (0: of all members)? */
bool cast_is_in(const struct cast_person *person, unsigned project, unsigned level);

/* Publishes with a writer of its own. 0 or -errno. */
int cast_publish(struct directory *d, bool enumerate);

/* The published file's bytes (malloc'd), and a file made from bytes, in place of the published one. */
uint8_t *cast_read_map(size_t *ret_size);
void cast_write_map(const uint8_t *map, size_t size);
/* Makes sums and header right again after bytes have changed. */
void cast_seal_map(uint8_t *map, size_t size);

/* Runs the function in a child of its own, which has looked at no map yet. Its result, 0 … 100; 128 + the
 * signal that ended it. */
int in_child(int (*function)(void *), void *argument);
