/* SPDX-License-Identifier: MIT
 *
 * What happened: who did what to whom, from where, with which credential, in which request. Never changed and never
 * deleted by the program. Kinds are words such as "member.put"; api/events.c has them all.
 */
#pragma once

#include "control_plane/http/request.h"

/* Something was done. Written in the request's transaction, so it is there exactly when the change is. Goes to the
 * request's tenant, or to the platform where there is none. `target` is a record id; `data` (NULL: none) is taken. */
int event_write(struct request *request, const char *kind, const char *target, json_t *data);
/* Something was refused: written in a transaction of its own, since the request's is rolled back. `tenant_id` NULL: the
 * platform's. `actor` NULL: the request's principal. Never fails the request; what cannot be written is logged. */
void event_failure(struct request *request, const char *tenant_id, const char *actor, const char *kind,
		   const char *target, json_t *data);
