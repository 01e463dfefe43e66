/* SPDX-License-Identifier: MIT
 *
 * The directory from files: /etc/tenantd/directory.yaml and directory.yaml.d/ *.yaml (in the order of
 * their names). Loaded by a thread of its own, so a large file never delays an answer; only files that
 * changed are read again; all or nothing. Compiled forms of what was accepted rest sealed in the state
 * directory, so a start needs no YAML parsing, and one at which the files do not load goes on with them.
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/problem.h"
#include "crypto/seal.h"
#include "directory/directory.h"

struct source_file;

struct source_file_options {
	const char *path;                /* directory.yaml; its drop-ins are in "<path>.d" */
	const char *cache_dir;           /* where compiled forms rest; NULL: none */
	const struct seal_key *seal_key; /* NULL with cache_dir NULL */
	const char *host_name;
};

/* Called on the event loop's thread. Success: a new picture (the callee takes its own reference).
 * Failure: picture NULL, the problem; the last good picture stays in force. `unasked`: by inotify. */
typedef void (*source_file_fn)(void *context, struct directory *picture, const struct problem *problem);

int source_file_create(sd_event *event, const struct source_file_options *options, source_file_fn changed,
		       void *context, struct source_file **ret);
void source_file_destroy(struct source_file *source); /* takes NULL; waits for its thread */
enum { SOURCE_FILE_LOADED = 0, SOURCE_FILE_FELL_BACK = 1 };
/* Loads once, now, on this thread (start-up). SOURCE_FILE_LOADED and a picture. SOURCE_FILE_FELL_BACK: the files do
 * not load; the picture is that of what was accepted last, and the problem says what is wrong now. -ENOENT: no
 * directory.yaml, so there is no directory, and what was accepted is forgotten. -EINVAL: problem, and nothing
 * to fall back on. */
int source_file_load(struct source_file *source, struct directory **ret, struct problem *problem);
/* Looks again soon (SIGHUP, tenantctl reload); several requests are one. The callback is always called
 * afterwards, with the picture in force when nothing changed: somebody waits for the outcome. */
void source_file_reload(struct source_file *source);
