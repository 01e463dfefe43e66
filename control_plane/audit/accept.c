/* SPDX-License-Identifier: MIT
 *
 * A group is taken or refused as a whole, by its signature and its place. An event in it that is not in order is taken,
 * too: it has been chained and signed, and those behind it are not to blame.
 */
#include "control_plane/audit/accept.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/text.h"

#define LINE_BYTES_MAX (NOTE_VKEY_MAX + 16U)

/* ---- taking it apart ------------------------------------------------------------------------------------------------
 */

/* "<word> <value>"; *data moves past it. */
static int take_value(const char **data, const char *end, const char *word, char value[LINE_BYTES_MAX],
		      struct problem *problem)
{
	const char *stop = memchr(*data, '\n', MIN_OF((size_t)(end - *data), (size_t)LINE_BYTES_MAX));
	size_t length = strlen(word);

	if (!stop || (size_t)(stop - *data) <= length || memcmp(*data, word, length) != 0 || (*data)[length] != ' ' ||
	    memchr(*data, '\0', (size_t)(stop - *data)))
		return problem_set(problem, EBADMSG, "there is no line \"%s …\" where it belongs", word);
	length++;
	memcpy(value, *data + length, (size_t)(stop - *data) - length);
	value[(size_t)(stop - *data) - length] = '\0';
	*data = stop + 1;
	return 0;
}

static int read_key(const char **data, const char *end, struct sent *sent, struct problem *problem)
{
	char value[LINE_BYTES_MAX];
	const char *chain;
	int r = take_value(data, end, "chain", value, problem);

	if (r < 0)
		return r;
	if (note_key_parse(value, strlen(value), &sent->key) < 0 || strlen(value) >= sizeof(sent->vkey))
		return problem_set(problem, EBADMSG, "\"chain\" is not a key");
	chain = chain_of_key(&sent->key);
	if (!chain)
		return problem_set(problem, EBADMSG, "\"chain\" is not the key of a chain");
	memcpy(sent->vkey, value, strlen(value) + 1);
	memcpy(sent->chain, chain, sizeof(sent->chain));
	return 0;
}

static int read_at(const char **data, const char *end, struct sent *sent, struct problem *problem)
{
	char value[LINE_BYTES_MAX], *space;
	int r = take_value(data, end, "at", value, problem);

	if (r < 0)
		return r;
	space = strchr(value, ' ');
	if (space)
		*space++ = '\0';
	if (!space || parse_u64(value, &sent->at.sequence) < 0 || sent->at.sequence >= INT64_MAX ||
	    strlen(space) != 2 * SHA256_BYTES || text_from_hex(space, sent->at.hash.bytes, SHA256_BYTES) < 0)
		return problem_set(problem, EBADMSG, "\"at\" is not a number and a hash");
	return 0;
}

static int read_missing(const char **data, const char *end, struct sent *sent, struct problem *problem)
{
	char value[LINE_BYTES_MAX], *space;
	int r;

	if (*data == end || **data != 'm')
		return 0;
	r = take_value(data, end, "missing", value, problem);
	if (r < 0)
		return r;
	space = strchr(value, ' ');
	if (space)
		*space++ = '\0';
	if (!space || parse_u64(value, &sent->missing_first) < 0 || parse_u64(space, &sent->missing_last) < 0 ||
	    sent->missing_first == 0 || sent->missing_last < sent->missing_first || sent->missing_last >= INT64_MAX)
		return problem_set(problem, EBADMSG, "\"missing\" is not two numbers");
	sent->missing = true;
	return 0;
}

static int add_group(struct sent *sent, uint32_t *room, const struct group *group, const char *body,
		     struct problem *problem)
{
	const struct group *last = sent->group_count > 0 ? &sent->groups[sent->group_count - 1].group : NULL;

	if (last && (group->first != last->first + last->count || !tlog_hash_equal(&group->prev, &last->head)))
		return problem_set(problem, EBADMSG, "a group does not follow on the one before it");
	if (sent->record_count + group->count > SENT_RECORDS_MAX)
		return problem_set(problem, EBADMSG, "more than %u events", SENT_RECORDS_MAX);
	if (!sent->groups || sent->group_count == *room) {
		struct sent_group *groups;

		*room = MAX_OF(2 * *room, 16U);
		groups = realloc(sent->groups, *room * sizeof(*groups));
		if (!groups)
			return -ENOMEM;
		sent->groups = groups;
	}
	sent->groups[sent->group_count++] = (struct sent_group){*group, body};
	sent->record_count += group->count;
	return 0;
}

