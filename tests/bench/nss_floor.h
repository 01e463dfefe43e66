/* SPDX-License-Identifier: MIT
 *
 * The floor under a look-up: the same records in ordinary memory, a table half empty, and nothing but hash,
 * compare and copy (for groups also the array of pointers that the caller gets). No checks of anything.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "directory/directory.h"

struct floor;
struct floor *floor_build(const struct directory *d, uint32_t people, uint32_t projects, unsigned group_level);
void floor_free(struct floor *floor);
/* Bytes copied; 0: not there. */
size_t floor_person_by_name(const struct floor *floor, const char *name, char *out);
size_t floor_person_by_uid(const struct floor *floor, uint32_t uid, char *out);
size_t floor_group_by_name(const struct floor *floor, const char *name, char *out);
