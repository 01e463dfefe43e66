/* SPDX-License-Identifier: MIT */
#include "subid.h"

#include <errno.h>
#include <stdlib.h>

#include "map_find.h"

#define SUBID_ENTRY __attribute__((visibility("default")))

enum ownership {
	NOT_OURS,
	OURS,
	OURS_WITHOUT, /* but the host gives no subordinate ids */
	UNKNOWN,      /* no map, or a broken one */
};

/* A uid in digits, as newuidmap and getsubids pass it on; false: a name. */
static bool parse_uid(const char *owner, uint32_t *ret)
{
	char *end;
	unsigned long value;

	if (owner[0] < '0' || owner[0] > '9')
		return false;
	errno = 0;
	value = strtoul(owner, &end, 10);
	if (errno || *end || value > UINT32_MAX)
		return false;
	*ret = (uint32_t)value;
	return true;
}

/* Whether the map has the person; by name, or (name NULL) by *uid. */
static enum ownership find_person(const char *name, uint32_t *uid)
{
	enum ownership result = UNKNOWN;
	unsigned tries = MAP_TRIES;
	struct map_view view;

	do {
		struct map_record record;
		enum map_answer found;

		if (!map_enter(&view))
			return UNKNOWN;
		found = name ? map_find_name(&view, name, &record) : map_find_id(&view, *uid, &record);
		if (found == MAP_BROKEN)
			result = UNKNOWN;
		else if (found == MAP_MISSING || map_kind(&record) != NSS_MAP_PERSON)
			result = NOT_OURS;
		else {
			result = view.slot->flags & NSS_MAP_SUBIDS ? OURS : OURS_WITHOUT;
			*uid = map_load32(record.at + offsetof(struct nss_map_record, id));
		}
	} while (!map_unchanged(&view) && --tries);
	return tries ? result : UNKNOWN;
}

static enum ownership find_owner(const char *owner, uint32_t *ret_uid)
{
	if (!parse_uid(owner, ret_uid))
		return find_person(owner, ret_uid);
	if (*ret_uid < NSS_MAP_ID_FIRST || *ret_uid > NSS_MAP_ID_LAST)
		return NOT_OURS;
	return find_person(NULL, ret_uid);
}

SUBID_ENTRY enum subid_status shadow_subid_list_owner_ranges(const char *owner, enum subid_type type,
							     struct subid_range **ranges, int *count)
{
	struct subid_ranges list = {0};
	enum ownership ownership;
	uint32_t uid = 0;

	if (!owner || !ranges || !count || (type != ID_TYPE_UID && type != ID_TYPE_GID))
		return SUBID_STATUS_ERROR;
	ownership = find_owner(owner, &uid);
	if (ownership == OURS && subid_of_uid(uid)) {
		list.items = malloc(sizeof(*list.items));
		if (!list.items)
			return SUBID_STATUS_ERROR;
		list.items[list.count++] = (struct subid_range){subid_of_uid(uid), SUBID_COUNT};
	}
	/* People of ours have nothing in the files: a name there is that of a local account. */
	if (ownership == NOT_OURS || ownership == UNKNOWN) {
		if (!subid_files_ranges(owner, type, &list)) {
			free(list.items);
			return SUBID_STATUS_ERROR;
		}
		if (ownership == UNKNOWN && list.count == 0)
			return SUBID_STATUS_ERROR_CONN;
	}
	*ranges = list.items;
	*count = list.count;
	return SUBID_STATUS_SUCCESS;
}

SUBID_ENTRY enum subid_status shadow_subid_has_range(const char *owner, unsigned long start, unsigned long count,
						     enum subid_type type, bool *result)
{
	struct subid_range *ranges = NULL;
	enum subid_status status;
	int n = 0;

	if (!result)
		return SUBID_STATUS_ERROR;
	status = shadow_subid_list_owner_ranges(owner, type, &ranges, &n);
	if (status != SUBID_STATUS_SUCCESS)
		return status;
	*result = false;
	for (int i = 0; i < n; i++)
		if (count > 0 && start >= ranges[i].start && start - ranges[i].start < ranges[i].count &&
		    count <= ranges[i].count - (start - ranges[i].start))
			*result = true;
	free(ranges);
	return SUBID_STATUS_SUCCESS;
}

SUBID_ENTRY enum subid_status shadow_subid_find_subid_owners(unsigned long id, enum subid_type type, uid_t **uids,
							     int *count)
{
	struct subid_uids list = {0};
	uint32_t uid = subid_owner(id);

	if (!uids || !count || (type != ID_TYPE_UID && type != ID_TYPE_GID))
		return SUBID_STATUS_ERROR;
	if (!subid_files_owners(id, type, &list)) {
		free(list.items);
		return SUBID_STATUS_ERROR;
	}
	if (uid && find_person(NULL, &uid) == OURS) {
		uid_t *grown = reallocarray(list.items, (size_t)list.count + 1, sizeof(*grown));

		if (!grown) {
			free(list.items);
			return SUBID_STATUS_ERROR;
		}
		list.items = grown;
		list.items[list.count++] = uid;
	}
	*uids = list.items;
	*count = list.count;
	return SUBID_STATUS_SUCCESS;
}
