/* SPDX-License-Identifier: MIT
 *
 * The passwd database.
 */
#include <errno.h>

#include "nss_entry.h"
#include "nss_pack.h"
#include "nss_walk.h"

static struct nss_walk walk;

/* Out of line: first use, a new map, a full bucket, a small buffer, a broken map. */
static __attribute__((noinline, cold)) enum nss_status by_name(const char *name, struct passwd *pw, char *buffer,
							       size_t size, int *errnop)
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

static __attribute__((noinline, cold)) enum nss_status by_uid(uid_t uid, struct passwd *pw, char *buffer, size_t size,
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
		found = map_find_id(&view, uid, &record);
		if (found == MAP_FOUND && map_kind(&record) != NSS_MAP_PERSON)
			found = MAP_MISSING;
		if (found == MAP_FOUND)
			packed = pack_passwd(&record, pw, buffer, size);
	} while (!map_unchanged(&view) && --tries);
	return nss_result(tries ? found : MAP_BROKEN, packed, errnop);
}

/* What is left to do when the fast search has ended. */
static inline __attribute__((always_inline)) bool finish_fast(const struct map_view *view, enum map_answer found,
							      const struct map_record *record, struct passwd *pw,
							      char *buffer, size_t size, int *errnop,
							      enum nss_status *ret)
{
	if (found == MAP_MISSING) {
		*errnop = ENOENT;
		*ret = NSS_STATUS_NOTFOUND;
		return map_unchanged(view);
	}
	*ret = NSS_STATUS_SUCCESS;
	return found == MAP_FOUND && map_kind(record) == NSS_MAP_PERSON &&
	       pack_passwd(record, pw, buffer, size) == PACK_DONE && map_unchanged(view);
}

NSS_ENTRY enum nss_status _nss_tenant_getpwnam_r(const char *name, struct passwd *pw, char *buffer, size_t size,
						 int *errnop)
{
	struct map_record record;
	enum nss_status status;
	struct map_view view;
	struct map_key key;

	if (map_enter_fast(&view) && map_name_key(&view, name, &key) &&
	    finish_fast(&view, map_find_fast(&view, view.slot->names_offset, view.slot->names_buckets, &key, &record),
			&record, pw, buffer, size, errnop, &status))
		return status;
	return by_name(name, pw, buffer, size, errnop);
}

NSS_ENTRY enum nss_status _nss_tenant_getpwuid_r(uid_t uid, struct passwd *pw, char *buffer, size_t size, int *errnop)
{
	struct map_record record;
	enum nss_status status;
	struct map_view view;
	struct map_key key;

	if (!nss_id_is_managed(uid)) /* nobody of ours, whatever there is */
		return nss_failure(MAP_MISSING, PACK_DONE, errnop);
	if (map_enter_fast(&view)) {
		key = map_id_key(&view, uid);
		if (finish_fast(&view,
				map_find_fast(&view, view.slot->ids_offset, view.slot->ids_buckets, &key, &record),
				&record, pw, buffer, size, errnop, &status))
			return status;
	}
	return by_uid(uid, pw, buffer, size, errnop);
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
