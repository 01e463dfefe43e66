/* SPDX-License-Identifier: MIT */
#include "trail/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/macros.h"
#include "trail/verify_internal.h"
#include "json/json_read.h"
#include "json/json_wipe.h"

#define KEYS_MAX 64U /* of all logs together */

struct verifying {
	const struct verify_options *options;
	struct note_key keys[KEYS_MAX];
	uint32_t key_count;
	struct kept_notes notes;
	struct line_reader readers[VERIFY_FILES_MAX]; /* open: of exports */
	struct verify_report report;
};

void verify_report_finish(struct verify_report *report)
{
	free(report->items);
	*report = (struct verify_report){0};
}

static struct verify_item *add_item(struct verifying *v, const char *file)
{
	struct verify_item *more = realloc(v->report.items, (v->report.count + 1) * sizeof(*more));

	if (!more)
		return NULL;
	v->report.items = more;
	more = &more[v->report.count++];
	*more = (struct verify_item){.file = file};
	return more;
}

static bool nobody_gave_keys(const struct verifying *v)
{
	return v->options->key_count == 0;
}

static int judge_options(struct verifying *v, struct problem *problem)
{
	const struct verify_options *options = v->options;
	size_t standard_input = 0;

	if (options->file_count == 0 || options->file_count > VERIFY_FILES_MAX)
		return problem_set(problem, EINVAL, "give one to %u files: exports, checkpoints", VERIFY_FILES_MAX);
	for (size_t i = 0; i < options->file_count; i++)
		standard_input += strcmp(options->files[i], "-") == 0;
	if (standard_input > 1)
		return problem_set(problem, EINVAL, "standard input can be read once");
	if (options->key_count > EXPORT_KEYS_MAX)
		return problem_set(problem, EINVAL, "more than %u keys", EXPORT_KEYS_MAX);
	for (size_t i = 0; i < options->key_count; i++)
		if (note_key_parse(options->keys[i], strlen(options->keys[i]), &v->keys[v->key_count++]) < 0)
			return problem_set(problem, EINVAL, "this is no key of a log (<origin>+<id>+<base64>): %s",
					   options->keys[i]);
	return 0;
}

/* ---- what there is ---------------------------------------------------------------------------- */
/* Keys that an export names, where nobody gave any. What is wrong with them is said when it is checked. */
static void take_keys(struct verifying *v, const json_t *keys)
{
	for (size_t i = 0; nobody_gave_keys(v) && i < json_array_size(keys); i++) {
		const char *vkey = json_string_value(json_array_get(keys, i));
		bool known = false;
		struct note_key key;

		if (!vkey || v->key_count == KEYS_MAX || note_key_parse(vkey, strlen(vkey), &key) < 0)
			continue;
		for (uint32_t j = 0; j < v->key_count; j++)
			known = known || memcmp(&v->keys[j], &key, sizeof(key)) == 0;
		if (!known)
			v->keys[v->key_count++] = key;
	}
}

/* The first line of an export, before the export is checked: its checkpoint goes to the others. */
static int take_header(struct verifying *v, const char *file, const char *line, size_t length)
{
	_cleanup_(json_forget) json_t *header = NULL;
	const char *note;
	int r;

	r = json_read(line, length, &header, NULL);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	take_keys(v, json_object_get(header, "keys"));
	note = json_string_value(json_object_get(header, "checkpoint"));
	r = note ? kept_notes_add(&v->notes, file, note, strlen(note), true) : 0;
	return r == -ENOMEM ? r : 0;
}

/* An export begins with a brace, and no checkpoint does. */
static int look_into(struct verifying *v, const char *file, struct line_reader *reader, struct problem *problem)
{
	const char *line = NULL;
	size_t length = 0;
	int r;

	r = line_reader_open(reader, file);
	if (r == 0)
		r = line_reader_peek(reader, &line, &length);
	if (r == 0 && length > 0 && line[0] == '{')
		return take_header(v, file, line, length);
	if (r == 0)
		r = kept_notes_read(&v->notes, file, reader, problem);
	else if (r == -EMSGSIZE || r > 0)
		r = problem_set(problem, EBADMSG, r > 0 ? "there is nothing in it" : "its first line is too long");
	else
		(void)problem_set(problem, -r, "cannot read it: %s", strerrordesc_np(-r));
	line_reader_close(reader);
	return r;
}

