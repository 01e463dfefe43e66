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
/* The tenant whose feed it comes from; NULL: from the files, which are one source together. */
const char *unit_source(const struct unit *unit);
DEFINE_CLEANUP(struct unit, unit_unref)

struct directory;

/* Checks the units against each other (duplicates, dangling references, ids outside their block) and
 * builds the picture. 0; -EINVAL with place and remedy in `problem`; -ENOMEM. `before` (may be NULL)
 * is the picture in force: the work is in proportion to what changed. `host_name` chooses the host records.
 *
 * Each source is judged by itself: its records refer to its own only. What several sources claim is no error: none of
 * the claimants is served, with all that belongs to them (directory_conflicts). */
int directory_build(struct unit *const *units, uint32_t count, const char *host_name, const struct directory *before,
		    struct directory **ret, struct problem *problem);
/* The same from a finished picture of the files (NULL: none), which is taken as it is, and the units of feeds.
 * -EINVAL: *ret_source (may be NULL) is the tenant whose feed is at fault, so that the others can go on; borrowed from
 * the units. */
int directory_join(const struct directory *files, struct unit *const *feed_units, uint32_t count, const char *host_name,
		   const struct directory *before, struct directory **ret, const char **ret_source,
		   struct problem *problem);
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
const struct idp_record *directory_idp(const struct directory *d, const char *id);
/* Whose identity it is: by the user's own record, within the tenant. */
const struct user_record *directory_user_by_identity(const struct directory *d, const char *tenant_id,
						     const char *issuer, const char *subject);
/* The grant by which this operator's account is somebody, whether in force now or not; NULL: none. */
const struct grant_record *directory_grant_of(const struct directory *d, const char *user_id);
/* By which a tenant's access tokens are checked, and what ended before its time: only its own source has a say. */
const struct token_key_record *directory_token_key(const struct directory *d, const char *tenant_id, const char *kid);
const struct revocation_record *directory_revocation(const struct directory *d, const char *tenant_id, const char *id);
/* Do the tenant's records come by its feed? Else from the files, or there are none. */
bool directory_from_feed(const struct directory *d, const char *tenant_id);
/* What this host serves, by the best matching record of each source; NULL: no rule names it, and nobody signs in. */
const struct host_record *directory_host(const struct directory *d);

/* The user's memberships: start with *cursor = 0; NULL at the end. */
const struct member_record *directory_user_members(const struct directory *d, const char *user_id, uint32_t *cursor);
/* The tenant's orders to end sessions (REVOCATION_SESSIONS): start with *cursor = 0; NULL at the end. In no order that
 * stays. */
const struct revocation_record *directory_session_orders(const struct directory *d, const char *tenant_id,
							 uint32_t *cursor);
/* Is the tenant, the user, or a membership of theirs left out because several sources claim it, or what it belongs to
 * (directory_conflicts)? Then nobody can know what they may. */
bool directory_is_contested(const struct directory *d, const char *tenant_id, const char *user_id);
/* The same of one record: it stands in a source, and is not served. `id`: a grant's is its user's. Of tenants,
 * projects, users, keys, providers and grants. */
bool directory_left_out(const struct directory *d, enum record_kind kind, const char *id);
/* Is somebody with this uid left out, or a tenant whose block it is in? */
bool directory_uid_left_out(const struct directory *d, uint32_t uid);
/* The tenant's identity providers: start with *cursor = 0; NULL at the end. In no order that stays. */
const struct idp_record *directory_idps(const struct directory *d, const char *tenant_id, uint32_t *cursor);
/* All records, in a stable order; NULL at the end (start with *cursor = 0). */
const struct tenant_record *directory_next_tenant(const struct directory *d, uint32_t *cursor);
const struct project_record *directory_next_project(const struct directory *d, uint32_t *cursor);
const struct user_record *directory_next_user(const struct directory *d, uint32_t *cursor);
const struct member_record *directory_next_member(const struct directory *d, uint32_t *cursor);
const struct key_record *directory_next_key(const struct directory *d, uint32_t *cursor);
const struct idp_record *directory_next_idp(const struct directory *d, uint32_t *cursor);
const struct grant_record *directory_next_grant(const struct directory *d, uint32_t *cursor);

/* All records, also those that a conflict leaves out. */
struct directory_counts {
	uint32_t tenants, projects, users, members, keys;
};
struct directory_counts directory_counts(const struct directory *d);
/* Counts up by one with every picture of this process. */
uint64_t directory_generation(const struct directory *d);

/* What several sources claim at once. In one order, whichever way the picture was built. */
enum claim_kind {
	CLAIM_TENANT_ID,
	CLAIM_ID_BLOCK,
	CLAIM_PROJECT_ID,
	CLAIM_USER_ID,
	CLAIM_KEY_ID,
	CLAIM_IDP_ID,
	CLAIM_NAME, /* a login, or a group's name: they share one space */
};
struct directory_conflict {
	enum claim_kind kind;
	const char *text;       /* what is claimed */
	const char *sources[2]; /* "path:line", or a feed's origin */
};
const char *claim_kind_word(enum claim_kind kind); /* "user-id" */
/* As long as the picture. NULL and 0: none. */
const struct directory_conflict *directory_conflicts(const struct directory *d, uint32_t *ret_count);

/* What differs between two pictures, for audit, Subscribe and sessions: called once per record that
 * came, went or changed. `before` may be NULL. Costs in proportion to the change where `after` was
 * built from `before`. */
enum change_kind { CHANGE_ADDED, CHANGE_REMOVED, CHANGE_UPDATED };

/* `old_record`/`new_record` point to the record of that kind, or are NULL. */
typedef void (*directory_change_fn)(void *context, enum record_kind kind, enum change_kind change,
				    const void *old_record, const void *new_record);
int directory_diff(const struct directory *before, const struct directory *after, directory_change_fn report,
		   void *context); /* 0 or -ENOMEM */
/* The users whose passwd entry or groups differ from `before`'s, as a hint for the map writer: true and
 * the list when it is known and short; false: anything may differ. */
bool directory_touched_users(const struct directory *after, const struct directory *before, const uint32_t **ret_uids,
			     uint32_t *ret_count);
