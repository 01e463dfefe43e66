/* SPDX-License-Identifier: MIT
 *
 * The windows of the audit log, which only the database's owner may set.
 */
#pragma once

#include "base/problem.h"

/* `dsn`: of who may become the owner. NULL: as it is; "": for ever; else a number of days. 0 or -errno. */
int retention_set(const char *dsn, const char *personal_days, const char *entries_days, struct problem *problem);
