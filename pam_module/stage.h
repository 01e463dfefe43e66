/* SPDX-License-Identifier: MIT
 *
 * What the stages share: who it is about, how to reach the agent, and the one place that turns what came
 * out into a PAM code, a message and a log line.
 *
 * A stage is
 *     stage_begin      NOT OURS and UNCLEAR are told apart before arguments or the agent are looked at
 *     … the stage's own questions to the agent …
 *     stage_end        the outcome, once
 */
#pragma once

#include <security/pam_modules.h>
#include <stdbool.h>
#include <tenant/login.h>

#include "arguments.h"

#define _public_ __attribute__((visibility("default")))
#define _cleanup_(f) __attribute__((cleanup(f)))

/* What carries a sign-in from auth to session, since sshd loses pam_set_data in between: its name at the
 * agent, ':', and who signed in. sudo opens the session of another, whom the sign-in proves nothing about. */
#define LOGIN_VARIABLE "TENANTD_LOGIN"
#define LOGIN_BYTES_MAX 64U

enum stage_name {
	STAGE_AUTHENTICATE,
	STAGE_CREDENTIALS,
	STAGE_ACCOUNT,
	STAGE_OPEN_SESSION,
	STAGE_CLOSE_SESSION,
	STAGE_PASSWORD,
	STAGE_COUNT,
};

enum outcome {
	OUTCOME_DONE,            /* allowed */
	OUTCOME_NOT_OURS,        /* the other modules' business */
	OUTCOME_DENIED,          /* somebody decided no */
	OUTCOME_DENIED_FOR_GOOD, /* … and asking again at once is no use */
	OUTCOME_BROKEN,          /* nobody could decide */
	OUTCOME_MISCONFIGURED,   /* our line in pam.d */
	OUTCOME_NO_ANSWER,       /* the program's conversation gave none */
	OUTCOME_COUNT,
};

struct stage {
	pam_handle_t *pamh;
	enum stage_name name;
	struct arguments arguments;
	struct tenant_origin origin;
	struct tenant *tenant;           /* borrowed from the PAM handle; stage_agent */
	char login[LOGIN_BYTES_MAX + 1]; /* of this user, from LOGIN_VARIABLE; "" where there is none */
	bool silent;
	char said[512];  /* the agent's sentence for the person, or "" */
	char cause[320]; /* for the log: what broke, or the reason word */
};

/* OUTCOME_DONE: go on; else give it to stage_end. */
enum outcome stage_begin(pam_handle_t *pamh, enum stage_name name, int flags, int argc, const char **argv,
			 struct stage *ret);
/* The connection of this PAM transaction, made when it is first needed. OUTCOME_DONE or OUTCOME_BROKEN. */
enum outcome stage_agent(struct stage *stage);
/* OUTCOME_BROKEN (OUTCOME_DENIED where the agent refuses the program), from a negative errno of libtenant. */
enum outcome stage_failed(struct stage *stage, int error);
/* Keeps why, for the log and for the person; both may be NULL. */
void stage_refused(struct stage *stage, const char *reason, const char *text);
/* The outcome of a decision; tells its warning, keeps its message and reason. */
enum outcome stage_decision(struct stage *stage, const struct tenant_grant *grant);
/* Tells, logs and translates. */
int stage_end(struct stage *stage, enum outcome outcome);
