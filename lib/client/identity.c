/* SPDX-License-Identifier: MIT
 *
 * WhoAmI: who somebody is.
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
	    reply_text(principal, "kind", true, &kind) < 0 ||
	    reply_text(principal, "operator", false, &identity->operator_name) < 0 ||
	    reply_text(principal, "grant", false, &identity->grant_id) < 0 ||
	    reply_uid(principal, "uid", &identity->uid) < 0 ||
	    reply_array(parameters, "memberships", true, &memberships) < 0)
		return -EPROTO;
	if (reply_kind(kind, &identity->is_service) < 0)
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
