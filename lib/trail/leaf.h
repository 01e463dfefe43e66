/* SPDX-License-Identifier: MIT
 *
 * What is read out of a leaf: of the host, of its chain, whom it is about (docs/audit-log.md, "A record"). Strict: one
 * line of JSON without duplicates, no control characters, all that every leaf must have, and numbers that fit one
 * another. What an event says beside that is not looked at.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/problem.h"
#include "crypto/digest.h"

#define LEAF_BYTES_MAX 16384U
#define LEAF_PERSONS_MAX 4U
#define LEAF_ID_MAX 64U    /* of events, tenants, hosts, persons; with NUL */
#define LEAF_KIND_MAX 64U  /* with NUL */
#define CHAIN_ID_CHARS 16U /* base62 */

enum leaf_outcome { LEAF_UNKNOWN, LEAF_SUCCESS, LEAF_FAILURE }; /* OCSF status_id 0 or 99, 1, 2 */

/* Which host wrote it, and where it stands in its chain. */
struct leaf_link {
	char chain[CHAIN_ID_CHARS + 1];
	char boot[33]; /* of the boot: 32 hex digits */
	uint64_t sequence;
	uint8_t prev[SHA256_BYTES];
};
struct leaf {
	char id[LEAF_ID_MAX];
	char kind[LEAF_KIND_MAX];
	char tenant_id[LEAF_ID_MAX];  /* "": the platform's */
	char host_id[LEAF_ID_MAX];    /* device.uid; "": it does not say */
	char project_id[LEAF_ID_MAX]; /* unmapped.project_id; "" */
	char actor[LEAF_ID_MAX];      /* actor.user.uid, else user.uid; "" */
	uint32_t class_uid, activity_id, severity_id;
	enum leaf_outcome outcome;
	int64_t time_ms;
	bool linked; /* has a link: a host's */
	struct leaf_link link;
	uint32_t person_count;
	struct {
		char person[LEAF_ID_MAX];
		uint8_t commitment[SHA256_BYTES];
	} persons[LEAF_PERSONS_MAX];
};
/* 0, -EBADMSG with the problem, -ENOMEM. */
int leaf_read(const char *text, size_t length, struct leaf *ret, struct problem *problem);

/* Personal data of one person. */
#define SALT_BYTES 32U
#define PATCH_BYTES_MAX 16384U
#define PERSONAL_BYTES_MAX (160U * 1024) /* the line: four patches of which every byte is escaped */
struct personal {
	char person[LEAF_ID_MAX];
	uint8_t salt[SALT_BYTES];
	/* Owned, secret. A JSON object as clean as a leaf, and none that changes what leaf_read reads. */
	char *patch;
};
struct personal_list {
	uint32_t count;
	struct personal items[LEAF_PERSONS_MAX];
};
void personal_finish(struct personal_list *list); /* wipes */
int personal_commitment(const uint8_t salt[SALT_BYTES], const char *patch, size_t length, uint8_t ret[SHA256_BYTES]);
/* The second line of a record. 0; -EBADMSG: not of the form, or not what the leaf's commitments say. */
int personal_read(const char *text, size_t length, const struct leaf *leaf, struct personal_list *ret,
		  struct problem *problem);
/* One of them, an object of that form, as the one in this place of the leaf. */
int personal_read_one(json_t *item, const struct leaf *leaf, uint32_t place, struct personal *ret,
		      struct problem *problem);
struct buffer;
int personal_write(const struct personal_list *list, struct buffer *ret); /* appends the line, without its end */
/* The event as a whole: the leaf with patches merged into it (RFC 7396), a new reference; NULL: -ENOMEM or not JSON. */
json_t *leaf_merge(const char *text, size_t length, const struct personal_list *list);
