/* SPDX-License-Identifier: MIT
 *
 * Sessions of this host and their ends: the table, the root helper and the reaper, tied to what the agent knows of its
 * sources, to the audit and to subscribers.
 */
#pragma once

#include <systemd/sd-event.h>

#include "config.h"
#include "reaper/cause.h"
#include "server/parts.h"
#include "server/server.h"
#include "sources.h"

struct session_ends;
/* Puts the table into `parts`, which is borrowed like the configuration. */
int session_ends_create(sd_event *event, const struct config *config, struct parts *parts, struct problem *problem,
			struct session_ends **ret);
void session_ends_destroy(struct session_ends *ends); /* takes NULL; the list of sessions stays */
void session_ends_set_server(struct session_ends *ends, struct server *server);
/* The control plane hears of sessions by them. NULL: not any more. */
void session_ends_set_sources(struct session_ends *ends, struct sources *sources);
/* Finds the sessions of before, and goes on with what was begun: once, when the first picture is in force or none is to
 * be had. */
void session_ends_start(struct session_ends *ends);

void session_ends_configure(struct session_ends *ends, const struct config *config);
void session_ends_take_picture(struct session_ends *ends, const struct directory *before,
			       const struct directory *after);
/* What files and feeds lack may be missing because it could not be read: nothing ends by that. The files have never
 * been in force; whether this host was enrolled nobody can read. */
void session_ends_set_unread(struct session_ends *ends, bool files);
void session_ends_set_identity_unread(struct session_ends *ends);
void session_ends_sources_changed(struct session_ends *ends); /* their state did */
void session_ends_credentials_changed(struct session_ends *ends);

/* For `parts`. */
int session_ends_end(struct session_ends *ends, const struct session *session, enum end_cause cause, const char *detail,
		     uint64_t tag);
void session_ends_forget_tag(struct session_ends *ends, uint64_t tag);
void session_ends_opened(struct session_ends *ends, const struct session *session);
bool session_ends_is_ending(const struct session_ends *ends, uint32_t uid);
