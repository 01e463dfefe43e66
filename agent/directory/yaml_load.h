/* SPDX-License-Identifier: MIT
 *
 * Reads a directory file: YAML into a unit, strictly, one record at a time (no document tree), so memory
 * goes by what is kept. What a record says by itself is checked here; what records say about each other
 * is directory_build's to check.
 */
#pragma once

#include "directory/directory.h"
#include "yaml/yaml_reader.h"

/* `name` stands in messages. 0; -EINVAL with the problem; -ENOMEM; or what `source` returned. */
int directory_yaml_load(const char *name, yaml_source_fn source, void *context, struct unit **ret,
			struct problem *problem);
int directory_yaml_load_text(const char *name, const void *data, size_t length, struct unit **ret,
			     struct problem *problem);
/* Reads from the descriptor's place to its end. */
int directory_yaml_load_fd(const char *name, int fd, struct unit **ret, struct problem *problem);
