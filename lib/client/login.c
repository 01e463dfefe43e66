/* SPDX-License-Identifier: MIT
 *
 * Sign-in: Login, Answer, Authorize, OpenSession, CloseSession.
 */
#include <errno.h>
#include <string.h>

#include "client/handle.h"
#include "tenant/login.h"

struct login_box {
	struct tenant_login login; /* first: this is what the caller sees */
	json_t *root;
};

_public_ void tenant_login_free(struct tenant_login *login)
{
	struct login_box *box = (struct login_box *)login;

	if (!box)
		return;
	json_decref(box->root);
	free(box);
}
DEFINE_CLEANUP(struct tenant_login, tenant_login_free)

static int read_login(json_t *parameters, struct tenant_login *login)
{
	static const struct {
		const char *word;
		enum tenant_login_step step;
	} steps[] = {
		{"prompt", TENANT_LOGIN_PROMPT},
		{"allowed", TENANT_LOGIN_ALLOWED},
		{"denied", TENANT_LOGIN_DENIED},
		{"broken", TENANT_LOGIN_BROKEN},
	};
	bool echo = false, final = false;
	const char *word;
	size_t i;

	if (reply_text(parameters, "step", true, &word) < 0 ||
	    reply_text(parameters, "login", false, &login->login) < 0 ||
	    reply_text(parameters, "text", false, &login->text) < 0 ||
	    reply_text(parameters, "reason", false, &login->reason) < 0 || reply_flag(parameters, "echo", &echo) < 0 ||
	    reply_flag(parameters, "final", &final) < 0)
		return -EPROTO;
	for (i = 0; i < ARRAY_LEN(steps); i++)
		if (strcmp(word, steps[i].word) == 0)
			login->step = steps[i].step;
	login->echo = echo;
	login->final = final;
	if (login->login && !login->login[0])
		login->login = NULL;
	switch (login->step) {
	case TENANT_LOGIN_PROMPT:
		return login->login && login->text ? 0 : -EPROTO;
	case TENANT_LOGIN_ALLOWED:
		return login->login ? 0 : -EPROTO;
	case TENANT_LOGIN_DENIED:
	case TENANT_LOGIN_BROKEN:
		return 0;
	default:
		return -EPROTO;
	}
}

/* Takes the reply over, also on failure. */
static int make_login(struct tenant *tenant, const char *method, struct varlink_reply *reply, struct tenant_login **ret)
{
	_cleanup_(tenant_login_freep) struct tenant_login *login = NULL;
	struct login_box *box = calloc(1, sizeof(*box));

	if (!box) {
		varlink_reply_finish(reply);
		return client_fail(tenant, -ENOMEM, "out of memory");
	}
	box->root = TAKE_PTR(reply->root);
	login = &box->login;
	if (read_login(reply->parameters, login) < 0)
		return client_fail_form(tenant, method);
	*ret = TAKE_PTR(login);
	return 0;
}

static bool origin_is_complete(const struct tenant_origin *o)
{
	return o && o->user && o->user[0] && o->service && o->service[0];
}

_public_ int tenant_set_qr(struct tenant *tenant, const char *form)
{
	static const char *const forms[] = {"", "utf8", "ascii", "off"};

	if (!tenant)
		return -EINVAL;
	if (!form)
		form = "";
	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		if (strcmp(forms[i], form) == 0) {
			memcpy(tenant->qr, forms[i], strlen(forms[i]) + 1);
			return 0;
		}
	return client_fail(tenant, -EINVAL, "no way to draw a QR picture");
}

static void compose_origin(struct json_writer *w, const void *arguments)
{
	const struct tenant_origin *o = arguments;

	json_put_string(w, "user", o->user);
	json_put_string(w, "service", o->service);
	json_put_string_if(w, "source", o->source);
	json_put_string_if(w, "terminal", o->terminal);
	json_put_string_if(w, "requesting_user", o->requesting_user);
	if (o->uid)
		json_put_u64(w, "uid", o->uid);
	if (o->requesting_uid)
		json_put_u64(w, "requesting_uid", o->requesting_uid);
}

struct start_arguments {
	const struct tenant_origin *origin;
	const char *qr;
};

static void compose_start(struct json_writer *w, const void *arguments)
{
	const struct start_arguments *a = arguments;

	compose_origin(w, a->origin);
	json_put_string_if(w, "qr", a->qr);
}

_public_ int tenant_login_start(struct tenant *tenant, const struct tenant_origin *origin, struct tenant_login **ret)
{
	struct start_arguments arguments = {.origin = origin};
	struct varlink_reply reply;
	int r;

	if (!tenant || !ret)
		return -EINVAL;
	if (!origin_is_complete(origin))
		return client_fail(tenant, -EINVAL, "a user and a service are needed");
	arguments.qr = tenant->qr;
	r = ask_agent(tenant, AGENT_INTERFACE "Login", 0, compose_start, &arguments, &reply);
	return r < 0 ? r : make_login(tenant, "Login", &reply, ret);
}

struct answer_arguments {
	const char *login, *text;
};

