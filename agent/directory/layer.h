/* SPDX-License-Identifier: MIT
 *
 * Inside a picture: layers and groups. A layer is the index over one large unit, or over small ones
 * together; it is immutable and shared by the pictures that hold the same units. So a change in a small
 * drop-in indexes the small units again (where they are many, an eighth of them) and nothing else.
 */
#pragma once

#include "base/text.h"
#include "directory/lookup.h"
#include "directory/unit.h"

#define LARGE_UNIT_RECORDS 2048U /* a unit of so many records gets a layer of its own … */
#define LARGE_UNITS_MAX 7U       /* … but no more than this, since every look-up asks each layer */
#define SMALL_LAYERS 8U          /* all small units share one layer, or so many … */
#define SMALL_RECORDS 8192U      /* … when they have so many records together */
#define LAYERS_MAX (LARGE_UNITS_MAX + SMALL_LAYERS)
#define USER_MEMBERSHIPS_MAX 3000U /* what the map holds of one person: see map_people.c */

enum {
	BY_TENANT_ID,
	BY_TENANT_SLUG,
	BY_PROJECT_ID,
	BY_PROJECT_SLUG,
	BY_USER_ID,
	BY_LOGIN,
	BY_UID,
	BY_KEY_ID,
	BY_MEMBER,
	BY_COUNT
};

struct layer {
	atomic_uint references;
	struct unit **units;
	uint32_t unit_count;
	uint32_t count[RECORD_KIND_COUNT];
	const void **scattered[RECORD_KIND_COUNT]; /* pointers to the records; NULL in a layer of one unit */
	struct lookup by[BY_COUNT];
	uint32_t *next_member; /* of the same user: number + 1; 0: last */
};

/* 0; -EINVAL: two records of these units claim one key (problem); -ENOMEM. */
int layer_new(struct unit *const *units, uint32_t count, struct layer **ret, struct problem *problem);
struct layer *layer_ref(struct layer *layer);
void layer_unref(struct layer *layer); /* takes NULL */
DEFINE_CLEANUP(struct layer, layer_unref)

static inline const void *layer_at(const struct layer *layer, enum record_kind kind, uint32_t number)
{
	return layer->scattered[kind] ? layer->scattered[kind][number]
				      : records_at(&layer->units[0]->records, kind, number);
}
const struct tenant_record *layer_tenant(const struct layer *layer, uint64_t hash, const char *id);
const struct tenant_record *layer_tenant_by_slug(const struct layer *layer, uint64_t hash, const char *slug);
const struct project_record *layer_project(const struct layer *layer, uint64_t hash, const char *id);
const struct project_record *layer_project_by_slug(const struct layer *layer, uint64_t hash,
						   const struct project_record *like);
uint64_t layer_hash_slug(const struct project_record *project); /* for layer_project_by_slug */
const struct user_record *layer_user(const struct layer *layer, uint64_t hash, const char *id);
const struct user_record *layer_user_by_login(const struct layer *layer, uint64_t hash, const char *login);
const struct user_record *layer_user_by_uid(const struct layer *layer, uint64_t hash, uint32_t uid);
const struct key_record *layer_key(const struct layer *layer, uint64_t hash, const char *id);
/* Number + 1 of the user's first membership in this layer; 0: none. */
uint32_t layer_first_member(const struct layer *layer, uint64_t hash, const char *user_id);

/* The Unix groups of all tenants and projects: names and ids, each claimed once. */
struct group_claim {
	const char *name;
	uint32_t gid;
};
struct groups {
	atomic_uint references;
	struct string_pool pool;
	struct group_claim *claims;
	uint32_t count;
	struct lookup by_name, by_gid;
};
/* Names a group of the project: the tenant's slug, the project's, the level. */
#define GROUP_TEXT_SIZE (2 * SLUG_MAX_BYTES + 16)
char *group_text(const char *tenant_slug, const char *project_slug, unsigned level, char out[GROUP_TEXT_SIZE]);
int groups_new(const struct directory *d, struct groups **ret, struct problem *problem);
struct groups *groups_ref(struct groups *groups);
void groups_unref(struct groups *groups); /* takes NULL */
const struct group_claim *groups_by_name(const struct groups *groups, const char *name);
const struct group_claim *groups_by_gid(const struct groups *groups, uint32_t gid);

struct change {
	enum record_kind kind;
	enum change_kind change;
	const void *old_record, *new_record;
};

struct directory {
	atomic_uint references;
	uint64_t generation;
	uint64_t built_from; /* generation of the picture before; 0: none */
	struct unit **units;
	uint32_t *base[RECORD_KIND_COUNT]; /* of each unit: how many records stand in those before it; one more at the
					      end */
	uint32_t unit_count;
	struct layer *layers[LAYERS_MAX];
	uint32_t layer_count;
	uint32_t member_base[LAYERS_MAX];
	struct groups *groups;
	const struct host_record *host;
	/* Differences from `built_from`, when they are few. */
	struct change *changes;
	uint32_t change_count, change_capacity;
	bool changes_known;
	uint32_t *touched;
	uint32_t touched_count;
	bool touched_known;
};

/* check.c: everything, or what differs from `before` and whatever refers to it. */
int directory_check(const struct directory *d, const struct directory *before, struct problem *problem);
/* True when tenants or projects differ in what groups or other records depend on. */
bool directory_structure_changed(const struct directory *d, const struct directory *before);
bool directory_has_unit(const struct directory *d, const struct unit *unit);
/* Puts the place of a record into the problem. */
void directory_blame(struct unit *const *units, uint32_t count, enum record_kind kind, const void *record,
		     struct problem *problem);
/* "path:line", of a record, for texts such as "already claimed at …". */
#define WHERE_TEXT_SIZE (PROBLEM_FILE_MAX + 16)
char *directory_where(struct unit *const *units, uint32_t count, enum record_kind kind, const void *record,
		      char out[WHERE_TEXT_SIZE]);
/* diff.c: fills changes and touched. */
int directory_note_changes(struct directory *d, const struct directory *before);
