/* SPDX-License-Identifier: MIT
 *
 * People and service accounts, for those who change them elsewhere: passwords, keys.
 */
#pragma once

#include "control_plane/api/record.h"

/* Of control.users. */
#define USER_BODY_SQL                                                                                                                                                                                                                                                                                   \
	"jsonb_strip_nulls(jsonb_build_object('login', login, 'uid', uid, 'name', " SQL_TEXT(                                                                                                                                                                                                           \
		"name") ", 'email', " SQL_TEXT("email") ", 'home', " SQL_TEXT("home") ", 'shell', " SQL_TEXT("shell") ", 'kind', kind, 'status', "                                                                                                                                                      \
														      "status, 'status_reason', " SQL_TEXT("status_reason") ", 'sessions_valid_from', " SQL_NUMBER(                                                                                     \
															      "sessions_valid_from") ", 'ssh_keys', " SQL_LIST("ssh_keys") ", 'identities', (SELECT "                                                                                   \
																							   "jsonb_agg(jsonb_build_object('issuer', i.issuer, 'subject', i.subject) ORDER BY i.issuer, i.subject) FROM " \
																							   "control.user_identities i WHERE i.tenant_id = users.tenant_id AND i.user_id = users.id)))"
#define USER_VIEW_SQL                                                     \
	"jsonb_build_object('id', id, 'version', version, 'created_at', " \
	"extract(epoch FROM created_at)::bigint) || " USER_BODY_SQL
#define USER_COLUMNS_SQL "version, " USER_BODY_SQL ", " USER_VIEW_SQL

/* The id behind what a path or body says: an id as it is, or a login name. 0; 1: not found, a problem was set. */
int users_find(struct request *request, const char *name, const char **ret_id);
/* sessions_valid_from, moved: always further than it was, and past the second that `now` (a parameter) is in. A token
 * says the second in which it was issued, so one of this very second may be older than the change. */
#define SESSIONS_END_SQL(now) "greatest(sessions_valid_from, " now "::bigint) + 1"
/* Ends all of a user's sessions from now on and publishes it. For the change of a password. 0; 1; -errno. */
int users_end_sessions(struct request *request, const char *user_id, struct db_rows **ret);
