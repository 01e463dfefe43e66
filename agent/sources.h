/* SPDX-License-Identifier: MIT
 *
 * Where the directory comes from: the files, and the feeds of the control plane. Puts them together, keeps the server's
 * view of feeds current, and writes what happens to them into the audit.
 */
#pragma once

#include <systemd/sd-event.h>

#include "config.h"
#include "crypto/seal.h"
#include "server/parts.h"
#include "server/server.h"

struct sources;
struct spool;
struct sources_hooks {
	void (*picture)(void *context, struct directory *picture); /* a new one is to be in force; borrowed; or NULL */
	void (*state)(void *context);                              /* what sources_problem says may have changed */
	void (*looked)(void *context); /* sources_reload has looked for feeds that lie here as files */
	void *context;
};
/* `parts` and `server` are borrowed; the server may be NULL until sources_set_server. `seal_key` NULL: none. `spool`:
 * what is written down here goes from it to the control plane; outlives it. NULL: there is none. */
int sources_create(sd_event *event, const struct config *config, const struct seal_key *seal_key, struct spool *spool,
		   struct parts *parts, const struct sources_hooks *hooks, struct sources **ret);
void sources_destroy(struct sources *sources); /* takes NULL; waits for its thread */
void sources_set_server(struct sources *sources, struct server *server);

/* The newest of the files, joined with what the feeds have: a reference, or NULL. NULL `files`: there are none. */
int sources_set_files(struct sources *sources, struct directory *files, struct directory **ret);
bool sources_has_feeds(const struct sources *sources); /* enrolled, or feeds lie here as files */
/* What is wrong with feeds, for the state of the agent; "" when nothing is. */
void sources_problem(const struct sources *sources, char *out, size_t size);
/* Of feeds that lie here as files alone: what a reload did not take. */
void sources_folder_problem(const struct sources *sources, char *out, size_t size);
/* A session is there or changed; it is gone. The control plane hears of it, where there is one. */
void sources_session(struct sources *sources, const struct session *session);
void sources_session_gone(struct sources *sources, const struct session *session);
void sources_reload(struct sources *sources); /* ends with `looked` */
void sources_enroll(struct sources *sources, const char *url, const char *token, uint64_t tag);
void sources_unenroll(struct sources *sources);