static int read_groups(const char *data, const char *end, struct sent *sent, struct problem *problem)
{
	uint32_t room = 0;
	int r = 0;

	while (r == 0 && data < end) {
		struct group group;
		size_t body = 0, total = 0;

		r = group_read(data, (size_t)(end - data), &sent->key, &group, &body, &total, problem);
		if (r == 1)
			return problem_set(problem, EBADMSG, "the last group is cut off");
		if (r == -EKEYREJECTED)
			return problem_set(problem, EBADMSG, "a group is not signed by the chain's key");
		if (r == 0)
			r = add_group(sent, &room, &group, data + body, problem);
		data += total;
	}
	return r;
}

int sent_read(const char *data, size_t length, struct sent *ret, struct problem *problem)
{
	const char *end = data + length;
	struct sent sent = {0};
	int r = read_key(&data, end, &sent, problem);

	if (r == 0)
		r = read_at(&data, end, &sent, problem);
	if (r == 0)
		r = read_missing(&data, end, &sent, problem);
	if (r == 0)
		r = read_groups(data, end, &sent, problem);
	if (r == 0 && sent.missing && (sent.group_count == 0 || sent.groups[0].group.first != sent.missing_last + 1))
		r = problem_set(problem, EBADMSG, "\"missing\" does not end where the first group begins");
	if (r == 0)
		*ret = sent;
	else
		sent_finish(&sent);
	return r;
}

void sent_finish(struct sent *sent)
{
	free(sent->groups);
	*sent = (struct sent){0};
}

/* ---- judging --------------------------------------------------------------------------------------------------------
 */

struct judging {
	const struct sent *sent;
	const char *host_id;
	struct judged *out;
	uint64_t sequence;     /* of the record that comes */
	struct tlog_hash prev; /* of the one before it */
	struct problem *problem;
};

static int set(struct judged *judged, enum judgement judgement, const char *why)
{
	judged->judgement = judgement;
	judged->why = why;
	return 1;
}

/* What is wrong with the leaf; NULL: nothing. Negative only for what is ours. */
static int check_leaf(const struct judging *j, const struct group_record *record, struct leaf *ret,
		      const char **ret_why)
{
	char id[CHAIN_ID_CHARS + 24];
	struct problem problem = {0};
	int r = leaf_read(record->leaf, record->leaf_length, ret, &problem);

	*ret_why = NULL;
	if (r == -EBADMSG) {
		*ret_why = "not-a-leaf";
		return 0;
	}
	if (r < 0)
		return r;
	(void)snprintf(id, sizeof(id), "%s-%" PRIu64, j->sent->chain, j->sequence);
	if (!ret->linked || strcmp(ret->link.chain, j->sent->chain) != 0)
		*ret_why = "not-of-this-chain";
	else if (ret->link.sequence != j->sequence || strcmp(ret->id, id) != 0)
		*ret_why = "another-number";
	else if (memcmp(ret->link.prev, j->prev.bytes, SHA256_BYTES) != 0)
		*ret_why = "does-not-follow";
	else if (*ret->host_id && strcmp(ret->host_id, j->host_id) != 0)
		*ret_why = "names-another-host";
	return 0;
}

static int take_record(struct judging *j, const struct group_record *record)
{
	struct judged_record *item = &j->out->records[j->out->count];
	struct problem problem = {0};
	int r;

	item->text = record->leaf;
	item->length = record->leaf_length;
	item->sequence = j->sequence;
	item->hash = record->hash;
	r = check_leaf(j, record, &item->leaf, &item->why);
	if (r == 0 && !item->why) {
		r = personal_read(record->personal, record->personal_length, &item->leaf, &item->personal, &problem);
		if (r == -EBADMSG) {
			item->personal = (struct personal_list){0};
			item->why_personal = "not-what-the-leaf-says";
			r = 0;
		}
	}
	if (r == 0)
		j->out->count++;
	return r;
}

