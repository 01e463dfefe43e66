/* SPDX-License-Identifier: MIT
 *
 * `audit.sinks` of agent.yaml and control.yaml: a list of mappings (agent.yaml(5), tenant-control.yaml(5)).
 */
#pragma once

#include "ship/ship.h"
#include "yaml/settings.h"

/* For tables of settings; the target is a struct ship_list. A later file's list takes an earlier one's place. Of a
 * host: sinks of events alone. */
int ship_settings_host(struct settings *settings, const struct setting *setting, const struct yaml_node *value);
/* Of a control plane: those of checkpoints, too. */
int ship_settings_log(struct settings *settings, const struct setting *setting, const struct yaml_node *value);
