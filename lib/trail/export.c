/* SPDX-License-Identifier: MIT */
#include "trail/export.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "base/macros.h"
#include "crypto/digest.h"
#include "trail/export_internal.h"
#include "json/json_read.h"
#include "json/json_wipe.h"

typedef void event_fn(void *context, uint64_t index, const struct leaf *leaf, json_t *event);

int export_check_new(const char *origin, const struct note_key *keys, uint32_t key_count, struct export_check **ret)
{
	struct export_check *check;

	if (key_count > EXPORT_KEYS_MAX || (origin && strlen(origin) >= CHECKPOINT_ORIGIN_MAX))
		return -EINVAL;
	check = calloc(1, sizeof(*check));
	if (!check)
		return -ENOMEM;
	if (origin)
		memcpy(check->origin, origin, strlen(origin) + 1);
	check->own_keys = !keys;
	if (keys) {
		memcpy(check->keys, keys, key_count * sizeof(keys[0]));
		check->key_count = key_count;
	}
	*ret = check;
	return 0;
}

void export_check_free(struct export_check *check)
{
	if (!check)
		return;
	free(check->kept);
	free(check);
}

struct entry {
	uint64_t index;
	const char *leaf;
	json_t *personal, *proof;
};

static int read_proof(json_t *list, struct tlog_proof *ret, struct problem *problem)
{
	if (json_array_size(list) > TLOG_PROOF_MAX)
		return problem_set(problem, EBADMSG, "the proof is longer than any");
	for (size_t i = 0; i < json_array_size(list); i++) {
		size_t bytes;

		if (base64_decode(json_string_value(json_array_get(list, i)), ret->hashes[i].bytes, SHA256_BYTES,
				  &bytes) < 0 ||
		    bytes != SHA256_BYTES)
			return problem_set(problem, EBADMSG, "hash %zu of the proof is not of its form", i + 1);
	}
	ret->count = (unsigned)json_array_size(list);
	return 0;
}

/* Those that are there, into the list; counts those that are erased. */
static int read_personal(json_t *array, const struct leaf *leaf, struct personal_list *ret, uint64_t *ret_erased,
			 struct problem *problem)
{
	uint64_t erased = 0;
	int r;

	if (json_array_size(array) != leaf->person_count)
		return problem_set(problem, EBADMSG, "the personal data are not those of %u persons",
				   leaf->person_count);
	for (uint32_t i = 0; i < leaf->person_count; i++) {
		json_t *item = json_array_get(array, i);
		const char *person = json_string_value(json_object_get(item, "person"));

		if (json_is_true(json_object_get(item, "erased"))) {
			if (json_object_size(item) != 2 || !person || strcmp(person, leaf->persons[i].person) != 0)
				return problem_set(problem, EBADMSG,
						   "erased data are not those of the person in the event");
			erased++;
			continue;
		}
		r = personal_read_one(item, leaf, i, &ret->items[ret->count], problem);
		if (r < 0)
			return r;
		ret->count++;
	}
	*ret_erased = erased;
	return 0;
}

/* The entry is in the log of the checkpoint; what the log was before it and with it goes on to the kept ones. */
static int place(struct export_check *check, const struct entry *entry, const struct tlog_hash *hash,
		 struct problem *problem)
{
	struct tlog_frontier frontier = {0};
	struct tlog_proof proof = {0};
	int r;

	r = read_proof(entry->proof, &proof, problem);
	if (r < 0)
		return r;
	r = tlog_verify_inclusion(&proof, entry->index, hash, check->checkpoint.size, &check->checkpoint.root);
	if (r == -EBADMSG)
		return problem_set(problem, EBADMSG,
				   "entry %" PRIu64
				   " is not in the log that the checkpoint signs, or not in this place",
				   entry->index);
	if (r == 0)
		r = tlog_frontier_of_proof(&proof, entry->index, check->checkpoint.size, &frontier);
	if (r < 0)
		return r;
	if (entry->index != check->next)
		check->gap = true;
	if (!check->gap && memcmp(check->frontier.hashes, frontier.hashes,
				  tlog_frontier_count(frontier.size) * sizeof(frontier.hashes[0])) != 0)
		return problem_set(problem, EBADMSG, "the frontier is not that of the log");
	r = kept_hold(check, &frontier, problem);
	if (r == 0)
		r = tlog_frontier_add(&frontier, hash);
	if (r == 0)
		r = kept_hold(check, &frontier, problem);
	if (r < 0)
		return r;
	check->frontier = frontier;
	check->next = entry->index + 1;
	return 0;
}

