/* SPDX-License-Identifier: MIT
 *
 * A PostgreSQL of the test's own, in a temporary directory and reached by UNIX socket only. It runs as the unix user
 * postgres, since PostgreSQL refuses root. Has the roles and the schema. Whatever goes wrong here ends the test program
 * with a failure: a test of the database that runs without one proves nothing.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct cluster {
	char directory[64];
	char service[160]; /* connection string of the service's own role */
	char admin[160];   /* of the superuser */
	pid_t server;
};
void cluster_start(struct cluster *cluster);
void cluster_stop(struct cluster *cluster); /* and removes it */
/* The server ends (`hard`: by SIGKILL of its parent, as in a crash) and a new one starts on the same data. */
void cluster_restart(struct cluster *cluster, bool hard);
void cluster_down(struct cluster *cluster, bool hard);
void cluster_up(struct cluster *cluster);
/* As the superuser; the first field of the first row into `out` (may be NULL). */
void cluster_sql(const struct cluster *cluster, const char *sql, char *out, size_t size);
