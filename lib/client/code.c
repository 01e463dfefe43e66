/* SPDX-License-Identifier: MIT
 *
 * One-time sign-in codes: Code.
 */
#include <errno.h>
#include <string.h>

#include "base/secret.h"
#include "client/handle.h"

struct code_box {
	struct tenant_code code; /* first: this is what the caller sees */
	json_t *root;
};

_public_ void tenant_code_free(struct tenant_code *code)
{
	struct code_box *box = (struct code_box *)code;

	if (!box)
		return;
	if (code->code)
		secret_wipe((void *)(uintptr_t)code->code, strlen(code->code));
	json_decref(box->root);
	free(box);
}
DEFINE_CLEANUP(struct tenant_code, tenant_code_free)

struct code_arguments {
	const char *user, *service;
};

static void compose_code(struct json_writer *w, const void *data)
{
	const struct code_arguments *arguments = data;

	json_put_string_if(w, "user", arguments->user);
	json_put_string_if(w, "service", arguments->service);
}

static int read_code(json_t *parameters, struct tenant_code *c)
{
	int64_t seconds = 0;

	/* First, so that it is wiped whatever else is wrong. */
	if (reply_text(parameters, "code", false, &c->code) < 0 ||
	    reply_decision(parameters, &c->decision, &c->reason, &c->message) < 0 ||
	    reply_text(parameters, "user", false, &c->user) < 0 ||
	    reply_text(parameters, "service", false, &c->service) < 0 ||
	    reply_integer(parameters, "expires_in", false, 1, INT32_MAX, &seconds) < 0)
		return -EPROTO;
	c->expires_in = (unsigned)seconds;
	/* A yes without a code is none, and a code beside a no is not handed on. */
	if ((c->decision == TENANT_ALLOWED) != (c->code && *c->code && c->user && c->expires_in))
		return -EPROTO;
	return 0;
}

_public_ int tenant_code(struct tenant *tenant, const char *user, const char *service, struct tenant_code **ret)
{
	const struct code_arguments arguments = {.user = user, .service = service};
	_cleanup_(tenant_code_freep) struct tenant_code *code = NULL;
	struct varlink_reply reply;
	struct code_box *box;
	int r;

	if (!tenant || !ret)
		return -EINVAL;
	/* Asked for twice, the second would end the first. */
	r = ask_agent(tenant, AGENT_INTERFACE "Code", CALL_ONCE, compose_code, &arguments, &reply);
	if (r < 0)
		return r;
	box = calloc(1, sizeof(*box));
	if (!box) {
		varlink_reply_finish(&reply);
		return client_fail(tenant, -ENOMEM, "out of memory");
	}
	box->root = TAKE_PTR(reply.root);
	code = &box->code;
	if (read_code(reply.parameters, code) < 0)
		return client_fail_form(tenant, "Code");
	*ret = TAKE_PTR(code);
	return 0;
}
