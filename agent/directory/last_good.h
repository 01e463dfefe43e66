/* SPDX-License-Identifier: MIT
 *
 * What was accepted last, at rest: the files' names, the hashes of their texts and their compiled forms, in one
 * sealed file of the state directory. A start at which the files do not load goes on with it, as an agent
 * that had kept running would.
 *
 * Small forms lie inside; large ones have files of their own already (compiled.h) and are named only.
 * Nothing older than what is in force may lie here, or a key revoked meanwhile would come back: the record of
 * a set goes before another set comes into force, and when the next cannot be written there is none.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "crypto/seal.h"
#include "directory/unit.h"

#define LAST_GOOD_NAME "directory.last"

struct last_good_file {
	char *path;
	struct unit *unit;
	bool apart; /* its form lies in a file of its own */
};
void last_good_free(struct last_good_file *files, uint32_t count); /* with what it points to; takes NULL */

/* Tells one set from another: the build, and each file's path and hash in order. */
int last_good_digest(const struct last_good_file *files, uint32_t count, uint8_t out[SHA256_BYTES]);
/* Is the record that lies there of this set? */
bool last_good_is(const char *directory, const uint8_t digest[SHA256_BYTES]);
int last_good_store(const char *directory, const struct seal_key *key, const struct last_good_file *files,
		    uint32_t count, const uint8_t digest[SHA256_BYTES]);
/* The set whose first file is `path`. -ENOENT: none; -EBADMSG: damaged, of another directory, or its forms are in a
 * format that this build does not read; or errno. */
int last_good_load(const char *directory, const struct seal_key *key, const char *path, struct last_good_file **ret,
		   uint32_t *ret_count);
/* 0 also when there is none. */
int last_good_forget(const char *directory);
