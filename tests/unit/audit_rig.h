/* SPDX-License-Identifier: MIT
 *
 * The feeds of an agent with a spool, events in it, and the audit log of a control plane for tests.
 */
#pragma once

#include "../fakes/fake_audit.h"
#include "feeds_rig.h"
#include "spool/spool.h"

int audit_rig_set_up(void **state);
int audit_rig_tear_down(void **state);
void audit_rig_restart(struct rig *rig); /* feeds and spool; what is on disk stays */

/* So many events of a tenant ("": of none), durable when it returns. */
void audit_rig_emit(struct rig *rig, const char *tenant_id, unsigned count);
/* One, which names this host ("": none); not waited for. */
void audit_rig_write(struct rig *rig, const char *tenant_id, const char *host_id);
/* Runs the loop until all that was written is acknowledged, and so many were taken in all. */
void audit_rig_await(struct rig *rig, unsigned taken);
void audit_rig_settle(struct rig *rig);              /* until all is acknowledged */
void audit_rig_pass(struct rig *rig, uint64_t usec); /* runs the loop for so long */
void audit_rig_await_fault(struct rig *rig, const char *fault);
uint64_t audit_rig_unacknowledged(const struct rig *rig); /* events that the spool keeps for the control plane */
