/* SPDX-License-Identifier: MIT
 *
 * Whether what is shown can be the log that was seen before.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "feed/witness_log.h"
#include "json/json_read.h"

/* ---- what came -----------------------------------------------------------------------------------------------------
 */

static int read_proof(json_t *list, struct tlog_proof *ret)
{
	const json_t *item;
	size_t i, length;

	if (json_array_size(list) > TLOG_PROOF_MAX)
		return -EBADMSG;
	ret->count = 0;
	json_array_foreach(list, i, item)
	{
		struct tlog_hash *hash = &ret->hashes[ret->count];

		if (!json_is_string(item) ||
		    base64_decode(json_string_value(item), hash->bytes, sizeof(hash->bytes), &length) < 0 ||
		    length != sizeof(hash->bytes))
			return -EBADMSG;
		ret->count++;
	}
	return 0;
}

struct said {
	const char *checkpoint;
	json_t *consistency, *inclusion;
};
static const struct json_field said_fields[] = {
	{"checkpoint", JSON_FIELD_STRING, offsetof(struct said, checkpoint), JSON_FIELD_REQUIRED},
	{"consistency", JSON_FIELD_STRINGS, offsetof(struct said, consistency), JSON_FIELD_REQUIRED},
	{"inclusion", JSON_FIELD_OBJECT, offsetof(struct said, inclusion), JSON_FIELD_NULLABLE},
};
struct said_inclusion {
	uint64_t index;
	json_t *proof;
};
static const struct json_field inclusion_fields[] = {
	{"index", JSON_FIELD_U64, offsetof(struct said_inclusion, index), JSON_FIELD_REQUIRED},
	{"proof", JSON_FIELD_STRINGS, offsetof(struct said_inclusion, proof), JSON_FIELD_REQUIRED},
};

int witness_answer_read(const char *body, size_t length, json_t **ret_json, struct witness_answer *ret,
			struct problem *problem)
{
	struct said_inclusion inclusion = {0};
	struct said said = {0};
	const char *field;

	if (json_read(body, length, ret_json, problem) < 0 ||
	    json_fields(*ret_json, said_fields, ARRAY_LEN(said_fields), &said, &field, problem) < 0)
		return -EBADMSG;
	*ret = (struct witness_answer){.note = said.checkpoint, .length = strlen(said.checkpoint)};
	if (read_proof(said.consistency, &ret->consistency) < 0)
		return problem_set(problem, EBADMSG, "the consistency proof is not of the form");
	if (!said.inclusion)
		return 0;
	if (json_fields(said.inclusion, inclusion_fields, ARRAY_LEN(inclusion_fields), &inclusion, &field, problem) < 0)
		return -EBADMSG;
	if (read_proof(inclusion.proof, &ret->inclusion) < 0)
		return problem_set(problem, EBADMSG, "the inclusion proof is not of the form");
	ret->index = inclusion.index;
	ret->has_inclusion = true;
	return 0;
}

/* ---- what it means
 * --------------------------------------------------------------------------------------------------- */

static const char *const words[] = {
	[WITNESS_FINE] = "fine",
	[WITNESS_ABSENT] = "absent",
	[WITNESS_UNSURE] = "unsure",
	[WITNESS_SHRUNK] = "shrunk",
	[WITNESS_REWRITTEN] = "rewritten",
	[WITNESS_UNPROVED] = "unproved",
	[WITNESS_LACKING] = "event-missing",
};
_Static_assert(ARRAY_LEN(words) == WITNESS_VERDICT_COUNT, "a word for each verdict");

const char *witness_verdict_word(enum witness_verdict verdict)
{
	return (unsigned)verdict < WITNESS_VERDICT_COUNT ? words[verdict] : "unknown";
}

