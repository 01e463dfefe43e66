/* SPDX-License-Identifier: MIT
 *
 * A program's configuration: a YAML file and its drop-ins (FILE.d, those that end in .yaml, by name), whose keys are
 * looked up in tables. A later file's key replaces an earlier one's; a key that no table has is refused.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/macros.h"
#include "base/problem.h"
#include "yaml/yaml_tree.h"

struct settings {
	void *config;        /* what the tables' offsets are of */
	struct arena *arena; /* keeps its texts */
	const char *manual;  /* where the keys are listed: "agent.yaml(5)" */
	const char *file;    /* that is being read */
	struct problem *problem;
	void (*seen)(void *config, const char *file, const char *data, size_t length); /* each file; NULL */
};
struct setting {
	const char *name;
	/* 0, -EINVAL with the place in the problem, -ENOMEM. */
	int (*set)(struct settings *settings, const struct setting *setting, const struct yaml_node *value);
	size_t offset;
	const struct setting *members; /* of a mapping */
	size_t count;
	uint64_t least, most; /* of numbers and spans */
};

#define SETTING(name_, set_, offset_)                               \
	{                                                           \
		.name = (name_), .set = (set_), .offset = (offset_) \
	}
#define SETTING_RANGE(name_, set_, offset_, least_, most_)                                              \
	{                                                                                               \
		.name = (name_), .set = (set_), .offset = (offset_), .least = (least_), .most = (most_) \
	}
#define SETTING_GROUP(name_, members_)                                                                        \
	{                                                                                                     \
		.name = (name_), .set = settings_mapping, .members = (members_), .count = ARRAY_LEN(members_) \
	}

/* `top`: the table of the file itself, as members of a mapping. */
int settings_read_text(struct settings *settings, const struct setting *top, const char *data, size_t length);
/* `path` and its drop-ins. 0; -ENOENT only when it must exist; -EPERM: others can change it; -EINVAL … */
int settings_read(struct settings *settings, const struct setting *top, const char *path, bool must_exist);

int settings_mapping(struct settings *settings, const struct setting *setting, const struct yaml_node *value);
int settings_path(struct settings *settings, const struct setting *setting, const struct yaml_node *value);
/* uint32_t, from `least` to `most`. */
int settings_number(struct settings *settings, const struct setting *setting, const struct yaml_node *value);
/* The same in whole seconds, written as a span (90s, 15min). */
int settings_span(struct settings *settings, const struct setting *setting, const struct yaml_node *value);
int settings_port(struct settings *settings, const struct setting *setting,
		  const struct yaml_node *value); /* uint16_t */
int settings_log_level(struct settings *settings, const struct setting *setting, const struct yaml_node *value);

/* For other kinds of values: where to, a copy of a text, and -EINVAL. */
void *settings_target(const struct settings *settings, const struct setting *setting);
int settings_keep(struct settings *settings, const char *text, const char **ret);
int settings_fault(struct settings *settings, const struct yaml_node *node, const char *what, const char *remedy);
