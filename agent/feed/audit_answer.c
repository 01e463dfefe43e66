/* SPDX-License-Identifier: MIT */
#include "feed/audit_answer.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "json/json_read.h"

int audit_answer_read(const char *body, size_t length, json_t **ret_json, struct audit_answer *ret)
{
	struct problem problem = {0};
	const json_t *next;
	const char *head;

	if (json_read(body, length, ret_json, &problem) < 0 || !json_is_object(*ret_json))
		return -EBADMSG;
	next = json_object_get(*ret_json, "next");
	head = json_string_value(json_object_get(*ret_json, "head"));
	ret->receipt = json_string_value(json_object_get(*ret_json, "receipt"));
	if (!json_is_integer(next) || json_integer_value(next) < 1 || !head ||
	    text_from_hex(head, ret->hash.bytes, sizeof(ret->hash.bytes)) < 0)
		return -EBADMSG;
	ret->forked = json_is_true(json_object_get(*ret_json, "forked"));
	ret->next = (uint64_t)json_integer_value(next);
	return 0;
}

int audit_answer_receipt(const struct audit_answer *answer, const struct audit_body *sent,
			 const struct note_key *authority, const char *host_id, struct receipt *ret,
			 struct problem *problem)
{
	struct tlog_hash own;
	int r;

	if (!answer->receipt)
		return problem_set(problem, EBADMSG, "the control plane took events and gave no receipt");
	if (!authority)
		return problem_set(problem, ENOKEY, "a receipt cannot be checked: this host knows no authority key");
	r = receipt_read(answer->receipt, strlen(answer->receipt), authority, ret, problem);
	if (r < 0)
		return r;
	if (!text_equal(ret->authority, authority->name))
		return problem_set(problem, EBADMSG, "a receipt of another authority");
	if (!text_equal(ret->host_id, host_id))
		return problem_set(problem, EBADMSG, "a receipt for another host");
	if (!text_equal(ret->chain, sent->chain))
		return problem_set(problem, EBADMSG, "a receipt for another chain");
	if (ret->head.sequence + 1 != answer->next || !tlog_hash_equal(&ret->head.hash, &answer->hash))
		return problem_set(problem, EBADMSG, "the receipt says something else than the answer around it");
	if (ret->head.sequence > sent->at)
		return problem_set(problem, ESTALE,
				   "the control plane has this host's chain up to event %" PRIu64
				   ", and here it ends at %" PRIu64,
				   ret->head.sequence, sent->at);
	if (ret->head.sequence + 1 < sent->first)
		return problem_set(problem, ERANGE,
				   "a receipt for event %" PRIu64 " alone, where events from %" PRIu64 " on were sent",
				   ret->head.sequence, sent->first);
	if (audit_body_hash(sent, ret->head.sequence, &own) < 0)
		return problem_set(problem, EBADMSG, "a receipt for event %" PRIu64 ", which was not sent",
				   ret->head.sequence);
	if (!tlog_hash_equal(&own, &ret->head.hash))
		return problem_set(problem, EBADMSG,
				   "a receipt for event %" PRIu64 " with another hash than that event has",
				   ret->head.sequence);
	return 0;
}
