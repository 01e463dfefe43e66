/* SPDX-License-Identifier: MIT
 *
 * Who makes a request, by its Authorization: a bearer token that is an access token of ours or an API key. Says whose
 * it is and that it is in force; what it may do is the gate's matter.
 */
#pragma once

#include "control_plane/http/request.h"

/* 0 with request->principal (PRINCIPAL_NONE: there is no Authorization at all); 1: a problem is set; -EAGAIN, -errno.
 * One round trip to the database. */
int authenticate(struct request *request);
