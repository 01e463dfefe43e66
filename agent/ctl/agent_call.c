/* SPDX-License-Identifier: MIT */
#include "ctl/agent_call.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

void ctl_call_finish(struct ctl_call *call)
{
	varlink_reply_finish(&call->reply);
	varlink_client_destroy(call->client);
	call->client = NULL;
}

static int no_agent(const struct ctl_call *call, int error)
{
	struct problem problem = {0};

	problem_at(&problem, call->ctl->socket, 0, 0);
	problem_set(&problem, -error, "the agent does not answer: %s", strerror(-error));
	problem_remedy(&problem, "systemctl status tenantd");
	return ctl_fail_problem(call->ctl, CTL_BROKEN, &problem);
}

int ctl_call_begin(struct ctl_call *call, struct ctl *ctl, const char *method, bool more)
{
	char name[VARLINK_METHOD_MAX];
	int result;

	*call = (struct ctl_call){.ctl = ctl, .timeout_usec = CTL_CALL_USEC};
	result = varlink_client_connect(ctl->socket, call->timeout_usec, &call->client);
	if (result < 0)
		return no_agent(call, result);
	snprintf(name, sizeof(name), "io.tenantd.Agent.%s", method);
	varlink_call_begin(&call->writer, varlink_client_outgoing(call->client), name, more, false);
	return -1;
}

static int tell_error(const struct ctl_call *call)
{
	static const struct {
		const char *error;
		enum ctl_exit exit_code;
		const char *text, *key;
	} errors[] = {
		{VARLINK_ERROR_PERMISSION_DENIED, CTL_NO, "you may not ask this", NULL},
		{VARLINK_ERROR_INVALID_PARAMETER, CTL_USAGE, "the agent does not take this value", "parameter"},
		{VARLINK_ERROR_METHOD_NOT_FOUND, CTL_BROKEN, "the agent is of another version", "method"},
		{"io.tenantd.Agent.NotFound", CTL_NO, "there is none", "what"},
		{"io.tenantd.Agent.ReloadFailed", CTL_NO, "did not load, the last good one stays in force", "problem"},
		{"io.tenantd.Agent.EnrollFailed", CTL_NO, "not enrolled, nothing changed", "problem"},
		{"io.tenantd.Agent.Broken", CTL_BROKEN, "the agent cannot decide", "problem"},
		{"io.tenantd.Agent.TooMany", CTL_BROKEN, "the agent has too many", "limit"},
	};
	const char *detail;

	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		if (!text_equal(errors[i].error, call->reply.error))
			continue;
		if (call->expects_none && text_equal(errors[i].error, "io.tenantd.Agent.NotFound"))
			return CTL_NO;
		detail = errors[i].key ? ctl_text(call->reply.parameters, errors[i].key) : "";
		return ctl_fail(call->ctl, errors[i].exit_code, "%s%s%s", errors[i].text, detail[0] ? ": " : "",
				detail);
	}
	return ctl_fail(call->ctl, CTL_BROKEN, "the agent answered with %s", call->reply.error);
}

int ctl_call_end(struct ctl_call *call)
{
	int result = varlink_end(&call->writer, false);

	if (result >= 0)
		result = varlink_client_exchange(call->client, call->timeout_usec, &call->reply);
	if (result < 0)
		return no_agent(call, result);
	return call->reply.error ? tell_error(call) : -1;
}

int ctl_call_plain(struct ctl_call *call, struct ctl *ctl, const char *method)
{
	int result = ctl_call_begin(call, ctl, method, false);

	return result < 0 ? ctl_call_end(call) : result;
}

int ctl_call_next(struct ctl_call *call, uint64_t timeout_usec)
{
	int result;

	varlink_reply_finish(&call->reply);
	call->reply = (struct varlink_reply){0};
	result = varlink_client_next(call->client, timeout_usec, &call->reply);
	if (result < 0)
		return no_agent(call, result);
	return call->reply.error ? tell_error(call) : -1;
}

const char *ctl_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

int64_t ctl_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

int ctl_print_reply(const json_t *parameters)
{
	_cleanup_(buffer_finish) struct buffer out = BUFFER_INIT;
	_cleanup_(freep) char *text = parameters ? json_dumps(parameters, JSON_COMPACT) : NULL;

	if (buffer_add_text(&out, text ? text : "{}") < 0)
		return CTL_BROKEN;
	return ctl_print_json(&out);
}

int ctl_decision(const struct ctl *ctl, const json_t *parameters)
{
	const json_t *decision = json_object_get(parameters, "decision");
	const char *word = ctl_text(decision, "decision"), *message = ctl_text(decision, "message");

	ctl_say(ctl, "%s (%s)%s%s", word, ctl_text(decision, "reason"), message[0] ? ": " : "", message);
	if (text_equal(word, "allowed"))
		return CTL_OK;
	return text_equal(word, "denied") ? CTL_NO : CTL_BROKEN;
}
