/* SPDX-License-Identifier: MIT
 *
 * Which subordinate ids belong to whom: by the number of the uid alone, so that everybody who asks comes to the same.
 * In a header, for the root helper, which has nothing else of this folder.
 *
 * 65536 uids and the same gids each, a block that belongs to one uid for ever, on every host, whoever comes and goes;
 * it is never handed on. The price is that 32 bits do not hold a block for everyone: the managed range has 268 million
 * uids, and between the end of what useradd gives to local accounts (SUB_UID_MAX, 600100000) and our own range, inside
 * systemd's range for containers, there are 18432 blocks. They go to the first SUBID_PEOPLE ids of each of the first
 * SUBID_TENANTS tenant blocks of 65536 uids, counted from 0x70000000. Everybody else has none.
 */
#pragma once

#include <assert.h>
#include <stdint.h>

#include "tenant/nss_map.h"

#define SUBID_FIRST 0x28000000U
#define SUBID_COUNT 65536U
#define SUBID_TENANTS 64U
#define SUBID_PEOPLE 288U
#define SUBID_TENANT_BLOCK 65536U

static_assert(SUBID_FIRST + (uint64_t)SUBID_TENANTS * SUBID_PEOPLE * SUBID_COUNT == NSS_MAP_ID_FIRST,
	      "the blocks end where our own ids begin");

/* The first id of the uid's block; 0: it has none. */
static inline uint32_t subid_of_uid(uint32_t uid)
{
	uint32_t number = uid - NSS_MAP_ID_FIRST, tenant = number / SUBID_TENANT_BLOCK,
		 person = number % SUBID_TENANT_BLOCK;

	if (uid < NSS_MAP_ID_FIRST || uid > NSS_MAP_ID_LAST || tenant >= SUBID_TENANTS || person >= SUBID_PEOPLE)
		return 0;
	return SUBID_FIRST + (tenant * SUBID_PEOPLE + person) * SUBID_COUNT;
}

/* The uid whose block holds the id; 0: nobody's. */
static inline uint32_t subid_owner(unsigned long id)
{
	unsigned long block;

	if (id < SUBID_FIRST || id >= NSS_MAP_ID_FIRST)
		return 0;
	block = (id - SUBID_FIRST) / SUBID_COUNT;
	return (uint32_t)(NSS_MAP_ID_FIRST + block / SUBID_PEOPLE * SUBID_TENANT_BLOCK + block % SUBID_PEOPLE);
}
