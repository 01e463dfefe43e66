/* SPDX-License-Identifier: MIT
 *
 * From the directory's records to the map's: what stands in a person's entry, and which groups there are.
 */
#pragma once

#include "map_writer/map_image.h"
#include "map_writer/map_writer.h"

struct map_person {
	const struct user_record *user;
	uint32_t login_length, gecos_length, home_length, shell_length;
	uint32_t text_size;
	uint32_t run_count;
	nss_map_run runs[NSS_MAP_RUNS_MAX];
};
/* The person's entry. -E2BIG: more groups than a map can hold; -EINVAL: fields that no source should have let
 * through, and that a reader would take for damage. */
int map_person_fill(struct map_person *ret, const struct directory *d, const struct map_options *options,
		    const struct user_record *user);
/* Only what comes of the record itself, of one that was filled in before; the runs are the caller's. */
void map_person_fill_texts(struct map_person *ret, const struct user_record *user);
uint64_t map_person_size(const struct map_person *person); /* of the record */
/* Writes everything but head.units. */
void map_person_write(const struct map_person *person, struct nss_map_record *record);

static inline uint32_t map_run_gid(nss_map_run run)
{
	return NSS_MAP_ID_FIRST + (run >> 4);
}

static inline nss_map_run map_run(uint32_t gid, uint32_t level)
{
	return (gid - NSS_MAP_ID_FIRST) << 4 | level;
}

/* Index of the highest group of the run, counted from its gid. */
static inline uint32_t map_run_level(nss_map_run run)
{
	return run & 15;
}

/* How somebody is in the groups of a family: a level is that group and those below it; an operator is in the viewers'
 * group alone, whose run thus begins at the second gid of the family. */
#define STANDING_OPERATOR GROUP_LEVEL_COUNT
#define STANDING_COUNT (GROUP_LEVEL_COUNT + 1)
static inline nss_map_run map_standing_run(uint32_t gid, uint32_t standing)
{
	return standing == STANDING_OPERATOR ? map_run(gid + GROUP_LEVEL_VIEWER, 0) : map_run(gid, standing);
}

static inline bool map_standing_in(uint32_t standing, uint32_t level)
{
	return standing == STANDING_OPERATOR ? level == GROUP_LEVEL_VIEWER : level <= standing;
}

#define HOST_FAMILIES 2U /* the host's own: tenant-sudo and tenant-users */

/* Groups that share a member list: those of a project, or one. */
struct map_family {
	uint32_t gid; /* of the first */
	uint32_t levels;
	const struct tenant_record *tenant;   /* NULL: a group of the host's own */
	const struct project_record *project; /* NULL: the tenant's own group */
};
/* Walks all families: start with *cursor zeroed. */
struct map_family_cursor {
	unsigned stage;
	uint32_t cursor;
};
bool map_next_family(const struct directory *d, struct map_family_cursor *cursor, struct map_family *ret);
char *map_family_name(const struct map_family *family, uint32_t level, char out[NSS_MAP_NAME_MAX + 1]);
