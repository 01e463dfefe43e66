/* SPDX-License-Identifier: MIT
 *
 * agent.yaml as the agent takes it: fitted to this process, and to what cannot change while it runs.
 */
#pragma once

#include "config.h"

/* `path` NULL: the usual place. Warns about what has no effect here. */
int configure_load(const char *path, struct config **ret, struct problem *problem);
/* What was built from these stays as it is until a restart: `new` keeps the old values. */
void configure_keep_fixed(const struct config *old, struct config *new);
