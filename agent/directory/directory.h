/* SPDX-License-Identifier: MIT
 *
 * The directory: an immutable, reference-counted picture of everything the host knows, with the
 * indices that make every question a hash look-up. A change makes a new picture that shares the
 * unchanged units and is swapped in whole; whoever holds the old one keeps a consistent view.
 *
 * Pictures are used on the agent's main thread only; units are built by a loader thread and handed over.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/problem.h"
#include "records/records.h"

/* One source's records and the arena that owns them. Reference-counted (atomic). */
struct unit;
struct unit *unit_ref(struct unit *unit);
void unit_unref(struct unit *unit); /* takes NULL */
const struct record_set *unit_records(const struct unit *unit);
const char *unit_name(const struct unit *unit); /* path or feed origin, for messages */
DEFINE_CLEANUP(struct unit, unit_unref)

struct directory;

/* Checks the units against each other (duplicates, dangling references, ids outside their block) and
 * builds the picture. 0; -EINVAL with place and remedy in `problem`; -ENOMEM. `before` (may be NULL)
 * is the picture in force: when little changed the work is in proportion to the change. `host_name`
 * chooses the host record. */
int directory_build(struct unit *const *units, uint32_t count, const char *host_name, const struct directory *before,
		    struct directory **ret, struct problem *problem);
struct directory *directory_ref(struct directory *directory);
void directory_unref(struct directory *directory); /* takes NULL */
DEFINE_CLEANUP(struct directory, directory_unref)

/* Look-ups: NULL when there is none. Pointers live as long as the picture. */
const struct tenant_record *directory_tenant(const struct directory *d, const char *id);
const struct tenant_record *directory_tenant_by_slug(const struct directory *d, const char *slug);
const struct project_record *directory_project(const struct directory *d, const char *id);
/* "tenant-slug/project-slug", or an id. */
const struct project_record *directory_project_by_name(const struct directory *d, const char *name);
const struct user_record *directory_user(const struct directory *d, const char *id);
const struct user_record *directory_user_by_login(const struct directory *d, const char *login);
const struct user_record *directory_user_by_uid(const struct directory *d, uint32_t uid);
const struct key_record *directory_key(const struct directory *d, const char *id);
/* The role name in the project (project_id) or the tenant (project_id ""), or NULL. */
const char *directory_role(const struct directory *d, const char *user_id, const char *project_id);
/* What this host serves; NULL: no rule names it, and nobody signs in. */
const struct host_record *directory_host(const struct directory *d);

/* The user's memberships: start with *cursor = 0; NULL at the end. */
const struct member_record *directory_user_members(const struct directory *d, const char *user_id, uint32_t *cursor);
/* All records, in a stable order; NULL at the end (start with *cursor = 0). */
const struct tenant_record *directory_next_tenant(const struct directory *d, uint32_t *cursor);
const struct project_record *directory_next_project(const struct directory *d, uint32_t *cursor);
const struct user_record *directory_next_user(const struct directory *d, uint32_t *cursor);
const struct member_record *directory_next_member(const struct directory *d, uint32_t *cursor);
const struct key_record *directory_next_key(const struct directory *d, uint32_t *cursor);

struct directory_counts {
	uint32_t tenants, projects, users, members, keys;
};
struct directory_counts directory_counts(const struct directory *d);
/* Counts up by one with every picture of this process. */
uint64_t directory_generation(const struct directory *d);

/* What differs between two pictures, for audit, Subscribe and sessions: called once per record that
 * came, went or changed. `before` may be NULL. Costs in proportion to the change where `after` was
 * built from `before`. */
enum change_kind { CHANGE_ADDED, CHANGE_REMOVED, CHANGE_UPDATED };

/* `old_record`/`new_record` point to the record of that kind, or are NULL. */
typedef void (*directory_change_fn)(void *context, enum record_kind kind, enum change_kind change,
				    const void *old_record, const void *new_record);
void directory_diff(const struct directory *before, const struct directory *after, directory_change_fn report,
		    void *context);
/* The users whose passwd entry or groups differ from `before`'s, as a hint for the map writer: true and
 * the list when it is known and short; false: anything may differ. */
bool directory_touched_users(const struct directory *after, const struct directory *before, const uint32_t **ret_uids,
			     uint32_t *ret_count);
