/* SPDX-License-Identifier: MIT
 *
 * What stands behind pam_tenant.so in a pam.d file. The arguments choose how the module asks, never what
 * the agent decides.
 *
 *     socket=PATH      the agent's socket; default TENANT_SOCKET_PATH
 *     timeout=SECONDS  longest wait for one answer of the agent, 1..300; default 10, and 30 where it checks what
 *                      was typed, since it delays its answer after failed attempts. Where the agent waits for
 *                      somebody's approval it is 30 at least
 *     prompt=TEXT      instead of the agent's text for the first hidden prompt
 *     qr=utf8|ascii|off  how the picture of an address is drawn where single sign-on shows one; default: as the agent
 *                      is configured
 *     leader=caller    the session ends with the process that opens it (default)
 *     leader=none      authorize the session, but do not register it: for a process that opens sessions for
 *                      many people and outlives them (JupyterHub)
 *     use_first_pass   take what an earlier module asked for, never ask
 *     try_first_pass   take that first, then ask
 *     quiet            no messages to the person
 *     debug            more in the log
 *
 * Pure: no PAM, no log, no environment.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define ARGUMENT_PROMPT_MAX 128
#define ARGUMENT_PROBLEM_MAX 160

enum argument_leader { LEADER_UNSAID, LEADER_CALLER, LEADER_NONE };

struct arguments {
	const char *socket;       /* borrowed from argv; NULL: the default */
	const char *prompt;       /* borrowed from argv; NULL: the agent's */
	const char *qr;           /* borrowed from argv; NULL: the agent's */
	unsigned timeout_seconds; /* 0: the defaults */
	enum argument_leader leader;
	bool use_first_pass, try_first_pass, quiet, debug;
};

/* 0; -EINVAL and what is wrong, without control characters, in `problem`. `ret` is untouched then. */
int arguments_parse(int argc, const char *const *argv, struct arguments *ret, char problem[ARGUMENT_PROBLEM_MAX]);