static enum witness_verdict judge_growth(const struct witness_log *log, const struct witness_answer *answer,
					 const struct checkpoint *shown, struct problem *problem)
{
	if (!log->note) /* the first one that is seen */
		return WITNESS_FINE;
	if (shown->size < log->size) {
		(void)problem_set(problem, EBADMSG, "the log has %" PRIu64 " entries, and had %" PRIu64 " before",
				  shown->size, log->size);
		return WITNESS_SHRUNK;
	}
	if (shown->size == log->size && !tlog_hash_equal(&shown->root, &log->root)) {
		(void)problem_set(problem, EBADMSG, "the log has another root at %" PRIu64 " entries than before",
				  shown->size);
		return WITNESS_REWRITTEN;
	}
	if (log->size == 0 || shown->size == log->size)
		return WITNESS_FINE;
	if (tlog_verify_consistency(&answer->consistency, log->size, &log->root, shown->size, &shown->root) != 0) {
		(void)problem_set(problem, EBADMSG,
				  "nothing proves that the log of %" PRIu64 " entries goes on from that of %" PRIu64,
				  shown->size, log->size);
		return WITNESS_UNPROVED;
	}
	return WITNESS_FINE;
}

static enum witness_verdict judge_event(const struct witness_pick *pick, const struct witness_answer *answer,
					const struct checkpoint *shown, struct problem *problem)
{
	if (!answer->has_inclusion && !pick->placed)
		return WITNESS_ABSENT;
	if (!answer->has_inclusion || (pick->placed && pick->index != answer->index)) {
		(void)problem_set(problem, EBADMSG, "event %s was in the log at %" PRIu64 " and is not there any more",
				  pick->id, pick->index);
		return WITNESS_LACKING;
	}
	if (answer->index >= shown->size ||
	    tlog_verify_inclusion(&answer->inclusion, answer->index, &pick->hash, shown->size, &shown->root) != 0) {
		(void)problem_set(problem, EBADMSG,
				  "event %s of this host is not in the log at %" PRIu64 ", as was said", pick->id,
				  answer->index);
		return WITNESS_LACKING;
	}
	return WITNESS_FINE;
}

enum witness_verdict witness_judge(const struct witness_log *log, const char *origin, const struct note_key *keys,
				   uint32_t key_count, const struct witness_question *question,
				   const struct witness_answer *answer, struct checkpoint *ret, struct problem *problem)
{
	enum witness_verdict verdict;

	if (checkpoint_read(answer->note, answer->length, origin, keys, key_count, ret, problem) < 0)
		return WITNESS_UNSURE;
	/* What was asked is not what is known by now: nothing can be said. */
	if (question->from != log->size) {
		(void)problem_set(problem, EBADMSG, "the proof is from another size");
		return WITNESS_UNSURE;
	}
	verdict = judge_growth(log, answer, ret, problem);
	if (verdict != WITNESS_FINE || !question->about_event)
		return verdict;
	return judge_event(&question->pick, answer, ret, problem);
}

static struct witness_pick *find_pick(struct witness_log *log, const char *id)
{
	for (uint32_t i = 0; i < log->pick_count; i++)
		if (text_equal(log->picks[i].id, id))
			return &log->picks[i];
	return NULL;
}

int witness_log_take(struct witness_log *log, const struct checkpoint *checkpoint, const struct witness_answer *answer,
		     const struct witness_question *question)
{
	struct witness_pick *pick = question->about_event ? find_pick(log, question->pick.id) : NULL;
	char *note = strndup(answer->note, answer->length);

	if (!note)
		return -ENOMEM;
	free(log->note);
	log->note = note;
	log->size = checkpoint->size;
	log->root = checkpoint->root;
	(void)snprintf(log->origin, sizeof(log->origin), "%s", checkpoint->origin);
	if (pick && answer->has_inclusion) {
		pick->placed = true;
		pick->index = answer->index;
	}
	return 0;
}

/* ---- events of one's own
 * ------------------------------------------------------------------------------------------------ */

void witness_log_add_pick(struct witness_log *log, const struct witness_pick *pick)
{
	struct witness_pick *at = NULL;

	if (find_pick(log, pick->id))
		return;
	if (log->pick_count < WITNESS_PICKS_MAX)
		at = &log->picks[log->pick_count++];
	for (uint32_t i = 0; i < log->pick_count && !at; i++)
		/* The oldest stay: they are what a log that was made anew would lack. */
		if (log->picks[i].placed && i >= WITNESS_PICKS_MAX / 2)
			at = &log->picks[i];
	if (at)
		*at = *pick;
}

void witness_log_drop_pick(struct witness_log *log, const char *id)
{
	struct witness_pick *pick = find_pick(log, id);

	if (pick)
		*pick = log->picks[--log->pick_count];
}
