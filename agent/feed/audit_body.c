/* SPDX-License-Identifier: MIT */
#include "feed/audit_body.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"

#define LINES_BYTES_MAX 1024U /* of the lines before the groups */

void audit_body_clear(struct audit_body *body)
{
	buffer_finish(&body->data);
	*body = (struct audit_body){0};
}

/* ---- groups in a row ----------------------------------------------------------------------------------------------
 */

struct row {
	const char *data;
	size_t length;
	const struct note_key *key;
};

/* The next group, and its records; 0 at the end. Negative: what is there is no group of this chain. */
static int next_group(struct row *row, struct group *ret, const char **ret_records)
{
	struct problem problem = {0};
	size_t records, total;
	int r;

	if (row->length == 0)
		return 0;
	r = group_read(row->data, row->length, row->key, ret, &records, &total, &problem);
	if (r != 0)
		return r < 0 ? r : -EBADMSG;
	*ret_records = row->data + records;
	row->data += total;
	row->length -= total;
	return 1;
}

static struct row row_of(const struct audit_body *body)
{
	return (struct row){body->data.data + body->groups_at, body->data.length - body->groups_at, &body->key};
}

struct search {
	uint64_t at, wanted;
	struct group_record found;
};

static int on_record(void *context, const struct group_record *record)
{
	struct search *search = context;

	if (search->at++ != search->wanted)
		return 0;
	search->found = *record;
	return 1;
}

static int find_record(const struct group *group, const char *records, uint64_t sequence, struct group_record *ret)
{
	struct search search = {.at = group->first, .wanted = sequence};
	struct problem problem = {0};
	int r;

	if (sequence < group->first || sequence - group->first >= group->count)
		return -ENODATA;
	r = group_each(group, records, on_record, &search, &problem);
	if (r != 1)
		return r < 0 ? r : -ENODATA;
	*ret = search.found;
	return 0;
}

int audit_body_hash(const struct audit_body *body, uint64_t sequence, struct tlog_hash *ret)
{
	struct row row = row_of(body);
	const char *records;
	struct group group;

	if (sequence + 1 == body->first && body->knows_before) {
		*ret = body->before;
		return 0;
	}
	while (next_group(&row, &group, &records) > 0)
		if (group.first + group.count - 1 == sequence) {
			*ret = group.head;
			return 0;
		}
	return -ENODATA;
}

int audit_body_record(const struct audit_body *body, uint64_t sequence, struct group_record *ret)
{
	struct row row = row_of(body);
	const char *records;
	struct group group;

	while (next_group(&row, &group, &records) > 0)
		if (find_record(&group, records, sequence, ret) == 0)
			return 0;
	return -ENODATA;
}

/* ---- places in the chain
 * ----------------------------------------------------------------------------------------------
 */

/* The hash before `sequence + 1`, from the group that has it. */
static int hash_in_spool(struct spool_reader *reader, const struct note_key *key, uint64_t sequence,
			 struct tlog_hash *ret)
{
	_cleanup_(buffer_finish) struct buffer data = BUFFER_INIT;
	struct group_record record;
	struct group group;
	const char *records;
	uint64_t next;
	int r = spool_read(reader, sequence + 1, 1, &data, &next);

	if (r == 1 || r == -ENOENT)
		r = sequence > 0 ? spool_read(reader, sequence, 1, &data, &next) : -ENODATA;
	if (r == 1 || r == -ENOENT)
		return -ENODATA;
	if (r < 0)
		return r;
	r = next_group(&(struct row){data.data, data.length, key}, &group, &records);
	if (r <= 0)
		return r < 0 ? r : -ENODATA;
	if (group.first == sequence + 1) {
		*ret = group.prev;
		return 0;
	}
	r = find_record(&group, records, sequence, &record);
	if (r == 0)
		*ret = record.hash;
	return r;
}

int audit_place_hash(struct spool_reader *reader, const struct chain_head *known, uint64_t sequence,
		     struct tlog_hash *ret)
{
	struct chain_head head, start;
	struct note_key key;

