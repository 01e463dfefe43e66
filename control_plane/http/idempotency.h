/* SPDX-License-Identifier: MIT
 *
 * Idempotency-Key: a write that is sent twice under one key happens once. The answer is kept for a day, sealed, and
 * written in the transaction of the write itself: it is there exactly when the write is.
 *
 * Keys are a principal's own. What was refused is not kept: it may be tried again under the same key.
 */
#pragma once

#include "control_plane/http/request.h"

/* In the transaction, before the handler. 0: go on; 1: the response is set (the kept one, or a problem); -EAGAIN,
 * -errno. */
int idempotency_begin(struct request *request);
/* After the handler and the publication, before the commit. 0; -EAGAIN: the same key came in meanwhile. */
int idempotency_keep(struct request *request);
/* Forgets what is older than a day, in every tenant. Run from time to time. */
int idempotency_sweep(struct app *app);
