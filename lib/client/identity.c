/* SPDX-License-Identifier: MIT
 *
 * WhoAmI and Sessions: records about people.
 */
#include <errno.h>

#include "client/handle.h"

struct identity_box {
	struct tenant_identity identity; /* first: this is what the caller sees */
	json_t *root;
};

_public_ void tenant_identity_free(struct tenant_identity *identity)
{
	struct identity_box *box = (struct identity_box *)identity;

	if (!box)
		return;
	free((void *)(uintptr_t)box->identity.memberships);
	json_decref(box->root);
	free(box);
}
DEFINE_CLEANUP(struct tenant_identity, tenant_identity_free)

static int read_memberships(json_t *array, struct tenant_identity *identity)
{
	struct tenant_membership *memberships;
	json_t *item;
	size_t i;

	memberships = calloc(MAX_OF(json_array_size(array), (size_t)1), sizeof(*memberships));
	if (!memberships)
		return -ENOMEM;
	identity->memberships = memberships;
	json_array_foreach(array, i, item)
	{
		struct tenant_membership *m = &memberships[i];

		if (!json_is_object(item) || reply_text(item, "tenant", true, &m->tenant) < 0 ||
		    reply_text(item, "project", false, &m->project) < 0 ||
		    reply_text(item, "project_id", false, &m->project_id) < 0 ||
		    reply_text(item, "role", true, &m->role) < 0)
			return -EPROTO;
	}
	identity->membership_count = json_array_size(array);
	return 0;
}

static int read_identity(json_t *parameters, struct tenant_identity *identity)
{
	json_t *principal, *memberships;
	const char *kind;

	if (reply_object(parameters, "principal", true, &principal) < 0 ||
	    reply_text(principal, "user", true, &identity->user) < 0 ||
	    reply_text(principal, "user_id", true, &identity->user_id) < 0 ||
	    reply_text(principal, "tenant", true, &identity->tenant) < 0 ||
	    reply_text(principal, "tenant_id", true, &identity->tenant_id) < 0 ||
	    reply_text(principal, "kind", true, &kind) < 0 || reply_uid(principal, "uid", &identity->uid) < 0 ||
	    reply_array(parameters, "memberships", true, &memberships) < 0)
		return -EPROTO;
	identity->is_service = text_equal(kind, "service");
	if (!identity->is_service && !text_equal(kind, "person"))
		return -EPROTO;
	return read_memberships(memberships, identity);
}

_public_ int tenant_whoami(struct tenant *tenant, struct tenant_identity **ret)
{
	_cleanup_(tenant_identity_freep) struct tenant_identity *identity = NULL;
	struct identity_box *box;
	struct varlink_reply reply;
	int r;

	if (!tenant || !ret)
		return -EINVAL;
	r = ask_agent(tenant, AGENT_INTERFACE "WhoAmI", 0, NULL, NULL, &reply);
	if (r < 0)
		return r;
	box = calloc(1, sizeof(*box));
	if (!box) {
		varlink_reply_finish(&reply);
		return client_fail(tenant, -ENOMEM, "out of memory");
	}
	box->root = TAKE_PTR(reply.root);
	identity = &box->identity;
	r = read_identity(reply.parameters, identity);
	if (r == -ENOMEM)
		return client_fail(tenant, r, "out of memory");
	if (r < 0)
		return client_fail_form(tenant, "WhoAmI");
	*ret = TAKE_PTR(identity);
	return 0;
}

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
	int64_t leader, opened;

	if (!json_is_object(object) || reply_text(object, "session", true, &s->id) < 0 ||
	    reply_text(object, "user", true, &s->user) < 0 || reply_uid(object, "uid", &s->uid) < 0 ||
	    reply_text(object, "tenant", true, &s->tenant) < 0 ||
	    reply_text(object, "project", false, &s->project) < 0 || reply_text(object, "role", false, &s->role) < 0 ||
	    reply_text(object, "service", true, &s->service) < 0 ||
	    reply_text(object, "source", false, &s->source) < 0 ||
	    reply_text(object, "terminal", false, &s->terminal) < 0 ||
	    reply_text(object, "credential", false, &s->credential) < 0 ||
	    reply_integer(object, "leader", true, 0, INT32_MAX, &leader) < 0 ||
	    reply_integer(object, "opened", true, INT64_MIN, INT64_MAX, &opened) < 0)
		return -EPROTO;
	s->leader = (pid_t)leader;
	s->opened = opened;
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

static void compose_sessions(struct json_writer *w, const void *user)
{
	json_put_string_if(w, "user", user);
}

_public_ int tenant_sessions(struct tenant *tenant, const char *user, struct tenant_sessions **ret)
{
	_cleanup_(tenant_sessions_freep) struct tenant_sessions *sessions = NULL;
	struct sessions_box *box;
	struct varlink_reply reply;
	int r;

	if (!tenant || !ret)
		return -EINVAL;
	r = ask_agent_list(tenant, AGENT_INTERFACE "Sessions", "sessions", compose_sessions, user, &reply);
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
