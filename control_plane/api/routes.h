/* SPDX-License-Identifier: MIT
 *
 * All routes of the API: one table a resource, each in the file that answers.
 */
#pragma once

#include "control_plane/http/router.h"

/* What the server and the command line hand to routes_find. */
extern const struct route_table *const api_routes[];
extern const size_t api_route_tables;
