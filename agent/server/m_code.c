/* SPDX-License-Identifier: MIT
 *
 * One-time sign-in codes: Code.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "base/text.h"
#include "login/codes.h"
#include "login/services.h"
#include "server/call.h"
#include "server/internal.h"
#include "session/place.h"

struct code_call {
	const char *user, *service;
};

static const struct json_field code_fields[] = {
	{"user", JSON_FIELD_STRING, offsetof(struct code_call, user), JSON_FIELD_NULLABLE},
	{"service", JSON_FIELD_STRING, offsetof(struct code_call, service), JSON_FIELD_NULLABLE},
};

int call_place(const struct call *call, uint32_t uid, struct place *ret)
{
	int pidfd = peer_pidfd(call->connection->fd), r;

	*ret = (struct place){0};
	if (pidfd < 0 && pidfd != -EOPNOTSUPP)
		return -ESRCH; /* an older kernel has only the pid, and the connection shows that somebody is there */
	r = place_find(call->parts->sessions, call->connection->peer.pid, pidfd < 0 ? -1 : pidfd, uid,
		       service_place_rule, ret);
	if (pidfd >= 0)
		close(pidfd);
	return r;
}

static int reply_code(struct call *call, const struct code_request *request, struct code_verdict *verdict)
{
	struct json_writer *w = call_reply(call);

	call->connection->out.wipe = true;
	put_decision(w, "decision", verdict->reason, verdict->message[0] ? verdict->message : NULL);
	if (verdict->reason == REASON_ALLOWED) {
		json_put_string(w, "code", verdict->made.text);
		json_put_string(w, "user", request->user->login);
		json_put_string_if(w, "service", request->service);
		json_put_u64(w, "expires_in", request->lifetime_usec / USEC_PER_SEC);
	}
	secret_wipe(verdict, sizeof(*verdict));
	return call_reply_end(call, false);
}

int m_code(struct call *call)
{
	struct code_call p = {.service = ""};
	struct code_verdict verdict;
	struct code_request request;
	const struct directory *d = call->parts->directory;
	const struct user_record *caller, *user;
	struct place place = {0};
	const struct session *session;

	if (call_parameters(call, code_fields, ARRAY_LEN(code_fields), &p) < 0)
		return 0;
	if (*p.service && !text_is_word(p.service))
		return call_invalid(call, "service");
	if (!d)
		return call_broken(call, NULL);
	caller = directory_user_by_uid(d, call_uid(call));
	user = p.user ? directory_user_by_login(d, p.user) : caller;
	/* Whether somebody else exists is not told. */
	if (!call->trusted && (p.user || !caller) && (!user || user != caller))
		return call_refuse(call, "asked for somebody else's sign-in code");
	if (!user)
		return call_error(call, AGENT_ERROR_NOT_FOUND, "what", "user");
	if (!call->trusted &&
	    !bucket_take(&call->connection->caller->codes, CODES_BURST, CODES_EVERY_USEC, call->now_usec))
		return call_error(call, AGENT_ERROR_TOO_MANY, "limit", "codes in a minute");
	if (!call->trusted)
		(void)call_place(call, call_uid(call), &place);
	/* One that is being ended has seconds to live, and a code would outlive it. */
	session = place.session && !place.session->ending ? place.session : NULL;
	request = (struct code_request){
		.user = user,
		.service = p.service,
		.lifetime_usec = call->parts->config->code_lifetime_sec * USEC_PER_SEC,
		.caller_uid = call_uid(call),
		.caller_pid = (uint32_t)call->connection->peer.pid,
		.session_credential = session ? session->credential : NULL,
		.session_id = session ? session->id : NULL,
		.session_user_id = session ? session->user_id : NULL,
		.session_valid_from = session ? session->sign_in.valid_from : 0,
		.trusted = call->trusted,
	};
	login_make_code(call->parts->logins, d, &request, call->now_usec, call->realtime, &verdict);
	return reply_code(call, &request, &verdict);
}
