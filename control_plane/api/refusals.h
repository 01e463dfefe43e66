/* SPDX-License-Identifier: MIT
 *
 * Refusals of those who have not proved anything: wrong passwords, enrolment tokens, assertions. Anybody can cause as
 * many as they like, so they are counted in memory by what they have in common and written from time to time, each kind
 * once with its count: the events do not grow with the attempts, and how long an answer takes does not say whether
 * there was something to write.
 */
#pragma once

#include "control_plane/http/request.h"

/* `tenant_id` NULL: the platform's. `actor` and `token` (NULL: none) are those of the first one that is counted; the
 * rest, the request's source and the reason are what makes refusals the same. Never fails the request. On the command
 * line, where nobody comes to write them, at once. */
struct refusal {
	const char *tenant_id, *kind, *target, *reason, *actor, *token;
};
void refusals_count(struct request *request, const struct refusal *refusal);
/* Writes what was counted. */
int refusals_write(struct app *app);
