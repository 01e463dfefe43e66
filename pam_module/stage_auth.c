/* SPDX-License-Identifier: MIT
 *
 * auth: relays the agent's prompts and the person's answers until the agent has decided.
 */
#include <security/pam_ext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conversation.h"
#include "stage.h"

/* The agent ends a sign-in long before; this bounds one that does not. Visible prompts come again and again while
 * somebody has not approved yet, so they are bounded by time; their number only against a program and an agent that
 * answer one another in no time. */
#define PROMPTS_MAX 8U
#define VISIBLE_PROMPTS_MAX 512U
#define SIGN_IN_SECONDS 3600
#define ANSWER_BYTES_MAX 512U
/* The agent delays its answer after failed attempts, each time for longer, and holds one that waits for an approval. */
#define ANSWER_TIMEOUT_SECONDS 30U
#define CANNOT_ASK                                                                                             \
	"This program does not show the prompt of single sign-on. Give an API key, or a one-time code, which " \
	"\"tenantctl code\" gives where you are signed in already."
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

/* Too long, or with control characters, as in "\b\n\r\177INCORRECT", which sshd gives for somebody whom it has
 * refused already: not a credential, and nobody's failed attempt. What an empty one means the agent says. */
static bool is_no_answer(const char *answer)
{
	size_t i;

	for (i = 0; answer[i]; i++)
		if (i >= ANSWER_BYTES_MAX || (unsigned char)answer[i] < 0x20 || answer[i] == 0x7f)
			return true;
	return false;
}

/* What an earlier module has asked for, if this is the first prompt and the arguments say so. */
static const char *earlier_answer(const struct stage *stage, const struct tenant_login *login, unsigned prompts)
{
	const void *earlier = NULL;

	if (prompts > 0 || login->echo || !(stage->arguments.use_first_pass || stage->arguments.try_first_pass))
		return NULL;
	if (pam_get_item(stage->pamh, PAM_AUTHTOK, &earlier) != PAM_SUCCESS || !earlier)
		return NULL;
	/* Enter at another module's prompt asked for nothing of ours. */
	return *(const char *)earlier ? earlier : NULL;
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
	if (r == PAM_SUCCESS)
		return OUTCOME_DONE;
	if (login->echo) /* sshd's PasswordAuthentication and JupyterHub have one hidden answer and no more */
		stage_refused(stage, "the program does not show the prompt of single sign-on", CANNOT_ASK);
	return OUTCOME_NO_ANSWER;
}

/* How long the agent may take for the next answer. One that waits for an approval is held, whatever pam.d says. */
static void set_patience(struct stage *stage, bool may_be_held)
{
	unsigned seconds = stage->arguments.timeout_seconds;

	if (seconds == 0 || (may_be_held && seconds < ANSWER_TIMEOUT_SECONDS))
		seconds = ANSWER_TIMEOUT_SECONDS;
	tenant_set_timeout(stage->tenant, seconds * 1000U);
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
	if (is_no_answer(answer)) {
		(void)pam_fail_delay(stage->pamh, REFUSAL_DELAY_USEC);
		stage_refused(stage, "the answer is not a credential", "That is not a credential.");
		return OUTCOME_DENIED;
	}
	set_patience(stage, (*login)->echo || !answer[0]);
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

static time_t seconds_now(void)
{
	struct timespec now;

	return clock_gettime(CLOCK_BOOTTIME, &now) == 0 ? now.tv_sec : 0;
}

static enum outcome sign_in(struct stage *stage)
{
	_cleanup_(free_login) struct tenant_login *login = NULL;
	unsigned hidden = 0, visible = 0;
	enum outcome outcome;
	time_t deadline;
	int r;

	outcome = stage_agent(stage);
	if (outcome != OUTCOME_DONE)
		return outcome;
	(void)tenant_set_qr(stage->tenant, stage->arguments.qr);
	r = tenant_login_start(stage->tenant, &stage->origin, &login);
	if (r < 0)
		return stage_failed(stage, r);
	deadline = seconds_now() + SIGN_IN_SECONDS;
	while (login->step == TENANT_LOGIN_PROMPT) {
		unsigned prompts = hidden + visible;
		bool more = login->echo ? visible++ < VISIBLE_PROMPTS_MAX : hidden++ < PROMPTS_MAX;

		if (!more || seconds_now() > deadline) {
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
