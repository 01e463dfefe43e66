/* SPDX-License-Identifier: MIT
 *
 * A host's chain and its groups (docs/audit-log.md, "The host's chain"). Hosts write, the control plane reads.
 */
#pragma once

#include "base/buffer.h"
#include "base/problem.h"
#include "crypto/note.h"
#include "tlog/tlog.h"
#include "trail/leaf.h"

#define CHAIN_KEY_PREFIX "tenantd-audit/"
#define GROUP_RECORDS_MAX 4096U
#define GROUP_BYTES_MAX (1024U * 1024) /* of the body: one always fits into a request of 2 MiB */

/* Where a chain is: after `sequence` events, the last of which has this leaf hash. A plain value. */
struct chain_head {
	uint64_t sequence;
	struct tlog_hash hash;
};
int chain_key_init(struct note_key *ret, const char *chain, const uint8_t public[ED25519_PUBLIC_BYTES]); /* -EINVAL */
/* "tenantd-audit/<chain>" to the chain's id; NULL: another name. Borrowed from the key. */
const char *chain_of_key(const struct note_key *key);
int chain_start(const struct note_key *key, struct chain_head *ret); /* before the first event */

/* A group on its way: the note says what the body must be. Bodies are `count` records of two lines each. */
struct group {
	char chain[CHAIN_ID_CHARS + 1];
	uint64_t first;
	uint32_t count;
	struct tlog_hash prev, head;
	uint32_t bytes;
};
/* Appends the "group …" line, the note and the body. */
int group_write(const struct group *group, const struct note_key *key, const uint8_t secret[ED25519_SECRET_BYTES],
		const char *body, struct buffer *ret);
/* The next group at `data`: where its body lies, and how long all of it is. 1: only a part of it is there yet;
 * 0; -EBADMSG; -EKEYREJECTED: not signed by that key. The body is not looked into. That the first group of all follows
 * on the key is looked at; what the others follow on is for the caller. */
int group_read(const char *data, size_t length, const struct note_key *key, struct group *ret, size_t *ret_body,
	       size_t *ret_total, struct problem *problem);
/* One record of a body, in turn. */
struct group_record {
	const char *leaf, *personal; /* borrowed; no line ends, not NUL-terminated */
	size_t leaf_length, personal_length;
	struct tlog_hash hash; /* of the leaf */
};
/* The record at `*at`, which goes on behind it; the hash is left alone. False: no two lines are there. */
bool group_take_record(const char **at, const char *end, struct group_record *ret);
/* All of a body, checked for form and number, and that the last leaf's hash is the head, before the first record is
 * handed out. Whether a leaf is one, and its `prev` right, is for who reads the leaves. Non-zero of `each` stops and is
 * returned. */
int group_each(const struct group *group, const char *body,
	       int (*each)(void *context, const struct group_record *record), void *context, struct problem *problem);

/* Receipts: notes by the authority's key. */
struct receipt {
	char authority[NOTE_KEY_NAME_MAX], host_id[LEAF_ID_MAX], chain[CHAIN_ID_CHARS + 1];
	struct chain_head head; /* next - 1, and its hash */
	int64_t issued;
};
int receipt_write(const struct receipt *receipt, struct buffer *ret); /* the text alone; 0, -EINVAL, -ENOMEM */
/* By that key alone, whose name is the authority; for which host and chain is for the caller. Errors as note_verify. */
int receipt_read(const char *note, size_t length, const struct note_key *authority, struct receipt *ret,
		 struct problem *problem);
