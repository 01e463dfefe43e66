/* SPDX-License-Identifier: MIT
 *
 * The passwd database.
 */
#include "nss_entry.h"
#include "nss_pack.h"
#include "nss_walk.h"

static struct nss_walk walk;

NSS_ENTRY enum nss_status _nss_tenant_getpwnam_r(const char *name, struct passwd *pw, char *buffer, size_t size,
						 int *errnop)
{
	enum pack_result packed = PACK_DONE;
	unsigned tries = MAP_TRIES;
	struct map_record record;
	enum map_answer found;
	struct map_view view;

	do {
		if (!map_enter(&view))
			return nss_no_map(errnop);
		found = map_find_person(&view, name, &record);
		if (found == MAP_FOUND)
			packed = pack_passwd(&record, pw, buffer, size);
	} while (!map_unchanged(&view) && --tries);
	return nss_result(tries ? found : MAP_BROKEN, packed, errnop);
}

NSS_ENTRY enum nss_status _nss_tenant_getpwuid_r(uid_t uid, struct passwd *pw, char *buffer, size_t size, int *errnop)
{
	enum pack_result packed = PACK_DONE;
	unsigned tries = MAP_TRIES;
	struct map_record record;
	enum map_answer found;
	struct map_view view;

	if (!nss_id_is_managed(uid))
		return nss_result(MAP_MISSING, packed, errnop);
	do {
		if (!map_enter(&view))
			return nss_no_map(errnop);
		found = map_find_id(&view, uid, &record);
		if (found == MAP_FOUND && map_kind(&record) != NSS_MAP_PERSON)
			found = MAP_MISSING;
		if (found == MAP_FOUND)
			packed = pack_passwd(&record, pw, buffer, size);
	} while (!map_unchanged(&view) && --tries);
	return nss_result(tries ? found : MAP_BROKEN, packed, errnop);
}

NSS_ENTRY enum nss_status _nss_tenant_setpwent(int stayopen)
{
	(void)stayopen;
	nss_walk_reset(&walk);
	return NSS_STATUS_SUCCESS;
}

NSS_ENTRY enum nss_status _nss_tenant_endpwent(void)
{
	nss_walk_reset(&walk);
	return NSS_STATUS_SUCCESS;
}

NSS_ENTRY enum nss_status _nss_tenant_getpwent_r(struct passwd *pw, char *buffer, size_t size, int *errnop)
{
	uint64_t start = atomic_load_explicit(&walk.cursor, memory_order_relaxed), cursor;
	enum pack_result packed = PACK_DONE;
	unsigned tries = MAP_TRIES;
	struct map_record record;
	enum map_answer found;
	struct map_view view;

	do {
		if (!map_enter(&view))
			return nss_no_map(errnop);
		cursor = start;
		found = MAP_MISSING;
		if (view.slot->flags & NSS_MAP_ENUMERATE)
			found = map_next_record(&view, true, &cursor, &record);
		if (found == MAP_FOUND)
			packed = pack_passwd(&record, pw, buffer, size);
	} while (!map_unchanged(&view) && --tries);
	if (tries && found == MAP_FOUND && packed == PACK_DONE)
		atomic_store_explicit(&walk.cursor, cursor, memory_order_relaxed);
	return nss_result(tries ? found : MAP_BROKEN, packed, errnop);
}
