/* SPDX-License-Identifier: MIT
 *
 * What a host is told about the tenants that it serves: where their feeds are, by which trust document to begin, and
 * the platform's signature on that.
 */
#pragma once

#include "control_plane/http/request.h"

/* Adds "tenants" ([{"id", "slug", "origin", "trust"}], by id) and "assignment" (the note) to `answer`; enrolling, when
 * the transaction may write, "authority" too. In a transaction of platform scope; its tenant is another one afterwards.
 * 0, or -errno. */
int hosts_view_served(struct request *request, const char *host_id, bool enrolling, json_t *answer);
