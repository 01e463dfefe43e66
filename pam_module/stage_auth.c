/* SPDX-License-Identifier: MIT
 *
 * auth: relays the agent's prompts and the person's answers until the agent has decided.
 */
#include <security/pam_ext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conversation.h"
#include "stage.h"

/* The agent ends a sign-in long before; this bounds one that does not. */
#define PROMPTS_MAX 8U
#define ANSWER_BYTES_MAX 512U
/* The agent delays its answer after failed attempts, each time for longer. */
#define ANSWER_TIMEOUT_SECONDS 30U
/* An answer that never reaches the agent costs this much time. */
#define REFUSAL_DELAY_USEC 2000000U
#define LOGIN_USER_BYTES_MAX 256U

static void free_login(struct tenant_login **login)
{
	tenant_login_free(*login);
}

static void wipe_answer(char **answer)
{
	conversation_wipe(*answer);
}

/* Empty, too long, or with control characters, as in "\b\n\r\177INCORRECT", which sshd gives for somebody
 * whom it has refused already: not a credential, and nobody's failed attempt. */
static bool is_no_credential(const char *answer)
{
	size_t i;

	for (i = 0; answer[i]; i++)
		if (i >= ANSWER_BYTES_MAX || (unsigned char)answer[i] < 0x20 || answer[i] == 0x7f)
			return true;
	return i == 0;
}

/* What an earlier module has asked for, if this is the first prompt and the arguments say so. */
static const char *earlier_answer(const struct stage *stage, const struct tenant_login *login, unsigned prompts)
{
	const void *earlier = NULL;

	if (prompts > 0 || login->echo || !(stage->arguments.use_first_pass || stage->arguments.try_first_pass))
		return NULL;
	return pam_get_item(stage->pamh, PAM_AUTHTOK, &earlier) == PAM_SUCCESS ? earlier : NULL;
}

static enum outcome take_answer(struct stage *stage, const struct tenant_login *login, unsigned prompts, char **ret)
{
	const char *earlier = earlier_answer(stage, login, prompts), *text = login->text;
	int r;

	if (earlier) {
		*ret = strdup(earlier);
		if (*ret)
			return OUTCOME_DONE;
		stage_refused(stage, "out of memory", NULL);
		return OUTCOME_BROKEN;
	}
	if (stage->arguments.use_first_pass) {
		stage_refused(stage, "use_first_pass, but that answer is missing or was not enough", NULL);
		return OUTCOME_DENIED;
	}
	if (stage->arguments.prompt && prompts == 0 && !login->echo)
		text = stage->arguments.prompt;
	r = conversation_ask(stage->pamh, text, login->echo, ret);
	return r == PAM_SUCCESS ? OUTCOME_DONE : OUTCOME_NO_ANSWER;
}

static enum outcome answer_prompt(struct stage *stage, struct tenant_login **login, unsigned prompts)
{
	_cleanup_(wipe_answer) char *answer = NULL;
	struct tenant_login *next = NULL;
	enum outcome outcome;
	int r;

	outcome = take_answer(stage, *login, prompts, &answer);
	if (outcome != OUTCOME_DONE)
		return outcome;
	if (is_no_credential(answer)) {
		(void)pam_fail_delay(stage->pamh, REFUSAL_DELAY_USEC);
		stage_refused(stage, "the answer is empty or not a credential", "That is not a credential.");
		return OUTCOME_DENIED;
	}
	r = tenant_login_answer(stage->tenant, (*login)->login, answer, &next);
	if (r < 0)
		return stage_failed(stage, r);
	tenant_login_free(*login);
	*login = next;
	return OUTCOME_DONE;
}

static enum outcome keep_login(struct stage *stage, const struct tenant_login *login)
{
	char variable[sizeof(LOGIN_VARIABLE) + LOGIN_BYTES_MAX + LOGIN_USER_BYTES_MAX + 2];
	size_t length = (size_t)snprintf(variable, sizeof(variable), "%s=%s:%s", LOGIN_VARIABLE, login->login,
					 stage->origin.user);

	if (strlen(login->login) > LOGIN_BYTES_MAX || strchr(login->login, ':') || length >= sizeof(variable) ||
	    pam_putenv(stage->pamh, variable) != PAM_SUCCESS) {
		stage_refused(stage, "the sign-in's name could not be kept", NULL);
		return OUTCOME_BROKEN;
	}
	return OUTCOME_DONE;
}

static enum outcome sign_in(struct stage *stage)
{
	_cleanup_(free_login) struct tenant_login *login = NULL;
	enum outcome outcome;
	unsigned prompts;
	int r;

	outcome = stage_agent(stage);
	if (outcome != OUTCOME_DONE)
		return outcome;
	r = tenant_login_start(stage->tenant, &stage->origin, &login);
	if (r < 0)
		return stage_failed(stage, r);
	if (!stage->arguments.timeout_seconds)
		tenant_set_timeout(stage->tenant, ANSWER_TIMEOUT_SECONDS * 1000U);
	for (prompts = 0; login->step == TENANT_LOGIN_PROMPT; prompts++) {
		if (prompts == PROMPTS_MAX) {
			stage_refused(stage, "too many prompts", "Too many attempts.");
			return OUTCOME_DENIED_FOR_GOOD;
		}
		outcome = answer_prompt(stage, &login, prompts);
		if (outcome != OUTCOME_DONE)
			return outcome;
	}
	if (login->step == TENANT_LOGIN_ALLOWED)
		return keep_login(stage, login);
	stage_refused(stage, login->reason, login->text);
	if (login->step != TENANT_LOGIN_DENIED)
		return OUTCOME_BROKEN;
	return login->final ? OUTCOME_DENIED_FOR_GOOD : OUTCOME_DENIED;
}

_public_ int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct stage stage;
	enum outcome outcome;

	outcome = stage_begin(pamh, STAGE_AUTHENTICATE, flags, argc, argv, &stage);
	if (outcome == OUTCOME_DONE)
		outcome = sign_in(&stage);
	return stage_end(&stage, outcome);
}
