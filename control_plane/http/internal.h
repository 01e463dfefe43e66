/* SPDX-License-Identifier: MIT
 *
 * /internal and /metrics: for the operator's own machinery, by a shared secret (Authorization: Bearer …). Without one
 * in the configuration, or with a wrong one, these paths are not there.
 */
#pragma once

#include "control_plane/http/request.h"

/* 0 with the principal set; 1: a problem (not found) was set. */
int internal_authenticate(struct request *request);
