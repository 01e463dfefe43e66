/* SPDX-License-Identifier: MIT */
#include "stage.h"

#include <errno.h>
#include <security/pam_ext.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "connection.h"
#include "conversation.h"
#include "identity.h"

#define TIMEOUT_DEFAULT_SECONDS 10U

/* The one table of what each stage gives to libpam. The packaged stack ends at anything but success and
 * user_unknown, so no value here may ever be PAM_IGNORE. */
static const int codes[STAGE_COUNT][OUTCOME_COUNT] = {
	[STAGE_AUTHENTICATE] =
		{
			[OUTCOME_DONE] = PAM_SUCCESS,
			[OUTCOME_NOT_OURS] = PAM_USER_UNKNOWN,
			[OUTCOME_DENIED] = PAM_AUTH_ERR,
			[OUTCOME_DENIED_FOR_GOOD] = PAM_MAXTRIES,
			[OUTCOME_BROKEN] = PAM_AUTHINFO_UNAVAIL,
			[OUTCOME_MISCONFIGURED] = PAM_SERVICE_ERR,
			[OUTCOME_NO_ANSWER] = PAM_CONV_ERR,
		},
	[STAGE_CREDENTIALS] =
		{
			[OUTCOME_DONE] = PAM_SUCCESS,
			[OUTCOME_NOT_OURS] = PAM_USER_UNKNOWN,
			[OUTCOME_DENIED] = PAM_CRED_ERR,
			[OUTCOME_DENIED_FOR_GOOD] = PAM_CRED_ERR,
			[OUTCOME_BROKEN] = PAM_CRED_UNAVAIL,
			[OUTCOME_MISCONFIGURED] = PAM_SERVICE_ERR,
			[OUTCOME_NO_ANSWER] = PAM_CRED_ERR,
		},
	[STAGE_ACCOUNT] =
		{
			[OUTCOME_DONE] = PAM_SUCCESS,
			[OUTCOME_NOT_OURS] = PAM_USER_UNKNOWN,
			[OUTCOME_DENIED] = PAM_PERM_DENIED,
			[OUTCOME_DENIED_FOR_GOOD] = PAM_PERM_DENIED,
			[OUTCOME_BROKEN] = PAM_AUTHINFO_UNAVAIL,
			[OUTCOME_MISCONFIGURED] = PAM_SERVICE_ERR,
			[OUTCOME_NO_ANSWER] = PAM_AUTHINFO_UNAVAIL,
		},
	[STAGE_OPEN_SESSION] =
		{
			[OUTCOME_DONE] = PAM_SUCCESS,
			[OUTCOME_NOT_OURS] = PAM_USER_UNKNOWN,
			[OUTCOME_DENIED] = PAM_PERM_DENIED,
			[OUTCOME_DENIED_FOR_GOOD] = PAM_PERM_DENIED,
			[OUTCOME_BROKEN] = PAM_SESSION_ERR,
			[OUTCOME_MISCONFIGURED] = PAM_SERVICE_ERR,
			[OUTCOME_NO_ANSWER] = PAM_SESSION_ERR,
		},
	/* Closing is a hint to the agent: nothing may keep a session from ending. */
	[STAGE_CLOSE_SESSION] =
		{
			[OUTCOME_DONE] = PAM_SUCCESS,
			[OUTCOME_NOT_OURS] = PAM_USER_UNKNOWN,
			[OUTCOME_DENIED] = PAM_SUCCESS,
			[OUTCOME_DENIED_FOR_GOOD] = PAM_SUCCESS,
			[OUTCOME_BROKEN] = PAM_SUCCESS,
			[OUTCOME_MISCONFIGURED] = PAM_SUCCESS,
			[OUTCOME_NO_ANSWER] = PAM_SUCCESS,
		},
	[STAGE_PASSWORD] =
		{
			[OUTCOME_DONE] = PAM_PERM_DENIED, /* there is nothing here to be changed */
			[OUTCOME_NOT_OURS] = PAM_USER_UNKNOWN,
			[OUTCOME_DENIED] = PAM_PERM_DENIED,
			[OUTCOME_DENIED_FOR_GOOD] = PAM_PERM_DENIED,
			[OUTCOME_BROKEN] = PAM_TRY_AGAIN,
			[OUTCOME_MISCONFIGURED] = PAM_SERVICE_ERR,
			[OUTCOME_NO_ANSWER] = PAM_AUTHTOK_ERR,
		},
};

static const char *text_item(const pam_handle_t *pamh, int item)
{
	const void *value = NULL;

	return pam_get_item(pamh, item, &value) == PAM_SUCCESS ? value : NULL;
}

