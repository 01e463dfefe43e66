/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "client/handle.h"

struct emit_arguments {
	const char *action, *user, *project, *message, *data;
	bool success;
};

static void compose_emit(struct json_writer *w, const void *arguments)
{
	const struct emit_arguments *a = arguments;

	json_put_string(w, "action", a->action);
	json_put_string(w, "outcome", a->success ? "success" : "failure");
	json_put_string_if(w, "user", a->user);
	json_put_string_if(w, "project", a->project);
	json_put_string_if(w, "message", a->message);
	if (a->data)
		json_put_raw(w, "data", a->data, strlen(a->data));
}

/* What goes into the call as it is must be one whole object, or it could end the call early. */
static bool is_object(const char *text)
{
	_cleanup_(json_decrefp) json_t *value = NULL;
	struct problem problem;

	return json_read(text, strlen(text), &value, &problem) == 0 && json_is_object(value);
}

_public_ int tenant_emit(struct tenant *tenant, const char *action, int outcome_success, const char *user,
			 const char *project, const char *message, const char *data_json)
{
	const struct emit_arguments arguments = {
		.action = action,
		.user = user,
		.project = project,
		.message = message,
		.data = data_json,
		.success = outcome_success,
	};
	struct varlink_reply reply;
	int r;

	if (!tenant)
		return -EINVAL;
	if (!action || !action[0] || outcome_success < 0 || outcome_success > 1)
		return client_fail(tenant, -EINVAL, "an action is needed, and 0 or 1 for its outcome");
	if (data_json && !is_object(data_json))
		return client_fail(tenant, -EINVAL, "the data of an event must be one JSON object");
	r = ask_agent(tenant, AGENT_INTERFACE "Emit", CALL_ONCE, compose_emit, &arguments, &reply);
	if (r < 0)
		return r;
	varlink_reply_finish(&reply);
	return 0;
}
