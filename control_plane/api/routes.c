/* SPDX-License-Identifier: MIT */
#include "control_plane/api/routes.h"

extern const struct route_table health_routes, description_routes;

const struct route_table *const api_routes[] = {
	&health_routes,
	&description_routes,
};
const size_t api_route_tables = ARRAY_LEN(api_routes);
