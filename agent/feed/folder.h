/* SPDX-License-Identifier: MIT
 *
 * A feed as files (docs/feed.md): a folder of trust.1, trust.2 …, head, snapshot, snapshot.zst and deltas, read and
 * verified up to the point where only a clock and what one had before can say more.
 */
#pragma once

#include "feed/line.h"

#define FEED_FOLDER_TRUSTS_MAX 1000U

struct feed_folder {
	uint64_t max_records;  /* the caller's: 0: no limit but the format's */
	struct buffer *trusts; /* in the order of their versions */
	uint32_t trust_count;
	struct feed_trust trust; /* the newest */
	struct buffer head_note, frame;
	struct feed_head head;
	struct feed_line *line; /* of the snapshot; the run leads to the head and is not applied */
	struct feed_run run;
};
/* `tenant_id` NULL: that of the origin. `ret` zeroed but for that; finish it whatever comes back. The problem's file
 * says where. */
enum feed_fault feed_folder_read(const char *path, const char *tenant_id, struct feed_folder *ret,
				 struct problem *problem);
void feed_folder_finish(struct feed_folder *folder);
