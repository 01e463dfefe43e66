/* SPDX-License-Identifier: MIT
 *
 * Inside a picture: parts. A part is what one source says (the files together, or one feed), a world of its own: its
 * records refer to each other only, and it is judged alone, so that one source's fault is nobody else's. It is
 * immutable and shared by the pictures that hold the same units. One that is derived from another costs what changed.
 */
#pragma once

#include "base/text.h"
#include "directory/index.h"
#include "directory/lookup.h"
#include "directory/unit.h"

#define UNITS_MAX 32768U /* of one source */
#define SOURCES_MAX 250U /* of one picture: a cursor over memberships has eight bits for them */

enum {
	BY_TENANT_ID,
	BY_TENANT_SLUG,
	BY_PROJECT_ID,
	BY_PROJECT_SLUG,
	BY_USER_ID,
	BY_LOGIN,
	BY_UID,
	BY_KEY_ID,
	BY_HOST_NAME,
	BY_TOKEN_KEY,
	BY_REVOCATION,
	BY_IDP_ID,
	BY_GRANT_ID,
	BY_GRANT_USER,
	BY_IDENTITY,     /* a user as often as they have identities */
	BY_UNIQUE_COUNT, /* those before it find one record each */
	BY_KEY_USER = BY_UNIQUE_COUNT,
	BY_MEMBER_USER,
	BY_IDP_TENANT,
	BY_SESSION_ORDER, /* revocations of sessions alone: there are few, and they are asked for often */
	BY_COUNT
};

/* The Unix groups of all tenants and projects: names and ids, each claimed once. */
struct group_claim {
	const char *name;
	uint32_t gid;
	enum record_kind kind; /* a tenant's or a project's … */
	const char *id;        /* … and its id */
};
struct groups {
	atomic_uint references;
	struct string_pool pool;
	struct group_claim *claims;
	uint32_t count;
	struct lookup by_name, by_gid;
};

struct part {
	atomic_uint references;
	char *tenant_id; /* a feed's; NULL: the files */
	struct unit **units;
	uint32_t unit_count;
	uint32_t *base[RECORD_KIND_COUNT]; /* of each unit: how many records stand in those before it; one more at the
					      end */
	struct index by[BY_COUNT];
	struct groups *groups;
	const struct host_record *host; /* what this source says of this host */
};

/* Builds and judges. `before` (may be NULL): the same source's part in force. 0; -EINVAL with the problem; -ENOMEM. */
int part_new(struct unit *const *units, uint32_t count, const char *host_name, const struct part *before,
	     struct part **ret, struct problem *problem);
struct part *part_ref(struct part *part);
void part_unref(struct part *part); /* takes NULL */
DEFINE_CLEANUP(struct part, part_unref)
bool part_holds(const struct part *part, struct unit *const *units, uint32_t count); /* exactly these? */

static inline uint32_t part_count(const struct part *part, enum record_kind kind)
{
	return part->base[kind][part->unit_count];
}
const void *part_at(const struct part *part, enum record_kind kind, uint32_t number);

/* The units that one of two parts has and the other lacks. `before` NULL: all came. */
struct part_difference {
	struct unit **gone, **came; /* owned arrays, borrowed units */
	uint32_t gone_count, came_count;
};
int part_differ(const struct part *before, const struct part *after, struct part_difference *ret);
void part_difference_finish(struct part_difference *difference);

const struct tenant_record *part_tenant(const struct part *part, const char *id);
const struct tenant_record *part_tenant_by_slug(const struct part *part, const char *slug);
const struct project_record *part_project(const struct part *part, const char *id);
const struct project_record *part_project_by_slug(const struct part *part, const char *tenant_id, const char *slug);
const struct user_record *part_user(const struct part *part, const char *id);
const struct user_record *part_user_by_login(const struct part *part, const char *login);
const struct user_record *part_user_by_uid(const struct part *part, uint32_t uid);
const struct key_record *part_key(const struct part *part, const char *id);
const struct host_record *part_host_by_name(const struct part *part, const char *name);
const struct token_key_record *part_token_key(const struct part *part, const char *id);
const struct revocation_record *part_revocation(const struct part *part, const char *id);
const struct idp_record *part_idp(const struct part *part, const char *id);
const struct grant_record *part_grant(const struct part *part, const char *id);
const struct grant_record *part_grant_of(const struct part *part, const char *user_id);
const struct user_record *part_user_by_identity(const struct part *part, const char *tenant_id, const char *issuer,
						const char *subject);
/* Start with *cursor = 0; NULL at the end. */
const struct revocation_record *part_session_orders(const struct part *part, const char *tenant_id, uint32_t *cursor);
const struct idp_record *part_tenant_idps(const struct part *part, const char *tenant_id, uint32_t *cursor);
const struct member_record *part_user_members(const struct part *part, const char *user_id, uint32_t *cursor);
const struct key_record *part_user_keys(const struct part *part, const char *user_id, uint32_t *cursor);

/* Names a group of the project: the tenant's slug, the project's, the level. */
#define GROUP_TEXT_SIZE (2 * SLUG_MAX_BYTES + 16)
char *group_text(const char *tenant_slug, const char *project_slug, unsigned level, char out[GROUP_TEXT_SIZE]);
int groups_new(const struct part *part, struct groups **ret, struct problem *problem);
struct groups *groups_ref(struct groups *groups);
void groups_unref(struct groups *groups); /* takes NULL */
const struct group_claim *groups_by_name(const struct groups *groups, const char *name);
const struct group_claim *groups_by_gid(const struct groups *groups, uint32_t gid);

/* check.c: everything, or what differs from `before` and whatever refers to it. */
int part_check(const struct part *part, const struct part *before, const struct part_difference *difference,
	       struct problem *problem);
/* True when tenants or projects differ in what groups or other records depend on. */
bool part_structure_changed(const struct part *part, const struct part *before,
			    const struct part_difference *difference);
/* Puts the place of a record into the problem. */
void part_blame(const struct part *part, enum record_kind kind, const void *record, struct problem *problem);
/* "path:line" of a record, or the feed's name, for texts such as "already claimed at …". */
#define WHERE_TEXT_SIZE (PROBLEM_FILE_MAX + 16)
char *part_where(const struct part *part, enum record_kind kind, const void *record, char out[WHERE_TEXT_SIZE]);