static int each(void *context, const struct group_record *record)
{
	struct judging *j = context;
	struct judged *out = j->out;
	struct chain_head *head = &out->now.head;
	int r = 0;

	if (j->sequence < head->sequence) {
		out->repeated++;
	} else if (j->sequence == head->sequence) {
		if (!tlog_hash_equal(&record->hash, &head->hash))
			return set(out, JUDGED_FORKED, "it has another event at a number that is known");
		out->repeated++;
	} else {
		if (j->sequence == out->now.announced.sequence &&
		    !tlog_hash_equal(&record->hash, &out->now.announced.hash))
			return set(out, JUDGED_FORKED, "it has another event where it had announced one");
		r = take_record(j, record);
		*head = (struct chain_head){j->sequence, record->hash};
	}
	j->prev = record->hash;
	j->sequence++;
	return r;
}

/* May this group come now? 0; 1: judged. */
static int place(struct judging *j, const struct group *group)
{
	struct judged *out = j->out;
	struct chain_head *head = &out->now.head;

	if (group->first == head->sequence + 1 && !tlog_hash_equal(&group->prev, &head->hash))
		return set(out, JUDGED_FORKED, "it does not follow on what is known");
	if (group->first <= head->sequence + 1)
		return 0;
	if (!j->sent->missing || j->sent->missing_first != head->sequence + 1 ||
	    j->sent->missing_last + 1 != group->first)
		return set(out, JUDGED_GAP, "events before it have not come");
	out->missing = true;
	*head = (struct chain_head){group->first - 1, group->prev};
	/* Where that was announced, it must be so. */
	if (head->sequence == out->now.announced.sequence && !tlog_hash_equal(&head->hash, &out->now.announced.hash))
		return set(out, JUDGED_FORKED, "it has another event where it had announced one");
	return 0;
}

/* How far the host is by its own word, against what is known. What lies between the two is judged when it comes. */
static int judge_at(const struct sent *sent, struct judged *out)
{
	const struct chain_known *known = &out->now;

	if (sent->at.sequence == known->head.sequence && !tlog_hash_equal(&sent->at.hash, &known->head.hash))
		return set(out, JUDGED_FORKED, "it ends otherwise than what is known");
	if (known->announced.sequence > 0 && sent->at.sequence == known->announced.sequence &&
	    !tlog_hash_equal(&sent->at.hash, &known->announced.hash))
		return set(out, JUDGED_FORKED, "it ends otherwise than it had announced");
	return 0;
}

/* The first announcement binds until all of it has come; then the next one counts. */
static void announce(const struct sent *sent, struct judged *out)
{
	struct chain_known *now = &out->now;

	if (now->announced.sequence <= now->head.sequence && sent->at.sequence > now->head.sequence)
		now->announced = sent->at;
}

int sent_judge(const struct sent *sent, const struct chain_known *known, const char *host_id, struct judged *ret,
	       struct problem *problem)
{
	struct judged out = {.now = *known};
	struct judging j = {.sent = sent, .host_id = host_id, .out = &out, .problem = problem};
	int r = 0;

	out.records = calloc(MAX_OF(sent->record_count, 1U), sizeof(*out.records));
	if (!out.records)
		return -ENOMEM;
	r = judge_at(sent, &out);
	for (uint32_t i = 0; r == 0 && i < sent->group_count; i++) {
		const struct group *group = &sent->groups[i].group;

		r = place(&j, group);
		j.sequence = group->first;
		j.prev = group->prev;
		if (r == 0)
			r = group_each(group, sent->groups[i].body, each, &j, problem);
	}
	/* Nobody is further than they say. */
	if (r == 0 && sent->group_count > 0 && out.now.head.sequence > sent->at.sequence &&
	    out.now.head.sequence > known->head.sequence)
		r = problem_set(problem, EBADMSG, "\"at\" is before the last event");
	if (r == 0 && out.now.head.sequence == sent->at.sequence &&
	    !tlog_hash_equal(&out.now.head.hash, &sent->at.hash))
		r = problem_set(problem, EBADMSG, "\"at\" is not the last event");
	if (r == 0)
		announce(sent, &out);
	if (r < 0)
		judged_finish(&out);
	else
		*ret = out;
	return MIN_OF(r, 0);
}

void judged_finish(struct judged *judged)
{
	for (uint32_t i = 0; i < judged->count; i++)
		personal_finish(&judged->records[i].personal);
	free(judged->records);
	*judged = (struct judged){0};
}
