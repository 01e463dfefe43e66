/* SPDX-License-Identifier: MIT */
#pragma once

#include "control_plane/audit/audit.h"

/* The tree of the first `size` entries, in its compact form. `head`: as loaded in this transaction. -EINVAL: the log is
 * not so large. */
int log_frontier(struct db_tx *tx, const char *log_id, uint64_t size, const struct log_head *head,
		 struct tlog_frontier *ret);
