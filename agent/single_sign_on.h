/* SPDX-License-Identifier: MIT
 *
 * Single sign-on, put together: the thread that talks to identity providers, the identities that first sign-ins bound,
 * the sign-ins that wait for them, and the server that holds their answers.
 */
#pragma once

#include <systemd/sd-event.h>

#include "config.h"
#include "crypto/seal.h"
#include "server/parts.h"
#include "server/server.h"

struct single_sign_on;

/* All are borrowed. Fills parts->sso and parts->bindings, and lets the sign-ins know. */
int single_sign_on_create(sd_event *event, const struct config *config, const struct seal_key *seal_key,
			  struct parts *parts, struct server *server, struct single_sign_on **ret);
void single_sign_on_destroy(struct single_sign_on *sso); /* takes NULL; before the sign-ins; waits for its thread */
void single_sign_on_configure(struct single_sign_on *sso, const struct config *config); /* it was read again */
void single_sign_on_take_picture(struct single_sign_on *sso, const struct directory *picture);
/* Answers that were held for long enough. To be called when login_next_tick says so, before login_tick. */
void single_sign_on_tick(struct single_sign_on *sso, uint64_t now_usec);
/* What is wrong, for the state of the agent; "" when nothing is. */
const char *single_sign_on_problem(const struct single_sign_on *sso);
