/* SPDX-License-Identifier: MIT
 *
 * Feeds that lie on this host as files (docs/feed.md, "A feed as files"): which folders there are and whose they are.
 * The folders are trusted for nothing but to be root's own; follow_import verifies what they hold.
 */
#pragma once

#include "base/problem.h"
#include "feed/feeds.h"

struct import_folder {
	char path[512];
	char tenant_id[FEED_TENANT_ID_MAX]; /* "": see the problem */
	struct problem problem;
};
#define IMPORT_FOLDERS_MAX 64U

/* The folders below `directory`, by name; *ret is malloc'd. Its absence is no fault: none. */
int import_scan(const char *directory, struct import_folder **ret, uint32_t *ret_count);
