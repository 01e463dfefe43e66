/* SPDX-License-Identifier: MIT
 *
 * From a record to what the caller of NSS gets: one copy into the caller's buffer and pointers into it.
 * Lengths and ids are loaded once and checked again, since the map's owner could change them at any time:
 * no pointer leaves the buffer, every text ends in it, and no id is outside the managed range.
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

static inline bool nss_id_is_managed(uint32_t id)
{
	return id - NSS_MAP_ID_FIRST <= NSS_MAP_ID_LAST - NSS_MAP_ID_FIRST;
}

#define PACK_PASSWORD "x" /* look elsewhere: in shadow, where it is locked */

/* memcpy for texts of some 40 bytes, by units: a map's texts lie at units, and so do the ends of blocks. */
static inline void pack_copy(char *to, size_t room, const uint8_t *from, size_t length)
{
	if (__builtin_expect(room < length + NSS_MAP_UNIT || length > 8 * NSS_MAP_UNIT, 0)) {
		memcpy(to, from, length);
		return;
	}
	for (size_t i = 0; i < length; i += NSS_MAP_UNIT)
		memcpy(to + i, from + i, NSS_MAP_UNIT);
}

/* Inline: this is the whole of a look-up beside the search. */
static inline enum pack_result pack_passwd(const struct map_record *record, struct passwd *pw, char *buffer,
					   size_t size)
{
	struct nss_map_person p;
	size_t gecos, home, shell, end;

	memcpy(&p, record->at, sizeof(p));
	gecos = p.record.name_length + 1U;
	home = gecos + p.gecos_length + 1U;
	shell = home + p.home_length + 1U;
	end = shell + p.shell_length + 1U;
	if (__builtin_expect(end > record->room - sizeof(p) || !nss_id_is_managed(p.record.id), 0))
		return PACK_BROKEN;
	if (__builtin_expect(size < end + sizeof(PACK_PASSWORD), 0))
		return PACK_TOO_SMALL;
	pack_copy(buffer, size, record->at + sizeof(p), end);
	memcpy(buffer + end - 1, "\0" PACK_PASSWORD, sizeof("\0" PACK_PASSWORD)); /* the NUL for certain */
	pw->pw_name = buffer;
	pw->pw_passwd = buffer + end;
	pw->pw_uid = p.record.id;
	pw->pw_gid = p.record.id;
	pw->pw_gecos = buffer + gecos;
	pw->pw_dir = buffer + home;
	pw->pw_shell = buffer + shell;
	return PACK_DONE;
}
enum pack_result pack_shadow(const struct map_record *record, struct spwd *sp, char *buffer, size_t size);
/* A group, or a person's private group. */
enum pack_result pack_group(const struct map_view *view, const struct map_record *record, struct group *gr,
			    char *buffer, size_t size);
/* Appends to the list that starts with *groups (malloc'd, grown as needed up to limit > 0), leaving out
 * `skip`. 0; EBADMSG: broken map; ENOMEM. *start moves as groups are added. */
int pack_groups(const struct map_record *record, gid_t skip, long *start, long *size, gid_t **groups, long limit);

/* The one place where our results become NSS's. `packed` counts only when something was found. */
enum nss_status nss_failure(enum map_answer found, enum pack_result packed, int *errnop);
static inline enum nss_status nss_result(enum map_answer found, enum pack_result packed, int *errnop)
{
	if (found == MAP_FOUND && packed == PACK_DONE)
		return NSS_STATUS_SUCCESS;
	return nss_failure(found, packed, errnop);
}
/* No map: nothing can be said. */
enum nss_status nss_no_map(int *errnop);
