/* SPDX-License-Identifier: MIT
 *
 * Publishes the directory as the map that libnss_tenant reads (include/tenant/nss_map.h).
 */
#pragma once

#include <stdint.h>

#include "directory/directory.h"

struct map_writer;

/* `path`: /run/tenantd/nss.map. */
int map_writer_create(const char *path, struct map_writer **ret);
void map_writer_destroy(struct map_writer *writer); /* takes NULL; leaves the published map */
struct map_options {
	/* Who belongs to the host's sudo group; NULL: nobody. */
	bool (*sudo_member)(void *context, const struct directory *d, const struct user_record *user);
	void *context;
	bool enumerate;    /* getpwent and getgrent list people */
	int64_t not_after; /* seconds since the epoch; 0: none */
	bool subids;       /* hand out subordinate ids */
};
/* Publishes `d`; in proportion to the change when the writer published a picture before and little changed, since a
 * thread has made the copy for the next map meanwhile. Where nothing changed that a map shows, the published one stays.
 * 0 or -errno; on failure the published map stays. -EEXIST: a name or id is claimed twice; -EINVAL, -E2BIG: a
 * record that no map can show (directory_build and the loaders let none of these through). */
int map_writer_publish(struct map_writer *writer, struct directory *d, const struct map_options *options);
/* Moves not_after in the published map (an aligned 64-bit store). -ENOENT before the first map of this process. */
int map_writer_extend(struct map_writer *writer, int64_t not_after);
