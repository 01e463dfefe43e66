/* SPDX-License-Identifier: MIT
 *
 * Who gets a one-time code, and what one is worth at a prompt.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "audit/user_event.h"
#include "base/clock.h"
#include "base/secret.h"
#include "base/text.h"
#include "login/book.h"
#include "login/codes.h"
#include "login/standing.h"

#define NOT_ACCEPTED "The code was not accepted. It is good once and for a short while; get a new one."
#define NOT_FOR_SUDO "One-time codes do not prove anything to sudo; give an API key or sign in again."

/* A right that is more than being here: there a code would be worth more than the session it came from. */
static bool takes_codes(const char *service)
{
	return strcmp(service_rule(service)->action, "host.login") == 0;
}

const char *login_code_check(struct login_book *book, const struct directory *d, const struct user_record *user,
			     struct login_entry *entry, const char *text, size_t length, uint64_t now_usec,
			     int64_t realtime, struct credential_result *result, const char **ret_detail)
{
	struct code_used used = {0};
	enum code_outcome outcome;

	if (!takes_codes(entry->service)) { /* not even looked at, so it is still good where it is */
		result->reason = REASON_CREDENTIAL_UNSUPPORTED;
		*ret_detail = "one-time codes are not taken here";
		return NOT_FOR_SUDO;
	}
	outcome = codes_use(login_book_codes(book), user, entry->service, text, length, now_usec, &used);
	if (*used.name)
		(void)snprintf(result->name, sizeof(result->name), "%s", used.name);
	/* It goes on as what it came from: the account stage asks that key's scope about this place. */
	if (outcome == CODE_RIGHT && *used.origin &&
	    credential_stands(book, d, user, used.origin, "", realtime, &result->key) != REASON_ALLOWED)
		outcome = CODE_ENDED;
	*ret_detail = code_outcome_text(outcome);
	result->reason = outcome == CODE_RIGHT    ? REASON_ALLOWED
			 : outcome == CODE_BROKEN ? REASON_BROKEN
						  : REASON_CODE_WRONG;
	if (outcome == CODE_RIGHT) {
		result->user = user;
		memcpy(entry->proof, used.origin, sizeof(entry->proof));
	}
	return outcome == CODE_RIGHT ? NULL : NOT_ACCEPTED;
}

static void refuse(struct code_verdict *verdict, enum reason reason, const char *message)
{
	verdict->reason = reason;
	(void)snprintf(verdict->message, sizeof(verdict->message), "%s", message ? message : reason_text(reason));
}

/* Of whom nobody trusts with others' codes: they must be here by something that is worth more than a code. A process
 * that is in no session (cron, a lingering service, a tmux that outlived its session) may be anything. */
static bool may_from_here(const struct login_book *book, const struct directory *d, const struct code_request *request,
			  int64_t realtime, struct code_verdict *verdict)
{
	bool own = request->session_user_id && text_equal(request->session_user_id, request->user->id);
	const char *credential = own ? request->session_credential : NULL;
	const struct key_record *key;
	enum reason reason;

	if (request->trusted)
		return true;
	if (credential && text_starts(credential, CODE_NAME_PREFIX)) {
		refuse(verdict, REASON_NOT_PERMITTED,
		       "this session itself began with a one-time code; sign in otherwise to make another");
		return false;
	}
	reason = credential ? credential_stands(book, d, request->user, credential, "", realtime, &key)
			    : REASON_CREDENTIAL_UNSUPPORTED;
	if (reason == REASON_CREDENTIAL_UNSUPPORTED)
		refuse(verdict, REASON_NOT_PERMITTED,
		       "one-time codes are made from within a session: sign in, and ask from there");
	else if (reason != REASON_ALLOWED)
		refuse(verdict, reason, NULL);
	return reason == REASON_ALLOWED;
}

static void write_event(struct login_book *book, const struct directory *d, const struct code_request *request,
			const struct code_verdict *verdict)
{
	struct login_origin origin = {.user = request->user->login, .service = request->service};
	struct audit_event event = login_event(d, &origin, request->user);

	event.kind = verdict->reason == REASON_ALLOWED ? AUDIT_CODE_MADE : AUDIT_CODE_REFUSED;
	event.reason = verdict->reason;
	event.credential = verdict->made.name;
	event.host_session = request->session_id;
	event.detail = verdict->reason == REASON_ALLOWED ? NULL : verdict->message;
	audit_about_caller(&event, d, request->caller_uid, request->caller_pid);
	audit_write(login_book_audit(book), &event);
}

void login_make_code(struct login_book *book, const struct directory *d, const struct code_request *request,
		     uint64_t now_usec, int64_t realtime, struct code_verdict *ret)
{
	struct policy_request question = {
		.user = request->user,
		.action = "host.login",
		.service = request->service,
		.implied = !*request->service, /* any: no rule about services can be asked yet */
		.local = true,                 /* where it will be typed nobody knows yet: that place is judged then */
		.now = realtime,
		.freshness = login_book_freshness(book),
		.host_hours = login_book_hours(book),
		.boot_now = now_usec,
		/* What they ended reaches no further, also while a process of it still runs. */
		.sign_in_ended = !request->trusted && request->session_credential &&
				 request->user->sessions_valid_from > request->session_valid_from,
	};
	struct policy_decision decision;
	struct code_verdict verdict = {.reason = REASON_BROKEN};
	int r;

	policy_decide(d, &question, &decision);
	if (!takes_codes(request->service))
		refuse(&verdict, REASON_CREDENTIAL_UNSUPPORTED, NOT_FOR_SUDO);
	else if (decision.reason != REASON_ALLOWED)
		refuse(&verdict, decision.reason, NULL);
	else if (may_from_here(book, d, request, realtime, &verdict)) {
		r = codes_make(login_book_codes(book), request->user, request->service,
			       request->trusted ? "" : request->session_credential, now_usec + request->lifetime_usec,
			       now_usec, &verdict.made);
		if (r == 0)
			verdict.reason = REASON_ALLOWED;
		else
			refuse(&verdict, REASON_BROKEN,
			       r == -ENOSPC ? "as many codes wait to be used as this host keeps; try again in a while"
					    : NULL);
	}
	write_event(book, d, request, &verdict);
	*ret = verdict;
	secret_wipe(&verdict, sizeof(verdict));
}

void login_drop_code(struct login_book *book, const char *user_id)
{
	codes_drop(login_book_codes(book), user_id);
}
