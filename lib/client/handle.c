/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "client/handle.h"

#define ERROR_TEXT_MAX 320
#define TIMEOUT_MAX_MSEC (24U * 3600U * 1000U)

/* A handle's error text belongs to the thread that made the call: another thread's call on the same
 * handle must not change it while it is read. One text a thread is enough, since it lasts until the
 * thread's next call; the serial says whose it is. */
static _Thread_local struct {
	uint64_t serial;
	char text[ERROR_TEXT_MAX];
} last_error;

_public_ int tenant_new(const char *socket_path, struct tenant **ret)
{
	static atomic_uint_fast64_t serials;
	struct tenant *tenant;
	int r;

	if (!ret)
		return -EINVAL;
	if (!socket_path)
		socket_path = TENANT_SOCKET_PATH;
	if (socket_path[0] != '/')
		return -EINVAL;

	tenant = calloc(1, sizeof(*tenant));
	if (!tenant)
		return -ENOMEM;
	tenant->path = strdup(socket_path);
	if (!tenant->path) {
		free(tenant);
		return -ENOMEM;
	}
	r = pthread_mutex_init(&tenant->lock, NULL);
	if (r != 0) {
		free(tenant->path);
		free(tenant);
		return -r;
	}
	tenant->serial = atomic_fetch_add(&serials, 1) + 1;
	tenant->timeout_msec = TENANT_TIMEOUT_DEFAULT_MSEC;
	*ret = tenant;
	return 0;
}

_public_ void tenant_set_timeout(struct tenant *tenant, unsigned milliseconds)
{
	__atomic_store_n(&tenant->timeout_msec, MIN_OF(MAX_OF(milliseconds, 1U), TIMEOUT_MAX_MSEC), __ATOMIC_RELAXED);
}

unsigned client_timeout(const struct tenant *tenant)
{
	return __atomic_load_n(&tenant->timeout_msec, __ATOMIC_RELAXED);
}

_public_ const char *tenant_error(const struct tenant *tenant)
{
	return tenant && last_error.serial == tenant->serial ? last_error.text : "";
}

void client_error_clear(const struct tenant *tenant)
{
	last_error.serial = tenant->serial;
	last_error.text[0] = '\0';
}

int client_fail(const struct tenant *tenant, int error, const char *format, ...)
{
	va_list list;

	last_error.serial = tenant->serial;
	va_start(list, format);
	vsnprintf(last_error.text, sizeof(last_error.text), format, list);
	va_end(list);
	return error;
}

int client_fail_form(const struct tenant *tenant, const char *method)
{
	return client_fail(tenant, -EPROTO, "the agent's answer to %s is not of the form that its interface promises",
			   method);
}

/* The agent's words about an error reply, from whichever member its interface gives them. */
static const char *error_detail(const struct varlink_reply *reply)
{
	static const char *const members[] = {"problem", "what", "limit", "parameter", "method", "interface"};
	size_t i;

	for (i = 0; i < ARRAY_LEN(members); i++) {
		const char *text = json_string_value(json_object_get(reply->parameters, members[i]));

		if (text && text[0])
			return text;
	}
	return "";
}

int client_fail_reply(const struct tenant *tenant, const struct varlink_reply *reply)
{
	static const struct {
		const char *name;
		int error;
		const char *text;
	} errors[] = {
		{VARLINK_ERROR_PERMISSION_DENIED, -EACCES, "the agent does not let this caller ask that"},
		{VARLINK_ERROR_INVALID_PARAMETER, -EINVAL, "the agent does not accept a parameter"},
		{VARLINK_ERROR_METHOD_NOT_FOUND, -EOPNOTSUPP, "the agent does not know this call"},
		{VARLINK_ERROR_INTERFACE_NOT_FOUND, -EOPNOTSUPP, "the agent does not know this call"},
		{VARLINK_ERROR_METHOD_NOT_IMPLEMENTED, -EOPNOTSUPP, "the agent does not have this call"},
		{AGENT_INTERFACE "NotFound", -ENODATA, "there is no such record"},
		{AGENT_INTERFACE "Broken", -EIO, "the agent cannot decide"},
		{AGENT_INTERFACE "TooMany", -EBUSY, "this caller asks the agent for too much at once"},
	};
	const char *detail = error_detail(reply);
	size_t i;

	for (i = 0; i < ARRAY_LEN(errors); i++)
		if (strcmp(reply->error, errors[i].name) == 0)
			return client_fail(tenant, errors[i].error, "%s%s%.200s", errors[i].text, detail[0] ? ": " : "",
					   detail);
	return client_fail(tenant, -EPROTO, "the agent answered with the unknown error %.128s", reply->error);
}
