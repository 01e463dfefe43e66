/* SPDX-License-Identifier: MIT
 *
 * Subordinate ids for shadow's libsubid (newuidmap, newgidmap, getsubids, podman), `subid: tenant` in
 * /etc/nsswitch.conf.
 *
 * Who gets which: 65536 uids and the same gids, computed from the person's uid alone. A block of ids thus
 * belongs to one uid for ever, on every host, whoever comes and goes; it is never handed on. The price is
 * that 32 bits do not hold a block for everyone: the managed range has 268 million uids, and between the
 * end of what useradd gives to local accounts (SUB_UID_MAX, 600100000) and our own range, inside
 * systemd's range for containers, there are 18432 blocks. They go to the first SUBID_PEOPLE ids of each of the
 * first SUBID_TENANTS tenant blocks of 65536 uids, counted from 0x70000000. Everybody else has none.
 *
 * libsubid asks one source only, so this one also answers from /etc/subuid and /etc/subgid for
 * everybody who is not ours: local accounts keep what they had.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SUBID_FIRST 0x28000000U
#define SUBID_COUNT 65536U
#define SUBID_TENANTS 64U
#define SUBID_PEOPLE 288U
#define SUBID_TENANT_BLOCK 65536U

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

/* The first id of the uid's block; 0: it has none. */
uint32_t subid_of_uid(uint32_t uid);
/* The uid whose block holds the id; 0: nobody's. */
uint32_t subid_owner(unsigned long id);

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