/* What cannot be read is an item by itself. */
static int look(struct verifying *v)
{
	for (size_t i = 0; i < v->options->file_count; i++) {
		struct problem problem = {0};
		struct verify_item *item;
		int r = look_into(v, v->options->files[i], &v->readers[i], &problem);

		if (r == 0)
			continue;
		item = r == -ENOMEM ? NULL : add_item(v, v->options->files[i]);
		if (!item)
			return -ENOMEM;
		item->result = r;
		item->problem = problem;
	}
	return 0;
}

/* The keys of a log: how many. */
static uint32_t keys_of(const struct verifying *v, const char *origin, struct note_key ret[EXPORT_KEYS_MAX])
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < v->key_count && count < EXPORT_KEYS_MAX; i++)
		if (strcmp(v->keys[i].name, origin) == 0)
			ret[count++] = v->keys[i];
	return count;
}

/* ---- checkpoints ------------------------------------------------------------------------------ */
/* -ENOKEY: nobody can say. */
static int read_note(const struct verifying *v, struct kept_note *note, struct problem *problem)
{
	const char *origin = v->options->origin ? v->options->origin : note->origin;
	struct note_key own[EXPORT_KEYS_MAX];
	uint32_t count = keys_of(v, origin, own);
	int r;

	if (strcmp(note->origin, origin) != 0)
		return problem_set(problem, EBADMSG, "this is a checkpoint of %s, not of %s", note->origin, origin);
	if (count == 0)
		r = problem_set(problem, ENOKEY, "there is no key of %s", origin);
	else
		r = checkpoint_read(note->text, note->length, origin, own, count, &note->checkpoint, problem);
	note->good = r == 0;
	/* An export names the keys of today: one of yesterday may have signed this. */
	if (r == -ENOKEY && (count == 0 || nobody_gave_keys(v))) {
		problem_remedy(problem, "give its key with --key");
		return r;
	}
	return r == -ENOKEY || r == -EKEYREJECTED || r == -EREMCHG ? -EBADMSG : r;
}

/* Another note of that log and size says something else: which; NULL. */
static const struct kept_note *contradiction(const struct verifying *v, const struct kept_note *note)
{
	for (size_t i = 0; i < v->notes.count; i++) {
		const struct kept_note *other = &v->notes.items[i];

		if (other->good && other->checkpoint.size == note->checkpoint.size &&
		    strcmp(other->origin, note->origin) == 0 &&
		    !tlog_hash_equal(&other->checkpoint.root, &note->checkpoint.root))
			return other;
	}
	return NULL;
}

static int judge_notes(struct verifying *v)
{
	size_t first = v->report.count, at;

	for (size_t i = 0; i < v->notes.count; i++) {
		struct kept_note *note = &v->notes.items[i];
		struct problem problem = {0};
		struct verify_item *item;
		int r = read_note(v, note, &problem);

		/* What an export's own is worth, its check tells. */
		if (note->of_export)
			continue;
		item = r == -ENOMEM ? NULL : add_item(v, note->file);
		if (!item)
			return -ENOMEM;
		item->result = r;
		item->problem = problem;
		item->summary.own_keys = nobody_gave_keys(v);
		item->summary.checkpoint = note->checkpoint;
	}
	at = first;
	for (size_t i = 0; i < v->notes.count; i++) {
		const struct kept_note *note = &v->notes.items[i], *other;
		struct verify_item *item;

		if (note->of_export)
			continue;
		item = &v->report.items[at++];
		other = note->good ? contradiction(v, note) : NULL;
		if (other)
			item->result = problem_set(&item->problem, EBADMSG,
						   "%s has another root of the log at size %" PRIu64
						   ": it was shown with two histories",
						   other->file, note->checkpoint.size);
	}
	return 0;
}