static int take_entry(struct export_check *check, json_t *line, event_fn *event, void *context, struct problem *problem)
{
	static const struct json_field fields[] = {
		{"index", JSON_FIELD_U64, offsetof(struct entry, index), JSON_FIELD_REQUIRED},
		{"leaf", JSON_FIELD_STRING, offsetof(struct entry, leaf), JSON_FIELD_REQUIRED},
		{"personal", JSON_FIELD_ARRAY, offsetof(struct entry, personal), JSON_FIELD_REQUIRED},
		{"proof", JSON_FIELD_STRINGS, offsetof(struct entry, proof), JSON_FIELD_REQUIRED},
	};
	_cleanup_(personal_finish) struct personal_list personal = {0};
	_cleanup_(json_forget) json_t *merged = NULL;
	struct entry entry = {0};
	struct tlog_hash hash;
	uint64_t erased = 0;
	struct leaf leaf;
	const char *field;
	int r;

	r = json_fields(line, fields, ARRAY_LEN(fields), &entry, &field, problem);
	if (r < 0)
		return r;
	if (entry.index < check->next || entry.index >= check->to)
		return problem_set(problem, EBADMSG, "entry %" PRIu64 " is not in order, or not one of this export",
				   entry.index);
	r = tlog_leaf_hash(entry.leaf, strlen(entry.leaf), &hash);
	if (r == 0)
		r = place(check, &entry, &hash, problem);
	if (r == 0)
		r = leaf_read(entry.leaf, strlen(entry.leaf), &leaf, problem);
	if (r == 0)
		r = read_personal(entry.personal, &leaf, &personal, &erased, problem);
	if (r < 0)
		return r;
	check->entries++;
	check->erased += erased;
	if (!event)
		return 0;
	merged = leaf_merge(entry.leaf, strlen(entry.leaf), &personal);
	if (!merged)
		return -ENOMEM;
	event(context, entry.index, &leaf, merged);
	return 0;
}

static int take_end(struct export_check *check, json_t *line, struct problem *problem)
{
	struct tlog_hash root;
	int r;

	if (json_object_size(line) != 2 || !json_is_true(json_object_get(line, "end")) ||
	    !json_is_integer(json_object_get(line, "entries")))
		return problem_set(problem, EBADMSG, "the last line is not of its form");
	if (json_integer_value(json_object_get(line, "entries")) != (json_int_t)check->entries)
		return problem_set(problem, EBADMSG,
				   "there are %" PRIu64 " entries, and the last line has another number",
				   check->entries);
	if (check->next != check->to)
		check->gap = true;
	if (!check->gap && check->to == check->checkpoint.size) {
		r = tlog_frontier_root(&check->frontier, &root);
		if (r < 0)
			return r;
		if (!tlog_hash_equal(&root, &check->checkpoint.root))
			return problem_set(problem, EBADMSG, "the root of all entries is not the checkpoint's");
	}
	check->stage = EXPORT_ENDED;
	return 0;
}

static int take_line(struct export_check *check, json_t *line, event_fn *event, void *context, struct problem *problem)
{
	int r;

	if (!json_is_object(line))
		return problem_set(problem, EBADMSG, "the line is not a JSON object");
	switch (check->stage) {
	case EXPORT_HEADER:
		r = export_header(check, line, problem);
		if (r == 0)
			check->stage = EXPORT_ENTRIES;
		return r;
	case EXPORT_ENTRIES:
		return json_object_get(line, "end") ? take_end(check, line, problem)
						    : take_entry(check, line, event, context, problem);
	case EXPORT_ENDED:
		return problem_set(problem, EBADMSG, "something follows the last line");
	case EXPORT_REFUSED:
		break;
	}
	return problem_set(problem, EBADMSG, "the export was refused before");
}

/* What is wrong with the export is one kind of result, whoever said so. */
static bool does_not_hold(int r)
{
	return r == -EINVAL || r == -ENOKEY || r == -EKEYREJECTED || r == -EREMCHG;
}

int export_check_line(struct export_check *check, const char *line, size_t length,
		      void (*event)(void *context, uint64_t index, const struct leaf *leaf, json_t *event),
		      void *context, struct problem *problem)
{
	_cleanup_(json_forget) json_t *value = NULL;
	int r;

	check->line++;
	if (length > EXPORT_LINE_MAX)
		r = problem_set(problem, EBADMSG, "the line is longer than %u bytes", EXPORT_LINE_MAX);
	else
		r = json_read(line, length, &value, problem);
	if (r == 0)
		r = take_line(check, value, event, context, problem);
	if (r == 0)
		return 0;
	check->stage = EXPORT_REFUSED;
	problem_at(problem, NULL, check->line, 0);
	return does_not_hold(r) ? -EBADMSG : r;
}

int export_check_end(struct export_check *check, struct export_summary *ret, struct problem *problem)
{
	if (check->stage != EXPORT_ENDED)
		return problem_set(problem, EBADMSG, "the export has no last line: it was cut off");
	*ret = (struct export_summary){
		.checkpoint = check->checkpoint,
		.from = check->from,
		.to = check->to,
		.entries = check->entries,
		.erased = check->erased,
		.complete = !check->gap,
		.own_keys = check->own_keys,
		.kept = check->kept_count,
	};
	for (uint32_t i = 0; i < check->kept_count; i++)
		ret->compared += check->kept[i].compared;
	return 0;
}
