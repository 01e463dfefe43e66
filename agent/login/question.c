/* SPDX-License-Identifier: MIT */
#include "login/question.h"

#include "base/parse.h"
#include "login/book.h"

struct policy_request login_question(const struct login_book *book, const struct service_rule *rule,
				     const struct login_origin *origin, uint64_t now_usec, int64_t realtime)
{
	struct policy_request request = {
		.action = rule->action,
		.service = origin->service,
		.local = service_place(rule, origin->source, origin->terminal) != SERVICE_NETWORK,
		.implied = rule->implied,
		.now = realtime,
		.freshness = login_book_freshness(book),
		.host_hours = login_book_hours(book),
		.boot_now = now_usec,
	};

	if (rule->place != SERVICE_LOCAL && *origin->source)
		request.has_source = parse_address(origin->source, &request.source) == 0;
	return request;
}

enum reason login_key_scope(const struct login_book *book, const struct directory *d, const struct service_rule *rule,
			    const struct login_origin *origin, const struct user_record *user,
			    const struct key_record *key, uint64_t now_usec, int64_t realtime)
{
	struct policy_request request = login_question(book, rule, origin, now_usec, realtime);
	struct policy_decision decision;

	request.user = user;
	request.key = key;
	policy_decide(d, &request, &decision);
	switch ((int)decision.reason) {
	case REASON_KEY_SCOPE_PROJECT:
	case REASON_KEY_SCOPE_ACTION:
	case REASON_KEY_SCOPE_SERVICE:
	case REASON_KEY_SCOPE_SOURCE:
		return decision.reason;
	default:
		return REASON_ALLOWED;
	}
}
