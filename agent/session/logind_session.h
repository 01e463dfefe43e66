/* SPDX-License-Identifier: MIT
 *
 * What logind says of one of its sessions over D-Bus (org.freedesktop.login1(5)): asked without waiting, and without
 * having it started.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

struct logind_session {
	uint32_t leader;
	bool is_terminal; /* "tty": then the time is when a key was last pressed, idle or not */
	bool is_idle;
	uint64_t idle_since; /* CLOCK_MONOTONIC; 0: it does not say */
};

/* `slot` is the caller's, and without it there is no call of `callback`. */
int logind_session_ask(sd_bus *bus, const char *name, sd_bus_slot **ret_slot, sd_bus_message_handler_t callback,
		       void *context);
int logind_session_read(sd_bus_message *reply, struct logind_session *ret);
