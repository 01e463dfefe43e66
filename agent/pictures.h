/* SPDX-License-Identifier: MIT
 *
 * One picture of the directory from all that there is: the files' picture and the feeds' units. A feed that does not
 * fit stays as it last did, or is left out; it takes nobody else down.
 */
#pragma once

#include "base/macros.h"
#include "base/problem.h"
#include "directory/directory.h"

struct pictures;
int pictures_create(const char *host_name, struct pictures **ret);
void pictures_destroy(struct pictures *pictures); /* takes NULL */
DEFINE_CLEANUP(struct pictures, pictures_destroy)
/* References are taken. `files` NULL: there are none. */
void pictures_set_files(struct pictures *pictures, struct directory *files);
int pictures_set_feeds(struct pictures *pictures, struct unit *const *units, uint32_t count);

/* `tenant_id`: whose feed's newest units were refused, and why. */
typedef void (*pictures_fault_fn)(void *context, const char *tenant_id, const struct problem *problem);
/* 0 and a reference; *ret NULL: there is nothing at all. -ENOMEM. `before` is the picture in force. */
int pictures_join(struct pictures *pictures, const struct directory *before, pictures_fault_fn fault, void *context,
		  struct directory **ret);
