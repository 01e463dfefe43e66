/* SPDX-License-Identifier: MIT
 *
 * The directory's files and the picture of them: directory.yaml, then directory.yaml.d/ *.yaml in the order
 * of their names. Used by the agent's loader thread and by tenantctl; not thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "base/problem.h"
#include "crypto/seal.h"
#include "directory/directory.h"

struct directory_files;

struct directory_files_options {
	const char *path;
	const char *cache_dir;           /* NULL: no compiled forms */
	const struct seal_key *seal_key; /* NULL with cache_dir NULL */
	const char *host_name;           /* may be NULL */
	bool trust_any;                  /* tenantctl on a file anywhere: do not judge owners and modes */
};

int directory_files_new(const struct directory_files_options *options, struct directory_files **ret);
void directory_files_free(struct directory_files *files); /* takes NULL */
DEFINE_CLEANUP(struct directory_files, directory_files_free)

enum { FILES_SAME = 0, FILES_CHANGED = 1 };
/* Looks at the files again; only changed ones are read. FILES_CHANGED: there is a new picture; FILES_SAME.
 * Else the last good picture stays: -EINVAL with the problem; -ENOENT: there is no directory.yaml; -EAGAIN:
 * a file is just being written, look again soon. Both fill the problem, too. */
int directory_files_refresh(struct directory_files *files, struct problem *problem);
/* The picture of the last good refresh; NULL: none yet. Borrowed. */
struct directory *directory_files_picture(struct directory_files *files);
/* Stores the record of what was accepted (last_good.h) and compiled forms of large files, where they are not there
 * yet, and removes what is not needed any more. A refresh that gives a new picture has removed the record of
 * the one before. */
void directory_files_compile(struct directory_files *files);
/* Before there is a picture, when the files do not load: takes the set that was accepted last, with what has become
 * of each file that is in order by itself, where that fits together. 0; -ENOENT: there is no record; -EBADMSG: none
 * that can be used; or errno. */
int directory_files_fall_back(struct directory_files *files);
/* There shall be nothing to fall back on. */
void directory_files_forget(struct directory_files *files);

/* The files of the last refresh, by number; the last good content of each. NULL past the end. */
const char *directory_files_path(const struct directory_files *files, uint32_t number);
struct unit *directory_files_unit(const struct directory_files *files, uint32_t number);

/* Is this the name of a drop-in, and not of some editor's temporary file? */
bool directory_files_is_drop_in(const char *name);