static const char *whose(pam_handle_t *pamh, enum stage_name name)
{
	const char *user = NULL;

	/* Only the first stage may still have to ask for the name. */
	if (name != STAGE_AUTHENTICATE)
		return text_item(pamh, PAM_USER);
	return pam_get_user(pamh, &user, NULL) == PAM_SUCCESS ? user : NULL;
}

static void read_login(struct stage *s, const char *value)
{
	const char *colon = value ? strchr(value, ':') : NULL;
	size_t length = colon ? (size_t)(colon - value) : 0;

	if (length == 0 || length > LOGIN_BYTES_MAX || strcmp(colon + 1, s->origin.user) != 0)
		return;
	memcpy(s->login, value, length);
	s->login[length] = '\0';
}

enum outcome stage_begin(pam_handle_t *pamh, enum stage_name name, int flags, int argc, const char **argv,
			 struct stage *ret)
{
	struct stage *s = ret;
	char problem[ARGUMENT_PROBLEM_MAX];

	memset(s, 0, sizeof(*s));
	s->pamh = pamh;
	s->name = name;
	s->silent = flags & PAM_SILENT;
	s->origin.user = whose(pamh, name);
	switch (identity_of(s->origin.user, &s->origin.uid)) {
	case IDENTITY_NOT_OURS:
		return OUTCOME_NOT_OURS;
	case IDENTITY_UNCLEAR:
		snprintf(s->cause, sizeof(s->cause), "the system's user database failed");
		return OUTCOME_BROKEN;
	case IDENTITY_OURS:
		break;
	}
	if (arguments_parse(argc, argv, &s->arguments, problem) < 0) {
		snprintf(s->cause, sizeof(s->cause), "%s", problem);
		return OUTCOME_MISCONFIGURED;
	}
	s->silent = s->silent || s->arguments.quiet;
	s->origin.service = text_item(pamh, PAM_SERVICE);
	s->origin.source = text_item(pamh, PAM_RHOST);
	s->origin.terminal = text_item(pamh, PAM_TTY);
	s->origin.requesting_user = text_item(pamh, PAM_RUSER);
	s->origin.ssh_auth_info = pam_getenv(pamh, "SSH_AUTH_INFO_0");
	/* By which name somebody asks must mean the same person to the agent, too. */
	if (identity_of(s->origin.requesting_user, &s->origin.requesting_uid) == IDENTITY_UNCLEAR) {
		snprintf(s->cause, sizeof(s->cause), "the system's user database failed for who asks");
		return OUTCOME_BROKEN;
	}
	read_login(s, pam_getenv(pamh, LOGIN_VARIABLE));
	return OUTCOME_DONE;
}

enum outcome stage_agent(struct stage *stage)
{
	unsigned seconds = stage->arguments.timeout_seconds;
	int r;

	r = connection_of(stage->pamh, stage->arguments.socket, &stage->tenant);
	if (r < 0)
		return stage_failed(stage, r);
	tenant_set_timeout(stage->tenant, (seconds ? seconds : TIMEOUT_DEFAULT_SECONDS) * 1000U);
	return OUTCOME_DONE;
}

enum outcome stage_failed(struct stage *stage, int error)
{
	const char *text = stage->tenant ? tenant_error(stage->tenant) : "";

	snprintf(stage->cause, sizeof(stage->cause), "%s", text[0] ? text : strerrordesc_np(-error));
	if (error != -EACCES)
		return OUTCOME_BROKEN;
	snprintf(stage->said, sizeof(stage->said),
		 "This program may not sign anybody in: the agent answers root alone.");
	return OUTCOME_DENIED;
}

void stage_refused(struct stage *stage, const char *reason, const char *text)
{
	snprintf(stage->cause, sizeof(stage->cause), "%s", reason ? reason : "");
	snprintf(stage->said, sizeof(stage->said), "%s", text ? text : "");
}

enum outcome stage_decision(struct stage *stage, const struct tenant_grant *grant)
{
	switch (grant->decision) {
	case TENANT_ALLOWED:
		/* Once a login is enough, and every login has an account stage. */
		if (!stage->silent && stage->name == STAGE_ACCOUNT)
			conversation_tell(stage->pamh, PAM_TEXT_INFO, grant->warning);
		return OUTCOME_DONE;
	case TENANT_DENIED:
		stage_refused(stage, grant->reason, grant->message);
		return OUTCOME_DENIED;
	case TENANT_BROKEN:
		break;
	}
	stage_refused(stage, grant->reason, grant->message);
	return OUTCOME_BROKEN;
}

