/* SPDX-License-Identifier: MIT
 *
 * tenantctl's way to the agent: one call, its reply, and what to say when there is none.
 */
#pragma once

#include "ctl/ctl.h"
#include "varlink/varlink_client.h"

#define CTL_CALL_USEC (5 * 1000 * 1000ULL)
#define CTL_RELOAD_USEC (330 * 1000 * 1000ULL)

struct ctl_call {
	struct ctl *ctl;
	struct varlink_client *client;
	struct varlink_writer writer;
	struct varlink_reply reply;
	uint64_t timeout_usec;
	bool expects_none; /* NotFound is CTL_NO, and told by the caller */
};
void ctl_call_finish(struct ctl_call *call);

/* Connects and begins the call `method` (of io.tenantd.Agent); put its parameters with json_put_* on the
 * writer, then _end sends and reads the reply. Both: -1, go on; else the exit code, and why was told. */
int ctl_call_begin(struct ctl_call *call, struct ctl *ctl, const char *method, bool more);
int ctl_call_end(struct ctl_call *call);
int ctl_call_plain(struct ctl_call *call, struct ctl *ctl, const char *method); /* both, without parameters */
/* A further reply of a call with `more`. `timeout_usec` UINT64_MAX: for ever. */
int ctl_call_next(struct ctl_call *call, uint64_t timeout_usec);

/* Members of the reply; "" and 0 where there is none. */
const char *ctl_text(const json_t *object, const char *key);
int64_t ctl_number(const json_t *object, const char *key);
/* Prints the reply's parameters as they are. */
int ctl_print_reply(const json_t *parameters);
/* The exit code of a Decision; prints it unless --json. */
int ctl_decision(const struct ctl *ctl, const json_t *parameters);
