/* SPDX-License-Identifier: MIT
 *
 * How the audit is kept, for Status and Metrics.
 */
#pragma once

#include "base/buffer.h"
#include "server/server.h"
#include "json/json_write.h"

void put_audit(struct json_writer *w, const struct server *server);
void gauge_audit(struct buffer *out, const struct server *server);
