/* SPDX-License-Identifier: MIT
 *
 * Who may see which sessions, and end them: everybody their own, and whoever holds session.manage those of the project,
 * or of the tenant. By the caller's uid, which the kernel tells, and by role alone. What somebody may not see is not
 * there for them: the questions below have no answer that tells the two apart.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "directory/directory.h"
#include "server/parts.h"

#define SESSION_MANAGE "session.manage"
#define RIGHTS_PROJECTS_KNOWN 16U

struct session_rights {
	const struct parts *parts;
	uint32_t uid;
	bool all;                         /* root, or (to see) a service that may */
	const struct user_record *caller; /* NULL: nobody in the directory */
	uint64_t now_usec;
	int64_t realtime;
	bool tenant_wide; /* in the caller's tenant */
	/* Of the projects asked about last: of a thousand sessions many are in one. */
	struct {
		const struct project_record *project;
		bool may;
	} known[RIGHTS_PROJECTS_KNOWN];
};

/* Good for one picture of the directory, and for one moment: made anew whenever either may have changed. */
struct session_rights session_rights(const struct parts *parts, uint32_t uid, bool all, uint64_t now_usec,
				     int64_t realtime);
bool session_rights_over(struct session_rights *rights, const struct session *session);
/* Over all sessions of a project, a tenant or a person, whether there are any or not. NULL: no, but for `all`. */
bool session_rights_over_project(struct session_rights *rights, const struct project_record *project);
bool session_rights_over_tenant(const struct session_rights *rights, const struct tenant_record *tenant);
bool session_rights_over_user(const struct session_rights *rights, const struct user_record *user);
/* Could nobody decide (no directory; a stale tenant), so that a no would be none? The same for whatever was asked. */
bool session_rights_undecided(struct session_rights *rights);
