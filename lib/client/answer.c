/* SPDX-License-Identifier: MIT
 *
 * Questions that end in a decision: VerifyCredential and CheckAccess.
 */
#include <errno.h>

#include "client/handle.h"

/* What is handed out, with the reply that its strings point into. */
struct answer_box {
	struct tenant_answer answer; /* first: this is what the caller sees */
	json_t *root;
};

_public_ void tenant_answer_free(struct tenant_answer *answer)
{
	struct answer_box *box = (struct answer_box *)answer;

	if (!box)
		return;
	free((void *)(uintptr_t)box->answer.actions);
	json_decref(box->root);
	free(box);
}
DEFINE_CLEANUP(struct tenant_answer, tenant_answer_free)

static int read_principal(json_t *principal, struct tenant_answer *a)
{
	const char *kind;

	if (reply_text(principal, "user", true, &a->user) < 0 ||
	    reply_text(principal, "user_id", true, &a->user_id) < 0 || reply_uid(principal, "uid", &a->uid) < 0 ||
	    reply_text(principal, "kind", true, &kind) < 0 || reply_text(principal, "tenant", true, &a->tenant) < 0 ||
	    reply_text(principal, "tenant_id", true, &a->tenant_id) < 0 ||
	    reply_text(principal, "project", false, &a->project) < 0 ||
	    reply_text(principal, "project_id", false, &a->project_id) < 0 ||
	    reply_text(principal, "role", false, &a->role) < 0 ||
	    reply_text(principal, "operator", false, &a->operator_name) < 0 ||
	    reply_text(principal, "grant", false, &a->grant_id) < 0)
		return -EPROTO;
	return reply_kind(kind, &a->is_service);
}

/* Takes the reply over, also on failure. */
static int make_answer(struct tenant *tenant, const char *method, struct varlink_reply *reply,
		       struct tenant_answer **ret)
{
	_cleanup_(tenant_answer_freep) struct tenant_answer *a = NULL;
	struct answer_box *box = calloc(1, sizeof(*box));
	json_t *principal = NULL;
	int r;

	if (!box) {
		varlink_reply_finish(reply);
		return client_fail(tenant, -ENOMEM, "out of memory");
	}
	box->root = TAKE_PTR(reply->root);
	a = &box->answer;
	a->uid = (uid_t)-1;
	if (reply_decision(reply->parameters, &a->decision, &a->reason, &a->message) < 0 ||
	    reply_text(reply->parameters, "key_id", false, &a->key_id) < 0 ||
	    reply_text(reply->parameters, "warning", false, &a->warning) < 0 ||
	    reply_object(reply->parameters, "principal", false, &principal) < 0 ||
	    (principal && read_principal(principal, a) < 0))
		return client_fail_form(tenant, method);
	/* A yes to nobody is no yes. */
	if (a->decision == TENANT_ALLOWED && !principal)
		return client_fail_form(tenant, method);
	r = reply_texts(reply->parameters, "actions", &a->actions);
	if (r == -ENOMEM)
		return client_fail(tenant, r, "out of memory");
	if (r < 0)
		return client_fail_form(tenant, method);
	*ret = TAKE_PTR(a);
	return 0;
}

struct verify_arguments {
	const char *credential, *project, *action, *service, *source;
};

static void compose_verify(struct json_writer *w, const void *arguments)
{
	const struct verify_arguments *a = arguments;

	json_put_string(w, "credential", a->credential);
	json_put_string_if(w, "project", a->project);
	json_put_string_if(w, "action", a->action);
	json_put_string_if(w, "service", a->service);
	json_put_string_if(w, "source", a->source);
}

_public_ int tenant_verify(struct tenant *tenant, const char *credential, const char *project, const char *action,
			   const char *service, const char *source, struct tenant_answer **ret)
{
	const struct verify_arguments arguments = {credential, project, action, service, source};
	struct varlink_reply reply;
	int r;

	if (!tenant || !ret)
		return -EINVAL;
	/* Half a question would be answered with a yes to something else than was meant. */
	if (!credential || (action && action[0] && !(project && project[0])))
		return client_fail(tenant, -EINVAL, "a credential is needed, and a project where an action is named");
	r = ask_agent(tenant, AGENT_INTERFACE "VerifyCredential", 0, compose_verify, &arguments, &reply);
	return r < 0 ? r : make_answer(tenant, "VerifyCredential", &reply, ret);
}

struct check_arguments {
	const char *user; /* NULL: by uid */
	uid_t uid;
	const char *project, *action;
};

static void compose_check(struct json_writer *w, const void *arguments)
{
	const struct check_arguments *a = arguments;

	if (a->user)
		json_put_string(w, "user", a->user);
	else
		json_put_u64(w, "uid", a->uid);
	json_put_string(w, "project", a->project);
	json_put_string(w, "action", a->action);
}

static int check(struct tenant *tenant, const struct check_arguments *arguments, struct tenant_answer **ret)
{
	struct varlink_reply reply;
	int r;

	if (!tenant || !ret)
		return -EINVAL;
	if (!arguments->project || !arguments->action)
		return client_fail(tenant, -EINVAL, "a project and an action are needed");
	r = ask_agent(tenant, AGENT_INTERFACE "CheckAccess", 0, compose_check, arguments, &reply);
	return r < 0 ? r : make_answer(tenant, "CheckAccess", &reply, ret);
}

_public_ int tenant_check(struct tenant *tenant, uid_t uid, const char *project, const char *action,
			  struct tenant_answer **ret)
{
	const struct check_arguments arguments = {.uid = uid, .project = project, .action = action};

	return check(tenant, &arguments, ret);
}

_public_ int tenant_check_user(struct tenant *tenant, const char *user, const char *project, const char *action,
			       struct tenant_answer **ret)
{
	const struct check_arguments arguments = {.user = user, .project = project, .action = action};

	if (tenant && !user)
		return client_fail(tenant, -EINVAL, "a user is needed");
	return check(tenant, &arguments, ret);
}

_public_ int tenant_require_project(struct tenant *tenant, const char *credential, const char *project,
				    const char *action, struct tenant_answer **ret)
{
	_cleanup_(tenant_answer_freep) struct tenant_answer *answer = NULL;
	int r;

	if (!tenant)
		return -EINVAL;
	if (!project || !project[0] || !action || !action[0])
		return client_fail(tenant, -EINVAL, "a project and an action are needed");
	r = tenant_verify(tenant, credential, project, action, NULL, NULL, &answer);
	if (r < 0)
		return r;
	if (answer->decision == TENANT_DENIED)
		return client_fail(tenant, -EPERM, "%.200s", answer->message);
	if (answer->decision != TENANT_ALLOWED)
		return client_fail(tenant, -EIO, "the agent cannot decide: %.200s", answer->message);
	if (ret)
		*ret = TAKE_PTR(answer);
	return 0;
}
