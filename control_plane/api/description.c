/* SPDX-License-Identifier: MIT
 *
 * GET /openapi.yaml: the API's description, as it was when this program was built.
 */
#include <errno.h>

#include "control_plane/http/router.h"
#include "openapi_text.h"

static int description(struct request *request)
{
	struct response *response = &request->response;
	int result = buffer_add(&response->body, openapi_text, sizeof(openapi_text) - 1);

	if (result < 0)
		return result;
	response->status = 200;
	response->content_type = "application/yaml";
	return 0;
}

static const struct route routes[] = {
	ROUTE(HTTP_GET, "/openapi.yaml", ROUTE_PUBLIC, "public", ROUTE_NO_TX, description),
};
extern const struct route_table description_routes;
const struct route_table description_routes = {routes, ARRAY_LEN(routes)};