static void compose_answer(struct json_writer *w, const void *arguments)
{
	const struct answer_arguments *a = arguments;

	json_put_string(w, "login", a->login);
	json_put_string(w, "text", a->text);
}

_public_ int tenant_login_answer(struct tenant *tenant, const char *login, const char *text, struct tenant_login **ret)
{
	const struct answer_arguments arguments = {login, text};
	struct varlink_reply reply;
	int r;

	if (!tenant || !ret)
		return -EINVAL;
	if (!login || !text)
		return client_fail(tenant, -EINVAL, "a login and an answer are needed");
	r = ask_agent(tenant, AGENT_INTERFACE "Answer", CALL_ATTACHED, compose_answer, &arguments, &reply);
	return r < 0 ? r : make_login(tenant, "Answer", &reply, ret);
}

struct grant_box {
	struct tenant_grant grant; /* first: this is what the caller sees */
	json_t *root;
};

_public_ void tenant_grant_free(struct tenant_grant *grant)
{
	struct grant_box *box = (struct grant_box *)grant;

	if (!box)
		return;
	free((void *)(uintptr_t)box->grant.environment);
	json_decref(box->root);
	free(box);
}
DEFINE_CLEANUP(struct tenant_grant, tenant_grant_free)

static int read_grant(json_t *parameters, struct tenant_grant *grant)
{
	if (reply_decision(parameters, &grant->decision, &grant->reason, &grant->message) < 0 ||
	    reply_text(parameters, "warning", false, &grant->warning) < 0 ||
	    reply_text(parameters, "tenant", false, &grant->tenant) < 0 ||
	    reply_text(parameters, "project", false, &grant->project) < 0 ||
	    reply_text(parameters, "role", false, &grant->role) < 0 ||
	    reply_text(parameters, "session", false, &grant->session) < 0)
		return -EPROTO;
	return reply_texts(parameters, "environment", &grant->environment);
}

/* Takes the reply over, also on failure. */
static int make_grant(struct tenant *tenant, const char *method, struct varlink_reply *reply, struct tenant_grant **ret)
{
	_cleanup_(tenant_grant_freep) struct tenant_grant *grant = NULL;
	struct grant_box *box = calloc(1, sizeof(*box));
	int r;

	if (!box) {
		varlink_reply_finish(reply);
		return client_fail(tenant, -ENOMEM, "out of memory");
	}
	box->root = TAKE_PTR(reply->root);
	grant = &box->grant;
	r = read_grant(reply->parameters, grant);
	if (r == -ENOMEM)
		return client_fail(tenant, r, "out of memory");
	if (r < 0)
		return client_fail_form(tenant, method);
	*ret = TAKE_PTR(grant);
	return 0;
}

struct stage_arguments {
	const struct tenant_origin *origin;
	const char *login;
	pid_t leader;
};

static void compose_stage(struct json_writer *w, const void *arguments)
{
	const struct stage_arguments *a = arguments;

	compose_origin(w, a->origin);
	json_put_string_if(w, "login", a->login);
	json_put_string_if(w, "ssh_auth_info", a->origin->ssh_auth_info);
	if (a->leader > 0)
		json_put_i64(w, "leader", a->leader);
}

static int stage(struct tenant *tenant, const char *method, const char *name, unsigned flags,
		 const struct stage_arguments *arguments, struct tenant_grant **ret)
{
	struct varlink_reply reply;
	int r;

	if (!tenant || !ret)
		return -EINVAL;
	if (!origin_is_complete(arguments->origin) || arguments->leader < 0)
		return client_fail(tenant, -EINVAL, "a user and a service are needed");
	r = ask_agent(tenant, method, flags, compose_stage, arguments, &reply);
	return r < 0 ? r : make_grant(tenant, name, &reply, ret);
}

_public_ int tenant_authorize(struct tenant *tenant, const struct tenant_origin *origin, const char *login,
			      struct tenant_grant **ret)
{
	const struct stage_arguments arguments = {.origin = origin, .login = login};

	return stage(tenant, AGENT_INTERFACE "Authorize", "Authorize", 0, &arguments, ret);
}

_public_ int tenant_open_session(struct tenant *tenant, const struct tenant_origin *origin, const char *login,
				 pid_t leader, struct tenant_grant **ret)
{
	const struct stage_arguments arguments = {.origin = origin, .login = login, .leader = leader};

	return stage(tenant, AGENT_INTERFACE "OpenSession", "OpenSession", CALL_ONCE, &arguments, ret);
}

static void compose_close(struct json_writer *w, const void *session)
{
	json_put_string(w, "session", session);
}

_public_ int tenant_close_session(struct tenant *tenant, const char *session)
{
	struct varlink_reply reply;
	int r;

	if (!tenant)
		return -EINVAL;
	if (!session || !session[0])
		return client_fail(tenant, -EINVAL, "a session is needed");
	r = ask_agent(tenant, AGENT_INTERFACE "CloseSession", 0, compose_close, session, &reply);
	if (r < 0)
		return r;
	varlink_reply_finish(&reply);
	return 0;
}
