/* SPDX-License-Identifier: MIT
 *
 * What a host sends of its chain (docs/audit-log.md, "Sending and receipts"): taken apart, and judged against what is
 * known of that chain. Knows no database.
 */
#pragma once

#include "base/problem.h"
#include "trail/chain.h"

#define SENT_RECORDS_MAX 8192U /* events have some hundred bytes; what is smaller is none */

struct sent_group {
	struct group group;
	const char *body; /* borrowed from what was sent */
};
struct sent {
	struct note_key key;
	char vkey[NOTE_VKEY_MAX];
	char chain[CHAIN_ID_CHARS + 1];
	struct chain_head at; /* how far the host says it is */
	bool missing;         /* `missing_first` to `missing_last` are not on the host any more */
	uint64_t missing_first, missing_last;
	struct sent_group *groups; /* each signed by the key, and following on the one before by number */
	uint32_t group_count, record_count;
};
/* 0; -EBADMSG with the problem: malformed, or not signed by that key; -ENOMEM. */
int sent_read(const char *data, size_t length, struct sent *ret, struct problem *problem);
void sent_finish(struct sent *sent);

/* What is known of a chain. */
struct chain_known {
	struct chain_head head;
	/* How far the host said that it is: bound since then. `sequence` 0: nothing. */
	struct chain_head announced;
};
struct judged_record {
	const char *text; /* of the leaf; borrowed */
	size_t length;
	uint64_t sequence;
	struct tlog_hash hash;
	struct leaf leaf;              /* only where it is in order */
	struct personal_list personal; /* … and these are, too */
	const char *why;               /* not in order: what is wrong with it. Literal; NULL: nothing … */
	const char *why_personal;      /* … and with its personal data */
};
enum judgement {
	JUDGED_FINE,
	JUDGED_GAP,    /* does not follow on what is known, and does not say why */
	JUDGED_FORKED, /* another history */
};
struct judged {
	enum judgement judgement;
	const char *why;        /* literal; NULL for JUDGED_FINE */
	struct chain_known now; /* with all that was taken */
	uint64_t repeated;
	bool missing;                  /* what was said to be missing was passed over */
	struct judged_record *records; /* the new ones, in order */
	uint32_t count;
};
/* `known`: as of now; `host_id`: who sends. 0 with the judgement; -EBADMSG: a body that is not what its note says;
 * -ENOMEM, -EIO. */
int sent_judge(const struct sent *sent, const struct chain_known *known, const char *host_id, struct judged *ret,
	       struct problem *problem);
void judged_finish(struct judged *judged);
