/* SPDX-License-Identifier: MIT
 *
 * The first line of an export: whose log it is, by which keys, and the checkpoint that all proofs lead to.
 */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "trail/export_internal.h"
#include "json/json_read.h"

#define EXPORT_TITLE "tenantd-audit/v1"

struct header {
	const char *title, *origin, *checkpoint;
	json_t *keys, *frontier;
	uint64_t from, to;
};

/* What the file says of its keys counts where nobody gave others. */
static int take_keys(struct export_check *check, const struct header *header, struct problem *problem)
{
	if (!check->own_keys)
		return 0;
	if (json_array_size(header->keys) > EXPORT_KEYS_MAX)
		return problem_set(problem, EBADMSG, "more than %u keys", EXPORT_KEYS_MAX);
	for (size_t i = 0; i < json_array_size(header->keys); i++) {
		const char *vkey = json_string_value(json_array_get(header->keys, i));

		if (note_key_parse(vkey, strlen(vkey), &check->keys[i]) < 0 ||
		    strcmp(check->keys[i].name, header->origin) != 0)
			return problem_set(problem, EBADMSG, "key %zu of the export is none of this log", i + 1);
		check->key_count++;
	}
	return 0;
}

/* The tree before the first index: said here, and shown by the first entry's proof. */
static int take_frontier(struct export_check *check, json_t *object, struct problem *problem)
{
	struct {
		uint64_t size;
		json_t *hashes;
	} frontier;
	const struct json_field fields[] = {
		{"size", JSON_FIELD_U64, 0, JSON_FIELD_REQUIRED},
		{"hashes", JSON_FIELD_STRINGS, sizeof(uint64_t), JSON_FIELD_REQUIRED},
	};
	const char *field;
	int r;

	r = json_fields(object, fields, ARRAY_LEN(fields), &frontier, &field, problem);
	if (r < 0)
		return r;
	if (frontier.size != check->from || json_array_size(frontier.hashes) != tlog_frontier_count(frontier.size))
		return problem_set(problem, EBADMSG, "the frontier is not one of the first index");
	for (size_t i = 0; i < json_array_size(frontier.hashes); i++)
		if (text_from_hex(json_string_value(json_array_get(frontier.hashes, i)),
				  check->frontier.hashes[i].bytes, SHA256_BYTES) < 0)
			return problem_set(problem, EBADMSG, "hash %zu of the frontier is not of its form", i + 1);
	check->frontier.size = frontier.size;
	return 0;
}

static int read_header(json_t *line, struct header *ret, struct problem *problem)
{
	static const struct json_field fields[] = {
		{"export", JSON_FIELD_STRING, offsetof(struct header, title), JSON_FIELD_REQUIRED},
		{"origin", JSON_FIELD_STRING, offsetof(struct header, origin), JSON_FIELD_REQUIRED},
		{"keys", JSON_FIELD_STRINGS, offsetof(struct header, keys), JSON_FIELD_REQUIRED},
		{"checkpoint", JSON_FIELD_STRING, offsetof(struct header, checkpoint), JSON_FIELD_REQUIRED},
		{"from", JSON_FIELD_U64, offsetof(struct header, from), JSON_FIELD_REQUIRED},
		{"to", JSON_FIELD_U64, offsetof(struct header, to), JSON_FIELD_REQUIRED},
		{"frontier", JSON_FIELD_OBJECT, offsetof(struct header, frontier), JSON_FIELD_REQUIRED},
	};
	const char *field;
	int r;

	if (!json_object_get(line, "export"))
		return problem_set(problem, EBADMSG, "this is no export of an audit log");
	r = json_fields(line, fields, ARRAY_LEN(fields), ret, &field, problem);
	if (r < 0)
		return r;
	if (strcmp(ret->title, EXPORT_TITLE) != 0)
		return problem_set(problem, EBADMSG, "this is not an export of the kind " EXPORT_TITLE);
	return 0;
}

int export_header(struct export_check *check, json_t *line, struct problem *problem)
{
	struct header header = {0};
	int r;

	r = read_header(line, &header, problem);
	if (r < 0)
		return r;
	if (check->origin[0] != '\0' && strcmp(header.origin, check->origin) != 0)
		return problem_set(problem, EREMCHG, "this is an export of another log than %s", check->origin);
	if (strlen(header.origin) >= CHECKPOINT_ORIGIN_MAX)
		return problem_set(problem, EBADMSG, "the export's origin is too long");
	memcpy(check->origin, header.origin, strlen(header.origin) + 1);
	r = take_keys(check, &header, problem);
	if (r == 0)
		r = checkpoint_read(header.checkpoint, strlen(header.checkpoint), check->origin, check->keys,
				    check->key_count, &check->checkpoint, problem);
	if (r < 0)
		return r;
	if (header.from > header.to || header.to > check->checkpoint.size)
		return problem_set(problem, EBADMSG,
				   "indices %" PRIu64 " to %" PRIu64 " are not within a log of %" PRIu64 " entries",
				   header.from, header.to, check->checkpoint.size);
	check->from = check->next = header.from;
	check->to = header.to;
	r = take_frontier(check, header.frontier, problem);
	for (uint32_t i = 0; r == 0 && i < check->kept_count; i++)
		r = kept_read(check, &check->kept[i], problem);
	return r < 0 ? r : kept_compare(check, problem);
}
