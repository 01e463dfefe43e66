/* SPDX-License-Identifier: MIT
 *
 * Tenants, projects and people all become names of Unix groups on hosts, in one space: a host refuses a feed in which a
 * name stands for two of them, or for one of the system's, and serves neither of two tenants that claim one name. All
 * return 0; 1: a problem was set; -errno.
 */
#pragma once

#include "control_plane/http/router.h"

int names_check_tenant(struct request *request, const char *slug);
/* In the request's tenant, whose row is locked: names come one after the other. `id` is the project's own. */
int names_check_project(struct request *request, const char *id, const char *slug);
/* Wanted (db_want): the answer is there after the next db_run. */
int names_want_login(struct request *request, const char *login, struct db_rows **ret);
int names_check_login(struct request *request, const struct db_rows *rows);

/* Two of the tenants that the host serves have the name: slugs. The rows of all of them are locked FOR SHARE since
 * before they were put there. */
struct name_clash {
	const char *name, *tenants[2];
};
int names_check_host(struct request *request, const char *host_id, struct name_clash *ret);
/* Of tenants that are to come together later, as JSON's list of ids. */
int names_check_together(struct request *request, const char *tenants);
