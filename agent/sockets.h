/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/problem.h"
#include "config.h"
#include "server/server.h"

/* Listens on what systemd handed over (sockets that stay while the agent comes and goes), else on paths of its own. */
int sockets_open(struct server *server, const struct config *config, struct problem *problem);
