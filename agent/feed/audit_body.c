/* SPDX-License-Identifier: MIT */
#include "feed/audit_body.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"
#include "trail/leaf.h"

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

/* What of the groups that were read goes. */
struct span {
	uint64_t first, past;
	size_t at, length; /* in bytes */
	struct tlog_hash before;
	bool knows_before;
};

static int on_leaf(void *context, const struct group_record *record)
{
	const char *host_id = context;
	struct problem problem;
	struct leaf leaf;

	return leaf_read(record->leaf, record->leaf_length, &leaf, &problem) < 0 || !leaf.host_id[0] ||
	       text_equal(leaf.host_id, host_id);
}

/* Is all of it of a host that this one was before it was enrolled as what it is? */
static bool is_of_another(const struct group *group, const char *records, const char *host_id)
{
	struct problem problem = {0};

	return group_each(group, records, on_leaf, (void *)(uintptr_t)host_id, &problem) == 0;
}

/* How far the groups go without a hole: what comes after one needs a word of its own. */
static int measure(const struct buffer *groups, const struct note_key *key, const char *host_id, uint64_t first,
		   struct span *ret)
{
	struct row row = {groups->data, groups->length, key};
	const char *records;
	struct group group;
	int r;

	*ret = (struct span){.first = first, .past = first};
	while ((r = next_group(&row, &group, &records)) > 0) {
		bool other = group.first <= ret->past && is_of_another(&group, records, host_id);

		if (group.first > ret->past || (other && ret->length > 0))
			break;
		if (!other && group.first == ret->first) {
			ret->before = group.prev;
			ret->knows_before = true;
		}
		ret->past = group.first + group.count;
		if (other) {
			ret->first = ret->past;
			ret->at = groups->length - row.length;
		} else {
			ret->length = groups->length - row.length - ret->at;
		}
	}
	return r < 0 && ret->past == first ? r : 0;
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
		const struct audit_body_options *options, struct audit_body_skip *skip)
{
	_cleanup_(buffer_finish) struct buffer groups = BUFFER_INIT;
	const size_t bytes_max = options->bytes_max - LINES_BYTES_MAX;
	uint64_t from = next >= skip->first && next < skip->past ? skip->past : next, past;
	struct span span = {0};
	struct chain_head head;
	const char *chain;
	int r = spool_read(reader, from, bytes_max, &groups, &past);

	if (r == -ENOENT && past > from) {
		from = past;
		r = spool_read(reader, past, bytes_max, &groups, &past);
	}
	if (r < 0)
		return r;
	/* Only now, so that it is not behind what goes with it. */
	spool_reader_head(reader, &body->key, &head);
	chain = chain_of_key(&body->key);
	if (!chain)
		return -EBADMSG;
	(void)snprintf(body->chain, sizeof(body->chain), "%s", chain);
	body->at = head.sequence;
	if (r == 0)
		r = measure(&groups, &body->key, options->host_id, from, &span);
	else /* that some are missing is said with the next ones */
		body->knows_before = audit_place_hash(reader, known, next - 1, &body->before) == 0;
	if (r < 0)
		return r;
	if (r == 0 && span.length == 0 && span.past > from) {
		*skip = (struct audit_body_skip){next, span.past};
		return -EAGAIN;
	}
	body->first = body->past = next;
	if (span.length > 0) {
		body->first = span.first;
		body->past = span.past;
		body->before = span.before;
		body->knows_before = span.knows_before;
	}
	r = write_lines(body, &head, next);
	if (r == 0 && span.length > 0)
		r = buffer_add(&body->data, groups.data + span.at, span.length);
	if (r < 0)
		return r;
	return span.length > 0 ? 0 : 1;
}

int audit_body_make(struct audit_body *body, struct spool_reader *reader, uint64_t next, const struct chain_head *known,
		    const struct audit_body_options *options, struct audit_body_skip *skip)
{
	int r;

	audit_body_clear(body);
	r = make(body, reader, next, known, options, skip);
	if (r < 0)
		audit_body_clear(body);
	return r;
}