/* Root needs nobody's leave to become somebody, and must not lose that way of helping when the agent is
 * what is broken. Both must say so: the program (PAM_RUSER) and the kernel (the real uid, which stays the
 * caller's in su). A denial stays one. */
static bool root_is_asking(const struct stage *stage)
{
	static const char *const services[] = {"su", "su-l", "sudo", "sudo-i"};
	const char *service = stage->origin.service, *asking = stage->origin.requesting_user;
	size_t i;

	if (!service || !asking || strcmp(asking, "root") != 0 || getuid() != 0)
		return false;
	for (i = 0; i < sizeof(services) / sizeof(services[0]); i++)
		if (strcmp(service, services[i]) == 0)
			return true;
	return false;
}

/* What the person reads. A breakage never sounds like a denial. `text` is where it is put together. */
#define WORDS_SIZE (sizeof(((struct stage *)NULL)->said) + 32)
static const char *words(const struct stage *stage, enum outcome outcome, char text[WORDS_SIZE])
{
	switch (outcome) {
	case OUTCOME_DENIED:
	case OUTCOME_DENIED_FOR_GOOD:
		return stage->said[0] ? stage->said : "Access was denied.";
	case OUTCOME_BROKEN:
		snprintf(text, WORDS_SIZE, "You were not denied: %s", stage->said);
		if (stage->said[0])
			return text;
		return "You were not denied: sign-in is broken on this host, because its tenantd agent cannot decide. "
		       "Please tell the host's operators.";
	case OUTCOME_MISCONFIGURED:
		return "You were not denied: sign-in is misconfigured on this host. Please tell the host's operators.";
	case OUTCOME_NO_ANSWER:
		return stage->said;
	case OUTCOME_DONE:
	case OUTCOME_NOT_OURS:
	case OUTCOME_COUNT:
		break;
	}
	return NULL;
}

/* What broke may be told in words that came over the socket: no control characters into the log. */
static void clean(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

static void note(const struct stage *stage, enum outcome outcome)
{
	static const char *const names[STAGE_COUNT] = {
		[STAGE_AUTHENTICATE] = "auth",
		[STAGE_CREDENTIALS] = "setcred",
		[STAGE_ACCOUNT] = "account",
		[STAGE_OPEN_SESSION] = "open_session",
		[STAGE_CLOSE_SESSION] = "close_session",
		[STAGE_PASSWORD] = "password",
	};
	const char *stage_text = names[stage->name], *user = stage->origin.user;

	switch (outcome) {
	case OUTCOME_BROKEN:
		pam_syslog(stage->pamh, LOG_ERR, "%s: cannot decide about %s: %s", stage_text, user, stage->cause);
		break;
	case OUTCOME_MISCONFIGURED:
		pam_syslog(stage->pamh, LOG_ERR, "%s: refused %s, since pam.d is wrong: %s", stage_text, user,
			   stage->cause);
		break;
	case OUTCOME_DENIED:
	case OUTCOME_DENIED_FOR_GOOD:
		pam_syslog(stage->pamh, LOG_NOTICE, "%s: denied %s: %s", stage_text, user, stage->cause);
		break;
	case OUTCOME_NO_ANSWER:
		pam_syslog(stage->pamh, LOG_NOTICE, "%s: the program gave no answer for %s%s%s", stage_text, user,
			   stage->cause[0] ? ": " : "", stage->cause);
		break;
	case OUTCOME_DONE:
		if (stage->arguments.debug)
			pam_syslog(stage->pamh, LOG_DEBUG, "%s: done for %s", stage_text, user);
		break;
	case OUTCOME_NOT_OURS:
	case OUTCOME_COUNT:
		break;
	}
}

int stage_end(struct stage *stage, enum outcome outcome)
{
	char text[WORDS_SIZE];

	clean(stage->cause);
	if (stage->name == STAGE_CLOSE_SESSION && outcome == OUTCOME_BROKEN)
		pam_syslog(stage->pamh, LOG_INFO, "the agent was not told that a session ended: %s", stage->cause);
	else
		note(stage, outcome);
	if (outcome == OUTCOME_BROKEN && (stage->name == STAGE_ACCOUNT || stage->name == STAGE_OPEN_SESSION) &&
	    root_is_asking(stage)) {
		pam_syslog(stage->pamh, LOG_WARNING, "root goes on as %s without the agent", stage->origin.user);
		return PAM_SUCCESS;
	}
	if (!stage->silent && stage->name != STAGE_CLOSE_SESSION)
		conversation_tell(stage->pamh, PAM_ERROR_MSG, words(stage, outcome, text));
	return codes[stage->name][outcome];
}
