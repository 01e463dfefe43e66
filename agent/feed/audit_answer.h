/* SPDX-License-Identifier: MIT
 *
 * What the control plane answers to audit events, and whether its receipt says what this host sent.
 */
#pragma once

#include <jansson.h>

#include "feed/audit_body.h"

struct audit_answer {
	uint64_t next;         /* the first that it has not */
	struct tlog_hash hash; /* of the one before */
	const char *receipt;   /* borrowed from the JSON; NULL: there is none */
	bool forked;           /* it takes nothing more of this chain */
};
/* Of 200 and of 409; members beside these are skipped, since problem documents have some. *ret_json is the caller's.
 * 0, -EBADMSG. */
int audit_answer_read(const char *body, size_t length, json_t **ret_json, struct audit_answer *ret);
/* 0, or negative with the problem: -ESTALE: it is about more than this host has, and the authority's word for that;
 * -ERANGE: about less than it had a receipt for; else it is not by `authority` (NULL: none is known), not about this
 * host, this chain, or what was sent. */
int audit_answer_receipt(const struct audit_answer *answer, const struct audit_body *sent,
			 const struct note_key *authority, const char *host_id, struct receipt *ret,
			 struct problem *problem);
