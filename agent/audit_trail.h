/* SPDX-License-Identifier: MIT
 *
 * Where the audit is kept: makes the spool that agent.yaml asks for, has events written into it beside the journal,
 * writes down what happens to the spool itself, ships it to the sinks, and says whether people may be let in as far as
 * it goes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#include "audit/audit.h"
#include "config.h"
#include "crypto/seal.h"
#include "server/server.h"
#include "shipping/shipping.h"
#include "spool/spool.h"

struct audit_trail;
/* `seal_key` NULL: there is none, and so no spool. No spool is no failure: events go to the journal alone, and
 * audit_trail_problem says why. `changed`: what that says may be another. 0 or -ENOMEM. */
int audit_trail_create(sd_event *event, const struct config *config, const struct seal_key *seal_key,
		       struct audit *audit, void (*changed)(void *context), void *context, struct audit_trail **ret);
/* Takes NULL. What `audit` still writes is lost after it, to the spool: to be called when it has ended. */
void audit_trail_destroy(struct audit_trail *trail);
void audit_trail_set_server(struct audit_trail *trail, struct server *server); /* NULL: there is none any more */
void audit_trail_configure(struct audit_trail *trail, const struct config *config);
struct spool *audit_trail_spool(struct audit_trail *trail);       /* NULL: there is none */
struct shipping *audit_trail_shipping(struct audit_trail *trail); /* NULL: there are no sinks */
const char *audit_trail_problem(const struct audit_trail *trail); /* "": nothing is wrong */
bool audit_trail_admits(void *trail);                             /* for login_book_set_admission */
