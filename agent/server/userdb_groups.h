/* SPDX-License-Identifier: MIT
 *
 * The Unix groups that the directory makes, by name and number, and walks over people, groups and who is
 * in which: one small step at a time, so that a long list delays nobody.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"
#include "directory/directory.h"

enum userdb_group_kind { USERDB_PRIVATE, USERDB_TENANT, USERDB_PROJECT, USERDB_HOST };

struct userdb_group {
	enum userdb_group_kind kind;
	char name[GROUP_NAME_MAX_BYTES + 1];
	uint32_t gid;
	const struct tenant_record *tenant;   /* USERDB_TENANT */
	const struct project_record *project; /* USERDB_PROJECT … */
	enum group_level level;               /* … and whose group of it */
};

bool userdb_group_by_name(const struct directory *d, const char *name, struct userdb_group *ret);
bool userdb_group_by_gid(const struct directory *d, uint32_t gid, struct userdb_group *ret);

enum userdb_walk_kind { USERDB_WALK_USERS, USERDB_WALK_GROUPS, USERDB_WALK_MEMBERSHIPS };

/* Start with zeroes, the kind, and what to narrow memberships to. */
struct userdb_walk {
	enum userdb_walk_kind kind;
	const struct user_record *only_user;
	bool has_group;
	struct userdb_group only_group;
	/* where it is */
	unsigned phase;
	uint32_t cursor, inner;
	const struct user_record *user;
	const struct project_record *project;
	unsigned level, levels;
};

enum { USERDB_END = 0, USERDB_FOUND = 1, USERDB_NOTHING = 2 };
/* USERDB_FOUND: a record, in what the walk's kind asks for; USERDB_NOTHING: this step gave none. */
int userdb_walk_step(struct userdb_walk *walk, const struct directory *d, const struct user_record **ret_user,
		     struct userdb_group *ret_group);
