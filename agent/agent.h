/* SPDX-License-Identifier: MIT
 *
 * The agent: owns the parts and ties them together. This is the one place that knows them all; the parts
 * do not know one another beyond their headers.
 */
#pragma once

#include "base/macros.h"
#include "base/problem.h"

struct agent;

/* Loads configuration and directory, publishes the map and opens the sockets. A directory that does not
 * load is no failure: the agent then answers "broken", or from the last good one.
 * `config_path` NULL: the usual place, which may be absent. 0; or negative with the problem. */
int agent_create(const char *config_path, struct agent **ret, struct problem *problem);
/* Serves until told to stop. 0 or -errno. */
int agent_run(struct agent *agent);
void agent_destroy(struct agent *agent); /* takes NULL; the map and the list of sessions stay */
DEFINE_CLEANUP(struct agent, agent_destroy)
