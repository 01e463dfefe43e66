/* SPDX-License-Identifier: MIT
 *
 * What a new picture of the directory means to others: an audit event for each record that changed, and
 * events for those who subscribed. More than CHANGES_LISTED are summed up.
 */
#pragma once

#include "audit/audit.h"
#include "directory/directory.h"
#include "server/server.h"

#define CHANGES_LISTED 200U

/* `before` NULL: the first picture, which is no change. */
void changes_report(struct audit *audit, struct server *server, const struct directory *before,
		    const struct directory *after);
