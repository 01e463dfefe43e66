/* SPDX-License-Identifier: MIT
 *
 * The shadow database: nobody of ours has a password here. Entries say "locked" in the way that no
 * password can match, without ageing. As with /etc/shadow only root may ask; others are sent on by an
 * error, so that programs which take any answer for the right to check passwords themselves do not.
 */
#include <errno.h>
#include <unistd.h>

#include "nss_entry.h"
#include "nss_pack.h"
#include "nss_walk.h"

static struct nss_walk walk;

static bool may_ask(int *errnop)
{
	if (geteuid() == 0)
		return true;
	*errnop = EACCES;
	return false;
}

NSS_ENTRY enum nss_status _nss_tenant_getspnam_r(const char *name, struct spwd *sp, char *buffer, size_t size,
						 int *errnop)
{
	enum pack_result packed = PACK_DONE;
	unsigned tries = MAP_TRIES;
	struct map_record record;
	enum map_answer found;
	struct map_view view;

	if (!may_ask(errnop))
		return NSS_STATUS_UNAVAIL;
	do {
		if (!map_enter(&view))
			return nss_no_map(errnop);
		found = map_find_person(&view, name, &record);
		if (found == MAP_FOUND)
			packed = pack_shadow(&record, sp, buffer, size);
	} while (!map_unchanged(&view) && --tries);
	return nss_result(tries ? found : MAP_BROKEN, packed, errnop);
}

NSS_ENTRY enum nss_status _nss_tenant_setspent(int stayopen)
{
	(void)stayopen;
	nss_walk_reset(&walk);
	return NSS_STATUS_SUCCESS;
}

NSS_ENTRY enum nss_status _nss_tenant_endspent(void)
{
	nss_walk_reset(&walk);
	return NSS_STATUS_SUCCESS;
}

NSS_ENTRY enum nss_status _nss_tenant_getspent_r(struct spwd *sp, char *buffer, size_t size, int *errnop)
{
	uint64_t start = atomic_load_explicit(&walk.cursor, memory_order_relaxed), cursor;
	enum pack_result packed = PACK_DONE;
	unsigned tries = MAP_TRIES;
	struct map_record record;
	enum map_answer found;
	struct map_view view;

	if (!may_ask(errnop))
		return NSS_STATUS_UNAVAIL;
	do {
		if (!map_enter(&view))
			return nss_no_map(errnop);
		cursor = start;
		found = MAP_MISSING;
		if (view.slot->flags & NSS_MAP_ENUMERATE)
			found = map_next_record(&view, true, &cursor, &record);
		if (found == MAP_FOUND)
			packed = pack_shadow(&record, sp, buffer, size);
	} while (!map_unchanged(&view) && --tries);
	if (tries && found == MAP_FOUND && packed == PACK_DONE)
		atomic_store_explicit(&walk.cursor, cursor, memory_order_relaxed);
	return nss_result(tries ? found : MAP_BROKEN, packed, errnop);
}
