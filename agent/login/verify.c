/* SPDX-License-Identifier: MIT
 *
 * Keys that local services are shown: whose, and may they?
 */
#include <stdio.h>
#include <string.h>

#include "audit/user_event.h"
#include "base/macros.h"
#include "base/parse.h"
#include "base/text.h"
#include "login/book.h"

#define CODES_ARE_FOR_PROMPTS \
	"one-time codes sign people in at a prompt, once; services ask for an API key or an access token"

static bool is_set(const char *text)
{
	return text && *text;
}

/* The credential is good: may its owner do what was asked? */
static void decide(struct login_book *book, const struct directory *d, const struct credential_check *check,
		   uint64_t now_usec, int64_t realtime, struct credential_verdict *verdict)
{
	struct policy_request request = {
		.user = verdict->user,
		.key = verdict->key,
		.action = check->action,
		.service = check->service,
		.now = realtime,
		.freshness = login_book_freshness(book),
		.boot_now = now_usec,
	};
	struct policy_decision decision;

	if (is_set(check->source))
		request.has_source = parse_address(check->source, &request.source) == 0;
	if (is_set(check->project)) {
		request.project = directory_project_by_name(d, check->project);
		if (!request.project) {
			verdict->reason = REASON_UNKNOWN_PROJECT;
			return;
		}
	}
	policy_decide(d, &request, &decision);
	verdict->reason = decision.reason;
	verdict->tenant = decision.tenant;
	verdict->project = decision.project;
	verdict->role = decision.role;
	verdict->stale = decision.stale;
	if (decision.reason == REASON_ALLOWED && verdict->key)
		policy_key_warning(d, verdict->key, realtime, verdict->warning, sizeof(verdict->warning));
}

/* What somebody says who is trusted with nothing is no news: of them only their own credential is, and there
 * neither service nor source, which they could invent without end (each a group of its own in the audit). What
 * else they show is a refused call, which the caller of this file counts. */
static void write_use(struct login_book *book, const struct directory *d, const struct credential_check *check,
		      const struct credential_verdict *verdict, const char *credential, const char *detail)
{
	bool trusted = check->trusted;
	struct login_origin origin = {.user = "",
				      .service = trusted && check->service ? check->service : "",
				      .source = trusted && check->source ? check->source : "",
				      .terminal = "",
				      .requesting_user = ""};
	struct audit_event event = login_event(d, &origin, verdict->user);

	if (!trusted && (!verdict->user || verdict->user->uid != check->caller_uid))
		return;
	event.kind = verdict->reason == REASON_ALLOWED ? AUDIT_KEY_USED : AUDIT_KEY_REFUSED;
	event.reason = verdict->reason;
	event.action = check->action;
	event.credential = credential;
	event.detail = detail;
	audit_about_project(&event, verdict->project);
	if (!verdict->project)
		event.project = check->project;
	event.role = verdict->role;
	event.stale = verdict->stale;
	audit_about_caller(&event, d, check->caller_uid, 0);
	event.count = 1;
	audit_write(login_book_audit(book), &event);
}

void credential_verify(struct login_book *book, const struct directory *d, const struct credential_check *check,
		       uint64_t now_usec, int64_t realtime, struct credential_verdict *ret)
{
	struct credential_verdict verdict = {.reason = REASON_BROKEN};
	struct throttle_key key =
		throttle_key_caller(check->caller_uid, check->trusted && check->source ? check->source : "");
	struct throttle *throttle = login_book_throttle(book);
	struct credential_result result = {.reason = REASON_BROKEN};
	struct throttle_state state = {0};
	struct credential_providers providers;
	struct credential_context context;

	if (!d) {
		*ret = verdict;
		return;
	}
	/* A right key passes whatever failed before it: many clients may share one address (a proxy, NAT), or have
	 * none, and one who guesses must not shut out the others. Only what fails is answered with the wait. */
	context = login_credentials(book, d, realtime, &providers);
	credential_check(&context, check->credential, check->length, &result);
	verdict.reason = result.reason;
	/* To check a one-time code is to use it up, and a service would have a yes that nobody else can repeat: where
	 * somebody signs in by it, that is a matter between them and PAM. It was not looked at. */
	if (result.type == CREDENTIAL_CODE)
		verdict.message = CODES_ARE_FOR_PROMPTS;
	if (result.reason == REASON_ALLOWED) {
		throttle_succeeded(throttle, &key, now_usec);
		verdict.user = result.user;
		verdict.key = result.key;
		verdict.tenant = directory_tenant(d, result.user->tenant_id);
		decide(book, d, check, now_usec, realtime, &verdict);
	} else if (!reason_is_broken(result.reason)) {
		throttle_ask(throttle, &key, now_usec, &state);
		if (state.wait_usec > 0)
			verdict.reason = REASON_TOO_MANY_ATTEMPTS;
		else
			throttle_failed(throttle, &key, now_usec, &(struct throttle_state){0});
	}
	/* One event for each waiting time. */
	if (verdict.reason != REASON_TOO_MANY_ATTEMPTS)
		write_use(book, d, check, &verdict, result.name, result.detail);
	else if (state.first)
		write_use(book, d, check, &verdict, NULL, NULL);
	*ret = verdict;
}
