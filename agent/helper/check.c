/* SPDX-License-Identifier: MIT */
#include "helper/check.h"

#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "records/records.h"

static const char *const words[] = {
	[HELPER_TELL] = "tell",
	[HELPER_HANG_UP_SESSION] = "hang-up-session",
	[HELPER_KILL_SESSION] = "kill-session",
	[HELPER_HANG_UP_USER] = "hang-up-user",
	[HELPER_KILL_USER] = "kill-user",
};

const char *request_verb_word(uint32_t verb)
{
	return verb < ARRAY_LEN(words) && words[verb] ? words[verb] : "unknown";
}

bool request_is_scope(const char scope[HELPER_SCOPE_MAX])
{
	size_t length = strnlen(scope, HELPER_SCOPE_MAX);

	for (size_t i = 0; i < length; i++)
		if (!(scope[i] >= '0' && scope[i] <= '9') && !(scope[i] >= 'a' && scope[i] <= 'z') &&
		    !(scope[i] >= 'A' && scope[i] <= 'Z'))
			return false;
	return length > 0 && length < HELPER_SCOPE_MAX;
}

bool request_keeps(const struct helper_request *request, const char *scope)
{
	for (uint32_t i = 0; i < request->keep_count; i++)
		if (strcmp(request->keep[i], scope) == 0)
			return true;
	return false;
}

static int refuse(const char **ret_why, const char *why, int result)
{
	*ret_why = why;
	return result;
}

int request_check(const struct helper_request *request, const char **ret_why)
{
	bool of_session = request->verb == HELPER_HANG_UP_SESSION || request->verb == HELPER_KILL_SESSION;
	bool of_user = request->verb == HELPER_HANG_UP_USER || request->verb == HELPER_KILL_USER;
	size_t text;

	if (request->magic != HELPER_MAGIC || (!of_session && !of_user && request->verb != HELPER_TELL))
		return refuse(ret_why, "malformed", -EINVAL);
	if (request->uid < MANAGED_ID_FIRST || request->uid > MANAGED_ID_TENANT_LAST)
		return refuse(ret_why, "uid-out-of-range", -EPERM);
	/* Process 1 leads no session, and a negative number means a group of processes to kill(2). */
	if (request->leader < 0 || request->leader == 1)
		return refuse(ret_why, "bad-leader", -EINVAL);
	if (request->scope[0] && !request_is_scope(request->scope))
		return refuse(ret_why, "bad-scope", -EINVAL);
	if (of_session && !request->leader && !request->scope[0])
		return refuse(ret_why, "no-session", -EINVAL);
	if (of_user && (request->leader || request->scope[0]))
		return refuse(ret_why, "session-and-user", -EINVAL);
	if (request->keep_count > (of_user ? HELPER_KEEP_MAX : 0))
		return refuse(ret_why, "bad-keep", -EINVAL);
	for (uint32_t i = 0; i < request->keep_count; i++)
		if (!request_is_scope(request->keep[i]))
			return refuse(ret_why, "bad-keep", -EINVAL);
	text = strnlen(request->text, HELPER_TEXT_MAX);
	if (text == HELPER_TEXT_MAX || !text_is_printable(request->text, text) ||
	    (request->verb == HELPER_TELL && text == 0))
		return refuse(ret_why, "bad-text", -EINVAL);
	return 0;
}
