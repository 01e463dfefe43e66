/* SPDX-License-Identifier: MIT
 *
 * The group database, and the supplementary groups of a person.
 */
#include <errno.h>

#include "nss_entry.h"
#include "nss_pack.h"
#include "nss_walk.h"

static struct nss_walk walk;

/* Out of line: first use, a new map, a full bucket, a small buffer, a broken map. */
static __attribute__((noinline, cold)) enum nss_status by_name(const char *name, struct group *gr, char *buffer,
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
		found = map_find_name(&view, name, &record);
		if (found == MAP_FOUND)
			packed = pack_group(&view, &record, gr, buffer, size);
	} while (!map_unchanged(&view) && --tries);
	return nss_result(tries ? found : MAP_BROKEN, packed, errnop);
}

static __attribute__((noinline, cold)) enum nss_status by_gid(gid_t gid, struct group *gr, char *buffer, size_t size,
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
		found = map_find_id(&view, gid, &record);
		if (found == MAP_FOUND)
			packed = pack_group(&view, &record, gr, buffer, size);
	} while (!map_unchanged(&view) && --tries);
	return nss_result(tries ? found : MAP_BROKEN, packed, errnop);
}

static inline __attribute__((always_inline)) bool finish_fast(const struct map_view *view, enum map_answer found,
							      const struct map_record *record, struct group *gr,
							      char *buffer, size_t size, int *errnop,
							      enum nss_status *ret)
{
	if (found == MAP_MISSING) {
		*errnop = ENOENT;
		*ret = NSS_STATUS_NOTFOUND;
		return map_unchanged(view);
	}
	*ret = NSS_STATUS_SUCCESS;
	return found == MAP_FOUND && pack_group(view, record, gr, buffer, size) == PACK_DONE && map_unchanged(view);
}

NSS_ENTRY enum nss_status _nss_tenant_getgrnam_r(const char *name, struct group *gr, char *buffer, size_t size,
						 int *errnop)
{
	struct map_record record;
	enum nss_status status;
	struct map_view view;
	struct map_key key;

	if (map_enter_fast(&view) && map_name_key(&view, name, &key) &&
	    finish_fast(&view, map_find_fast(&view, view.slot->names_offset, view.slot->names_buckets, &key, &record),
			&record, gr, buffer, size, errnop, &status))
		return status;
	return by_name(name, gr, buffer, size, errnop);
}

NSS_ENTRY enum nss_status _nss_tenant_getgrgid_r(gid_t gid, struct group *gr, char *buffer, size_t size, int *errnop)
{
	struct map_record record;
	enum nss_status status;
	struct map_view view;
	struct map_key key;

	if (!nss_id_is_managed(gid))
		return nss_failure(MAP_MISSING, PACK_DONE, errnop);
	if (map_enter_fast(&view)) {
		key = map_id_key(&view, gid);
		if (finish_fast(&view,
				map_find_fast(&view, view.slot->ids_offset, view.slot->ids_buckets, &key, &record),
				&record, gr, buffer, size, errnop, &status))
			return status;
	}
	return by_gid(gid, gr, buffer, size, errnop);
}

NSS_ENTRY enum nss_status _nss_tenant_setgrent(int stayopen)
{
	(void)stayopen;
	nss_walk_reset(&walk);
	return NSS_STATUS_SUCCESS;
}

NSS_ENTRY enum nss_status _nss_tenant_endgrent(void)
{
	nss_walk_reset(&walk);
	return NSS_STATUS_SUCCESS;
}

/* All of them: a person's record is a private group too. */
NSS_ENTRY enum nss_status _nss_tenant_getgrent_r(struct group *gr, char *buffer, size_t size, int *errnop)
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
			found = map_next_record(&view, false, &cursor, &record);
		if (found == MAP_FOUND)
			packed = pack_group(&view, &record, gr, buffer, size);
	} while (!map_unchanged(&view) && --tries);
	if (tries && found == MAP_FOUND && packed == PACK_DONE)
		atomic_store_explicit(&walk.cursor, cursor, memory_order_relaxed);
	return nss_result(tries ? found : MAP_BROKEN, packed, errnop);
}

/* The person's groups beside `group`, appended to *groups as glibc asks it. Allocates only to make
 * room in glibc's own list. */
NSS_ENTRY enum nss_status _nss_tenant_initgroups_dyn(const char *user, gid_t group, long *start, long *size,
						     gid_t **groups, long limit, int *errnop)
{
	enum pack_result packed = PACK_DONE;
	unsigned tries = MAP_TRIES;
	struct map_record record;
	enum map_answer found;
	struct map_view view;
	long first = *start;

	do {
		int error = 0;

		*start = first;
		if (!map_enter(&view))
			return nss_no_map(errnop);
		found = map_find_person(&view, user, &record);
		if (found == MAP_FOUND)
			error = pack_groups(&record, group, start, size, groups, limit);
		if (error == ENOMEM) {
			*start = first;
			*errnop = ENOMEM;
			return NSS_STATUS_TRYAGAIN;
		}
		packed = error ? PACK_BROKEN : PACK_DONE;
	} while (!map_unchanged(&view) && --tries);
	if (!tries || packed != PACK_DONE)
		*start = first; /* never half a list */
	return nss_result(tries ? found : MAP_BROKEN, packed, errnop);
}
