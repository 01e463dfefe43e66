/* SPDX-License-Identifier: MIT
 *
 * Migrations: numbered SQL files of control_plane/db/migrations, compiled in. Each runs once, in a transaction of its
 * own, as the schema's owner; its SHA-256 is remembered, and a changed or unknown one stops everything.
 */
#pragma once

#include <stdbool.h>

#include "base/problem.h"

/* `dsn`: of somebody who may SET ROLE tenant_control_owner. `report` is called before each one that is applied. 0.
 * `check`: applies none of them, and anybody who may read the schema may ask. */
int migrate(const char *dsn, bool check, void (*report)(void *context, const char *name), void *context,
	    struct problem *problem);
/* The name of the newest migration compiled in: what db_check wants to see. */
const char *migrate_newest(void);
