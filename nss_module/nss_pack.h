/* SPDX-License-Identifier: MIT
 *
 * From a record to what the caller of NSS gets: copies into the caller's buffer, and what was copied is
 * what is checked. Nothing leaves here that is not terminated where it should be, holds a control
 * character, or carries an id outside the managed range.
 */
#pragma once

#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <shadow.h>

#include "map_find.h"

enum pack_result {
	PACK_BROKEN = -1,
	PACK_DONE = 0,
	PACK_TOO_SMALL = 1,
};

enum pack_result pack_passwd(const struct map_record *record, struct passwd *pw, char *buffer, size_t size);
enum pack_result pack_shadow(const struct map_record *record, struct spwd *sp, char *buffer, size_t size);
/* A group, or a person's private group. */
enum pack_result pack_group(const struct map_view *view, const struct map_record *record, struct group *gr,
			    char *buffer, size_t size);
/* Appends to the list that starts with *groups (malloc'd, grown as needed up to limit > 0), leaving out
 * `skip`. 0; EBADMSG: broken map; ENOMEM. *start moves as groups are added. */
int pack_groups(const struct map_record *record, gid_t skip, long *start, long *size, gid_t **groups, long limit);

/* The one place where our results become NSS's. `packed` counts only when something was found. */
enum nss_status nss_result(enum map_answer found, enum pack_result packed, int *errnop);
/* No map: nothing can be said. */
enum nss_status nss_no_map(int *errnop);

static inline bool nss_id_is_managed(uint32_t id)
{
	return id >= NSS_MAP_ID_FIRST && id <= NSS_MAP_ID_LAST;
}
