/* SPDX-License-Identifier: MIT */
#include "nss_place.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../../nss_module/map_place.h"

char nss_place_parent[64], nss_place_directory[128], nss_place_map[160];

const struct map_place *map_place(void)
{
	static const struct map_place place = {nss_place_parent, "tenantd", "nss.map", 0};

	return &place;
}

void nss_place_make(void)
{
	/* Memory, as /run is, where there is some. */
	snprintf(nss_place_parent, sizeof(nss_place_parent), "%s/nss-test-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(nss_place_parent))
		abort();
	snprintf(nss_place_directory, sizeof(nss_place_directory), "%s/tenantd", nss_place_parent);
	snprintf(nss_place_map, sizeof(nss_place_map), "%s/nss.map", nss_place_directory);
	if (mkdir(nss_place_directory, 0755) < 0 || chmod(nss_place_parent, 0755) < 0)
		abort();
}

void nss_place_remove(void)
{
	DIR *directory = opendir(nss_place_directory);

	if (directory) {
		for (const struct dirent *entry; (entry = readdir(directory));)
			unlinkat(dirfd(directory), entry->d_name, 0);
		closedir(directory);
	}
	rmdir(nss_place_directory);
	rmdir(nss_place_parent);
}
