/* SPDX-License-Identifier: MIT
 *
 * What a host is told about the tenants that it serves: where their feeds are, and by which trust document to begin.
 */
#pragma once

#include "control_plane/http/request.h"

/* [{"id", "slug", "origin", "trust"}], by id. In a transaction of platform scope; its tenant is another one afterwards.
 * 0, or -errno. */
int hosts_view_tenants(struct request *request, const char *host_id, json_t **ret);
