/* SPDX-License-Identifier: MIT
 *
 * session: registers the session at the agent and gives it its environment.
 *
 * A session ends with its leader, and by default that is the process which opens it, since that process
 * is there exactly as long as the session in everything that opens one for itself: sshd's privileged
 * monitor, login, su and sudo (which wait for the command, or become it), cron's and at's child of one job,
 * `systemd --user`. A daemon that opens sessions for many people in its one process (JupyterHub) would
 * be taken for all of them, and ending one session would end the daemon: leader=none, which is the default
 * for services whose name starts with "jupyterhub".
 */
#include <security/pam_ext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connection.h"
#include "stage.h"

#define SESSION_DATA "tenantd.session"
#define VARIABLE_BYTES_MAX 256U

static void free_session(pam_handle_t *pamh, void *data, int status)
{
	(void)pamh;
	(void)status;
	free(data);
}

/* The agent gives the person's environment four names of ours and no others: it is not root, and LD_PRELOAD
 * would make it so. */
static bool is_ours(const char *variable)
{
	static const char *const names[] = {"TENANT=", "TENANT_PROJECT=", "TENANT_ROLE=", "TENANT_GRANT="};
	const char *p;
	size_t i;

	if (strlen(variable) > VARIABLE_BYTES_MAX)
		return false;
	for (p = variable; *p; p++)
		if ((unsigned char)*p <= 0x20 || *p == 0x7f)
			return false;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncmp(variable, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static void put(const struct stage *stage, const char *variable)
{
	if (is_ours(variable))
		(void)pam_putenv(stage->pamh, variable);
}

static void put_value(const struct stage *stage, const char *name, const char *value)
{
	char variable[VARIABLE_BYTES_MAX];

	if (value && (size_t)snprintf(variable, sizeof(variable), "%s=%s", name, value) < sizeof(variable))
		put(stage, variable);
}

static bool is_registered(const struct stage *stage)
{
	if (stage->arguments.leader != LEADER_UNSAID)
		return stage->arguments.leader == LEADER_CALLER;
	return !stage->origin.service || strncmp(stage->origin.service, "jupyterhub", strlen("jupyterhub")) != 0;
}

static enum outcome keep_session(struct stage *stage, const struct tenant_grant *grant)
{
	char *id;
	size_t i;

	for (i = 0; grant->environment && grant->environment[i]; i++)
		put(stage, grant->environment[i]);
	/* Without it the end of the leader still ends the session. */
	id = grant->session ? strdup(grant->session) : NULL;
	if (id && pam_set_data(stage->pamh, SESSION_DATA, id, free_session) != PAM_SUCCESS)
		free(id);
	return OUTCOME_DONE;
}

static enum outcome open_session(struct stage *stage)
{
	bool registered = is_registered(stage);
	struct tenant_grant *grant = NULL;
	enum outcome outcome;
	int r;

	outcome = stage_agent(stage);
	if (outcome != OUTCOME_DONE)
		return outcome;
	if (registered)
		r = tenant_open_session(stage->tenant, &stage->origin, stage->login, 0, &grant);
	else
		r = tenant_authorize(stage->tenant, &stage->origin, stage->login, &grant);
	if (r < 0)
		return stage_failed(stage, r);
	outcome = stage_decision(stage, grant);
	if (outcome == OUTCOME_DONE && registered)
		outcome = keep_session(stage, grant);
	if (outcome == OUTCOME_DONE && !registered) {
		put_value(stage, "TENANT", grant->tenant);
		put_value(stage, "TENANT_PROJECT", grant->project);
		put_value(stage, "TENANT_ROLE", grant->role);
	}
	tenant_grant_free(grant);
	return outcome;
}

_public_ int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct stage stage;
	enum outcome outcome;
	int code;

	outcome = stage_begin(pamh, STAGE_OPEN_SESSION, flags, argc, argv, &stage);
	if (outcome == OUTCOME_DONE)
		outcome = open_session(&stage);
	/* Whoever this session is for: sudo signs in the one who asks and opens the session of another. */
	if (pam_getenv(pamh, LOGIN_VARIABLE))
		(void)pam_putenv(pamh, LOGIN_VARIABLE);
	code = stage_end(&stage, outcome);
	connection_drop(pamh);
	return code;
}

_public_ int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	const void *session = NULL;
	enum outcome outcome;
	struct stage stage;
	int r;

	outcome = stage_begin(pamh, STAGE_CLOSE_SESSION, flags, argc, argv, &stage);
	if (pam_get_data(pamh, SESSION_DATA, &session) == PAM_SUCCESS && session) {
		/* Also when the person has left the directory meanwhile. */
		if (outcome == OUTCOME_NOT_OURS && arguments_parse(argc, argv, &stage.arguments, stage.cause) < 0)
			outcome = OUTCOME_MISCONFIGURED;
		if (outcome != OUTCOME_MISCONFIGURED && stage_agent(&stage) == OUTCOME_DONE) {
			r = tenant_close_session(stage.tenant, session);
			if (r < 0)
				outcome = stage_failed(&stage, r);
		}
		connection_drop(pamh);
		(void)pam_set_data(pamh, SESSION_DATA, NULL, NULL);
	}
	return stage_end(&stage, outcome);
}
