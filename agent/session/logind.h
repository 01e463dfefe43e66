/* SPDX-License-Identifier: MIT
 *
 * The folder where logind keeps its sessions, one file each. When a file there is written, it says whose leader a new
 * session has: that is where to look, and the kernel says what is so. No D-Bus: this works while the bus is down, and
 * where there is no logind, nothing ever happens.
 *
 * Our stage of PAM runs before pam_systemd's, so a session is in the table before it has a scope.
 */
#pragma once

#include "session/table.h"

#define LOGIND_SESSIONS "/run/systemd/sessions"

/* Follows this folder in place of the one before, also when it is made later only. */
int logind_follow(struct session_table *table, const char *folder);
void logind_unfollow(struct session_table *table);
/* Looks through all files: whatever happened unseen. */
void logind_look_at_all(struct session_table *table);
/* A session that is being opened may be in its scope already. Not on disk yet. */
void logind_look_at_leader(struct slot *slot);
