/* SPDX-License-Identifier: MIT
 *
 * Which sessions somebody means, and how one is told: shared by Sessions, EndSession and EndSessions.
 */
#pragma once

#include <stdbool.h>

#include "directory/directory.h"
#include "session/session.h"
#include "json/json_write.h"

/* All that are given must fit. Names or ids: "alice", "acme", "acme/vision". */
struct session_filter {
	const char *session, *user, *tenant, *project; /* NULL: any */
};
/* What the names mean in the picture (NULL: no picture); NULL where nothing, or none was given. */
struct session_targets {
	const struct user_record *user;
	const struct tenant_record *tenant;
	const struct project_record *project;
};
struct session_targets session_filter_targets(const struct session_filter *filter, const struct directory *d);
bool session_fits(const struct session_filter *filter, const struct directory *d, const struct session *session);

const char *session_state_word(const struct session *session); /* "open", "left-behind", "ending" */
/* The interface's Session; with its terminal and how long nobody pressed a key there, which costs some reads of /proc,
 * where `idle_now` (seconds since the epoch) is not 0. */
void put_session(struct json_writer *w, const char *key, const struct session *session, int64_t idle_now);
