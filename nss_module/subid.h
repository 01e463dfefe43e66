/* SPDX-License-Identifier: MIT
 *
 * Subordinate ids for shadow's libsubid (newuidmap, newgidmap, getsubids, podman), `subid: tenant` in
 * /etc/nsswitch.conf.
 *
 * Who gets which: subid_blocks.h.
 *
 * libsubid asks one source only, so this one also answers from /etc/subuid and /etc/subgid for
 * everybody who is not ours: local accounts keep what they had.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "nss_module/subid_blocks.h"

/* The interface of libsubid's plugins (shadow 4.9 and later). */
enum subid_status {
	SUBID_STATUS_SUCCESS = 0,
	SUBID_STATUS_UNKNOWN_USER = 1,
	SUBID_STATUS_ERROR_CONN = 2,
	SUBID_STATUS_ERROR = 3,
};
enum subid_type {
	ID_TYPE_UID = 1,
	ID_TYPE_GID = 2,
};
struct subid_range {
	unsigned long start;
	unsigned long count;
};
enum subid_status shadow_subid_has_range(const char *owner, unsigned long start, unsigned long count,
					 enum subid_type type, bool *result);
/* *ranges is malloc'd and the caller's; NULL when *count is 0. */
enum subid_status shadow_subid_list_owner_ranges(const char *owner, enum subid_type type, struct subid_range **ranges,
						 int *count);
enum subid_status shadow_subid_find_subid_owners(unsigned long id, enum subid_type type, uid_t **uids, int *count);

/* What the files say (subid_files.c). Lists are malloc'd and grown. */
struct subid_ranges {
	struct subid_range *items;
	int count;
};
struct subid_uids {
	uid_t *items;
	int count;
};
/* `owner` is a name or a uid in digits. False: out of memory, or the file is unreadable. */
bool subid_files_ranges(const char *owner, enum subid_type type, struct subid_ranges *ranges);
bool subid_files_owners(unsigned long id, enum subid_type type, struct subid_uids *uids);