	spool_reader_head(reader, &key, &head);
	if (sequence == 0 && chain_start(&key, &start) == 0)
		*ret = start.hash;
	else if (head.sequence == sequence)
		*ret = head.hash;
	else if (known->sequence == sequence)
		*ret = known->hash;
	else
		return hash_in_spool(reader, &key, sequence, ret);
	return 0;
}

/* ---- making one -----------------------------------------------------------------------------------------------------
 */

/* How far the groups go without a hole: what comes after one needs a word of its own. */
static int measure(const struct buffer *groups, const struct note_key *key, uint64_t first, uint64_t *ret_past,
		   size_t *ret_length, struct tlog_hash *ret_before, bool *ret_knows)
{
	struct row row = {groups->data, groups->length, key};
	uint64_t past = first;
	const char *records;
	struct group group;
	int r;

	*ret_length = 0;
	while ((r = next_group(&row, &group, &records)) > 0) {
		if (*ret_length == 0 && group.first == first) {
			*ret_before = group.prev;
			*ret_knows = true;
		}
		if (group.first > past)
			break;
		past = group.first + group.count;
		*ret_length = groups->length - row.length;
	}
	*ret_past = past;
	return r < 0 && *ret_length == 0 ? r : 0;
}

static int write_lines(struct audit_body *body, const struct chain_head *head, uint64_t next)
{
	char vkey[NOTE_VKEY_MAX], hash[2 * SHA256_BYTES + 1];

	if (note_key_render(&body->key, vkey) < 0)
		return -EINVAL;
	text_to_hex(head->hash.bytes, sizeof(head->hash.bytes), hash);
	(void)buffer_printf(&body->data, "chain %s\nat %" PRIu64 " %s\n", vkey, head->sequence, hash);
	if (body->first > next)
		(void)buffer_printf(&body->data, "missing %" PRIu64 " %" PRIu64 "\n", next, body->first - 1);
	body->groups_at = body->data.length;
	return body->data.failed ? -ENOMEM : 0;
}

static int make(struct audit_body *body, struct spool_reader *reader, uint64_t next, const struct chain_head *known,
		size_t bytes_max)
{
	_cleanup_(buffer_finish) struct buffer groups = BUFFER_INIT;
	struct chain_head head;
	const char *chain;
	size_t length = 0;
	uint64_t past;
	int r;

	body->first = next;
	r = spool_read(reader, next, bytes_max - LINES_BYTES_MAX, &groups, &past);
	if (r == -ENOENT && past > next) {
		body->first = past;
		r = spool_read(reader, past, bytes_max - LINES_BYTES_MAX, &groups, &past);
		if (r == 1) /* that some are missing is said with the next ones */
			body->first = next;
	}
	if (r < 0)
		return r;
	/* Only now, so that it is not behind what goes with it. */
	spool_reader_head(reader, &body->key, &head);
	chain = chain_of_key(&body->key);
	if (!chain)
		return -EBADMSG;
	(void)snprintf(body->chain, sizeof(body->chain), "%s", chain);
	body->past = body->first;
	body->at = head.sequence;
	if (r == 0)
		r = measure(&groups, &body->key, body->first, &body->past, &length, &body->before, &body->knows_before);
	else
		body->knows_before = audit_place_hash(reader, known, next - 1, &body->before) == 0;
	if (r < 0)
		return r;
	r = write_lines(body, &head, next);
	if (r == 0)
		r = buffer_add(&body->data, groups.data, length);
	if (r < 0)
		return r;
	return length > 0 ? 0 : 1;
}

int audit_body_make(struct audit_body *body, struct spool_reader *reader, uint64_t next, const struct chain_head *known,
		    size_t bytes_max)
{
	int r;

	audit_body_clear(body);
	r = make(body, reader, next, known, bytes_max);
	if (r < 0)
		audit_body_clear(body);
	return r;
}
