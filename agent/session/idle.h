/* SPDX-License-Identifier: MIT
 *
 * Since when is nobody at a session? By its terminal, whose access time the kernel moves when a key is pressed; for
 * sessions without one by logind's idle hint, asked for over D-Bus without waiting. Nothing is watched: it is asked
 * when an idle limit would be due.
 */
#pragma once

#include <stdint.h>
#include <systemd/sd-event.h>

#include "session/session.h"

struct idle;
int idle_create(sd_event *event, struct idle **ret);
void idle_destroy(struct idle *idle); /* takes NULL; nothing is called any more */

/* `since_usec`: boot time; 0: nobody can say (no terminal, no logind, or it calls the session busy): it is not idle. */
typedef void (*idle_fn)(void *context, const char *session_id, uint64_t since_usec);
/* Calls `answer` once, before it returns or later, within two seconds. */
void idle_ask(struct idle *idle, const struct session *session, idle_fn answer, void *context);
