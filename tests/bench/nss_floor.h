/* SPDX-License-Identifier: MIT
 *
 * The floors under a look-up: the same records in ordinary memory, a table half empty, and nothing but hash,
 * compare and copy. No checks of anything.
 *
 * "copy" stops when the texts are in the caller's buffer (of a group also the array of pointers to its members): the
 * caller could not use them yet. "give" also fills struct passwd or struct group, as whatever answers
 * getpwnam_r or getgrnam_r has to.
 */
#pragma once

#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "directory/directory.h"

struct floor;
struct floor *floor_build(const struct directory *d, uint32_t people, uint32_t projects, unsigned group_level);
void floor_free(struct floor *floor);
/* False: not there. */
bool floor_copy_by_name(const struct floor *floor, const char *name, char *out);
bool floor_copy_by_uid(const struct floor *floor, uint32_t uid, char *out);
bool floor_copy_group(const struct floor *floor, const char *name, char *out);
bool floor_give_by_name(const struct floor *floor, const char *name, struct passwd *pw, char *out);
bool floor_give_by_uid(const struct floor *floor, uint32_t uid, struct passwd *pw, char *out);
bool floor_give_group(const struct floor *floor, const char *name, struct group *gr, char *out);