/* ---- exports ---------------------------------------------------------------------------------- */
/* The log that an export's first line names; NULL. */
static const char *origin_of(const struct verifying *v, const char *file)
{
	for (size_t i = 0; i < v->notes.count; i++)
		if (v->notes.items[i].of_export && v->notes.items[i].file == file)
			return v->notes.items[i].origin;
	return NULL;
}

/* All checkpoints of the export's log but its own. */
static int keep_others(const struct verifying *v, struct export_check *check, const char *file, struct problem *problem)
{
	const char *origin = origin_of(v, file);
	int r = 0;

	for (size_t i = 0; r == 0 && origin && i < v->notes.count; i++) {
		const struct kept_note *note = &v->notes.items[i];

		if (note->good && note->file != file && strcmp(note->origin, origin) == 0)
			r = export_check_keep(check, note->text, note->length, problem);
	}
	return r;
}

static int check_lines(struct export_check *check, struct line_reader *reader, struct export_summary *ret,
		       struct problem *problem)
{
	const char *line;
	size_t length;
	int r;

	while ((r = line_reader_next(reader, &line, &length)) == 0) {
		r = export_check_line(check, line, length, NULL, NULL, problem);
		if (r < 0)
			return r;
	}
	if (r == -EMSGSIZE)
		return problem_set(problem, EBADMSG, "a line is longer than any of an export");
	if (r < 0)
		return problem_set(problem, -r, "cannot read it: %s", strerrordesc_np(-r));
	return export_check_end(check, ret, problem);
}

static int check_export(struct verifying *v, const char *file, struct line_reader *reader)
{
	_cleanup_(export_check_freep) struct export_check *check = NULL;
	const char *origin = origin_of(v, file);
	struct verify_item *item = add_item(v, file);
	struct note_key keys[EXPORT_KEYS_MAX];
	uint32_t count = origin ? keys_of(v, origin, keys) : 0;
	int r;

	if (!item)
		return -ENOMEM;
	item->export = true;
	r = export_check_new(v->options->origin, keys, count, &check);
	if (r == 0)
		r = keep_others(v, check, file, &item->problem);
	if (r == 0)
		r = check_lines(check, reader, &item->summary, &item->problem);
	item->result = r;
	item->summary.own_keys = nobody_gave_keys(v);
	return r == -ENOMEM ? r : 0;
}

static enum verify_verdict verdict_of(const struct verify_report *report)
{
	enum verify_verdict verdict = VERIFY_HOLDS;

	for (size_t i = 0; i < report->count; i++) {
		if (report->items[i].result == -EBADMSG)
			return VERIFY_FALSE;
		if (report->items[i].result < 0)
			verdict = VERIFY_UNREADABLE;
	}
	return verdict;
}

int verify_files(const struct verify_options *options, struct verify_report *ret, struct problem *problem)
{
	struct verifying *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return -ENOMEM;
	v->options = options;
	for (size_t i = 0; i < VERIFY_FILES_MAX; i++)
		v->readers[i].fd = -1;
	r = judge_options(v, problem);
	if (r == 0)
		r = look(v);
	if (r == 0)
		r = judge_notes(v);
	for (size_t i = 0; r == 0 && i < options->file_count; i++)
		if (v->readers[i].fd >= 0)
			r = check_export(v, options->files[i], &v->readers[i]);
	if (r == 0) {
		v->report.verdict = verdict_of(&v->report);
		*ret = v->report;
		v->report = (struct verify_report){0};
	}
	verify_report_finish(&v->report);
	kept_notes_finish(&v->notes);
	for (size_t i = 0; i < VERIFY_FILES_MAX; i++)
		line_reader_close(&v->readers[i]);
	free(v);
	return r;
}
