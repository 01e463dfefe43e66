/* SPDX-License-Identifier: MIT
 *
 * What the agent may ask of the root helper, at /run/tenantd-helper.sock (a sequenced-packet socket): one
 * packet, one verb, one packet back. The agent is not believed: the helper checks each part by itself.
 */
#pragma once

#include <stdint.h>

#define HELPER_SOCKET "/run/tenantd-helper.sock"
#define HELPER_MAGIC 0x746e6468U

enum helper_verb { HELPER_END_SESSION = 1 };

struct helper_request {
	uint32_t magic;
	uint32_t verb;
	int32_t leader;        /* the session's first process … */
	uint32_t uid;          /* whose session it is */
	uint64_t leader_start; /* … and when it started (field 22 of /proc/PID/stat) */
};
_Static_assert(sizeof(struct helper_request) == 24, "the same on both sides");

struct helper_answer {
	int32_t result; /* 0: it is being ended; -ESRCH: no such process; -EPERM, -EINVAL: refused; … */
};
