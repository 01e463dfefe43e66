/* SPDX-License-Identifier: MIT
 *
 * One session as the control plane hears of it: one JSON object (docs/openapi.yaml, reportSessions).
 */
#pragma once

#include "base/buffer.h"
#include "session/session.h"

/* What came in from outside (service, source, terminal) is cut and escaped, so that no session keeps others from being
 * told. 1: it is told; 0: it is none that a control plane knows of (a person of a file); -ENOMEM. */
int session_line_write(const struct session *session, struct buffer *out);
