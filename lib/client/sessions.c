/* SPDX-License-Identifier: MIT
 *
 * Sessions, EndSession and EndSessions.
 */
#include <errno.h>
#include <string.h>

#include "client/handle.h"

#define WAIT_MAX_SEC 600U

struct sessions_box {
	struct tenant_sessions sessions; /* first: this is what the caller sees */
	json_t *root;
};

_public_ void tenant_sessions_free(struct tenant_sessions *sessions)
{
	struct sessions_box *box = (struct sessions_box *)sessions;

	if (!box)
		return;
	free((void *)(uintptr_t)box->sessions.items);
	json_decref(box->root);
	free(box);
}
DEFINE_CLEANUP(struct tenant_sessions, tenant_sessions_free)

static int read_session(json_t *object, struct tenant_session *s)
{
	const struct {
		const char *key;
		const char **ret;
		bool required;
	} texts[] = {
		{"session", &s->id, true},         {"state", &s->state, true},
		{"user", &s->user, true},          {"user_id", &s->user_id, true},
		{"tenant", &s->tenant, true},      {"service", &s->service, true},
		{"cause", &s->cause, false},       {"tenant_id", &s->tenant_id, false},
		{"project", &s->project, false},   {"project_id", &s->project_id, false},
		{"role", &s->role, false},         {"source", &s->source, false},
		{"terminal", &s->terminal, false}, {"credential", &s->credential, false},
		{"provider", &s->provider, false}, {"operator", &s->operator_name, false},
		{"grant", &s->grant_id, false},    {"grant_reason", &s->grant_reason, false},
		{"scope", &s->scope, false},       {"tty", &s->tty, false},
	};
	int64_t leader;

	s->idle = -1;
	if (!json_is_object(object) || reply_uid(object, "uid", &s->uid) < 0 ||
	    reply_integer(object, "leader", true, 0, INT32_MAX, &leader) < 0 ||
	    reply_integer(object, "opened", true, INT64_MIN, INT64_MAX, &s->opened) < 0 ||
	    reply_integer(object, "idle", false, 0, INT64_MAX, &s->idle) < 0)
		return -EPROTO;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (reply_text(object, texts[i].key, texts[i].required, texts[i].ret) < 0)
			return -EPROTO;
	s->leader = (pid_t)leader;
	return 0;
}

static int read_sessions(json_t *parameters, struct tenant_sessions *sessions)
{
	struct tenant_session *items;
	json_t *array, *item;
	size_t i;

	if (reply_array(parameters, "sessions", true, &array) < 0)
		return -EPROTO;
	items = calloc(MAX_OF(json_array_size(array), (size_t)1), sizeof(*items));
	if (!items)
		return -ENOMEM;
	sessions->items = items;
	json_array_foreach(array, i, item) if (read_session(item, &items[i]) < 0) return -EPROTO;
	sessions->count = json_array_size(array);
	return 0;
}

/* What the calls are asked with. NULL is left out; "" names nobody, and is said. */
struct sessions_arguments {
	const char *session, *user, *project, *reason;
	unsigned wait_seconds;
	bool idle;
};

static void put_given(struct json_writer *w, const char *key, const char *value)
{
	if (value)
		json_put_string(w, key, value);
}

static void compose_sessions(struct json_writer *w, const void *data)
{
	const struct sessions_arguments *arguments = data;

	put_given(w, "session", arguments->session);
	put_given(w, "user", arguments->user);
	put_given(w, "project", arguments->project);
	put_given(w, "reason", arguments->reason);
	if (arguments->wait_seconds)
		json_put_u64(w, "wait", arguments->wait_seconds);
	if (arguments->idle)
		json_put_bool(w, "idle", true);
}

_public_ int tenant_sessions(struct tenant *tenant, const char *user, struct tenant_sessions **ret)
{
	return tenant_sessions_of(tenant, user, NULL, ret);
}

_public_ int tenant_sessions_of(struct tenant *tenant, const char *user, const char *project,
				struct tenant_sessions **ret)
{
	const struct sessions_arguments arguments = {.user = user, .project = project, .idle = true};
	_cleanup_(tenant_sessions_freep) struct tenant_sessions *sessions = NULL;
	struct sessions_box *box;
	struct varlink_reply reply;
	int r;

	if (!tenant || !ret)
		return -EINVAL;
	r = ask_agent_list(tenant, AGENT_INTERFACE "Sessions", "sessions", compose_sessions, &arguments, &reply);
	if (r < 0)
		return r;
	box = calloc(1, sizeof(*box));
	if (!box) {
		varlink_reply_finish(&reply);
		return client_fail(tenant, -ENOMEM, "out of memory");
	}
	box->root = TAKE_PTR(reply.root);
	sessions = &box->sessions;
	r = read_sessions(reply.parameters, sessions);
	if (r == -ENOMEM)
		return client_fail(tenant, r, "out of memory");
	if (r < 0)
		return client_fail_form(tenant, "Sessions");
	*ret = TAKE_PTR(sessions);
	return 0;
}

static int end_sessions(struct tenant *tenant, const char *method, const struct sessions_arguments *arguments,
			size_t *ret_count)
{
	int64_t asked = 0, gone = 0;
	const char *problem = NULL;
	struct varlink_reply reply;
	int r;

	if (arguments->wait_seconds > WAIT_MAX_SEC)
		return client_fail(tenant, -EINVAL, "one can wait %u seconds at most", WAIT_MAX_SEC);
	r = ask_agent_for(tenant, method, CALL_ONCE, arguments->wait_seconds * 1000U, compose_sessions, arguments,
			  &reply);
	if (r < 0)
		return r;
	if (reply_integer(reply.parameters, "asked", true, 0, INT32_MAX, &asked) < 0 ||
	    reply_integer(reply.parameters, "gone", true, 0, asked, &gone) < 0 ||
	    reply_text(reply.parameters, "problem", false, &problem) < 0)
		r = client_fail_form(tenant, method + strlen(AGENT_INTERFACE));
	else if (arguments->wait_seconds && gone < asked)
		r = client_fail(tenant, -EINPROGRESS, "%d of %d sessions are not gone yet%s%.200s", (int)(asked - gone),
				(int)asked, problem ? ": " : "", problem ? problem : "");
	if (ret_count && (r == 0 || r == -EINPROGRESS))
		*ret_count = (size_t)asked;
	varlink_reply_finish(&reply);
	return r;
}

_public_ int tenant_end_session(struct tenant *tenant, const char *session, const char *reason, unsigned wait_seconds)
{
	const struct sessions_arguments arguments = {
		.session = session, .reason = reason, .wait_seconds = wait_seconds};

	if (!tenant)
		return -EINVAL;
	if (!session)
		return client_fail(tenant, -EINVAL, "a session is needed");
	return end_sessions(tenant, AGENT_INTERFACE "EndSession", &arguments, NULL);
}

_public_ int tenant_end_sessions(struct tenant *tenant, const char *user, const char *project, const char *reason,
				 unsigned wait_seconds, size_t *ret_count)
{
	const struct sessions_arguments arguments = {
		.user = user, .project = project, .reason = reason, .wait_seconds = wait_seconds};

	if (!tenant)
		return -EINVAL;
	/* Nothing said is a slip, and not everything. */
	if (!user && !project)
		return client_fail(tenant, -EINVAL, "a user or a project is needed");
	return end_sessions(tenant, AGENT_INTERFACE "EndSessions", &arguments, ret_count);
}
