/* SPDX-License-Identifier: MIT
 *
 * What `tenant-control init` does in the database server: roles, the database, and the schema. Each step finds out
 * first whether there is something to do, so all of it can be run again.
 */
#pragma once

#include <stdbool.h>

#include "base/problem.h"

#define SETUP_SERVICE_ROLE "tenant-control"

/* `dsn`: of a superuser, or of a role with CREATEROLE and CREATEDB; to any database of the server. `say` gets a line
 * for each step. `ret_sealed`: the database holds secrets that a seal key opens, which therefore must not be made anew.
 */
int setup_database(const char *dsn, const char *database, void (*say)(const char *line), bool *ret_sealed,
		   struct problem *problem);
