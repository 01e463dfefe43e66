/* SPDX-License-Identifier: MIT
 *
 * The section `audit` of agent.yaml: how events are kept on this host, and where else they go.
 */
#pragma once

#include <stdint.h>

#include "ship/ship_yaml.h"
#include "spool/spool.h"
#include "yaml/settings.h"

#define AUDIT_WITNESS_DEFAULT 60U
#define AUDIT_WITNESS_MOST 3600U
#define AUDIT_SPOOL_LEAST (16ULL << 20)
#define AUDIT_SPOOL_DEFAULT (1ULL << 30)
#define AUDIT_SPOOL_MOST (1ULL << 40)

struct config_audit {
	enum spool_durability durability;
	enum spool_when_full when_full;
	uint64_t spool_bytes;
	uint32_t witness_sec; /* between two looks at one log */
	struct ship_list sinks;
};
struct config_audit config_audit_default(void);

/* For the table of settings; targets: the enums, and a uint64_t. */
int config_set_durability(struct settings *settings, const struct setting *setting, const struct yaml_node *value);
int config_set_when_full(struct settings *settings, const struct setting *setting, const struct yaml_node *value);
int config_set_spool_size(struct settings *settings, const struct setting *setting, const struct yaml_node *value);
