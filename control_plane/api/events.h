/* SPDX-License-Identifier: MIT
 *
 * What happened: who did what to whom, from where, with which credential, in which request, as events of the audit log
 * (docs/audit-log.md). Kinds are words such as "member.put"; audit/kinds.c has them all.
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
/* Into one log, in a transaction of its scope, by the request's principal. `data` is borrowed. 0 or -errno. */
int events_put(struct request *request, struct db_tx *tx, const char *log_id, const char *kind, const char *target,
	       const json_t *data);
