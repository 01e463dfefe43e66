/* SPDX-License-Identifier: MIT
 *
 * Events about a session all say whose it is, in the same fields.
 */
#pragma once

#include "audit/audit.h"
#include "session/session.h"

/* An event of that kind about the session; strings are borrowed from it. The caller adds what is its own. */
struct audit_event session_event(enum audit_kind kind, const struct session *session);
