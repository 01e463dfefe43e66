/* SPDX-License-Identifier: MIT
 *
 * Events in the spool: the audit's store, and the events about the spool itself.
 */
#pragma once

#include "audit/audit.h"
#include "spool/spool.h"

/* Events go to the spool from now on; NULL: to the journal alone. The spool is borrowed. */
void audit_keep_in(struct audit *audit, struct spool *spool);
/* As spool_hooks.found, with the audit as its context. */
void audit_found(void *context, enum spool_finding finding, uint64_t first, uint64_t count, const char *detail);
