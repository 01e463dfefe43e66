/* SPDX-License-Identifier: MIT
 *
 * Records from the feed's JSON: "kind id body" of any kind; never crashes, and what is taken is whole: no text is NULL,
 * and a copy of it is equal. A refusal says why. Read as flat JSON, where it is flat, it comes to the same.
 */
#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "directory/unit.h"
#include "fuzz.h"
#include "records/record_json.h"
#include "json/json_read.h"

static const char *store_text(void *context, const char *text, size_t length)
{
	return arena_strndup(context, text, length);
}

static void *store_room(void *context, size_t size)
{
	return arena_alloc(context, size);
}

/* As a snapshot's line has it. `record` NULL: it was refused for `problem`. */
static void check_flat(enum record_kind kind, const char *id, const char *body, size_t length,
		       const struct record_store *store, const union any_record *record, const struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer line = BUFFER_INIT;
	struct problem flat_problem = {0};
	union any_record flat_record;
	struct json_flat flat;
	int r;

	(void)buffer_add(&line, "{\"body\":", 8);
	(void)buffer_add(&line, body, length);
	(void)buffer_add(&line, "}", 1);
	if (line.failed || !json_flat_read(line.data, line.length, &flat) || flat.outer.members[0].type != JSON_OBJECT)
		return;
	r = record_read(kind, "ten_fuzz", id, (struct json_view){.flat = flat.outer.members[0].object}, store,
			&flat_record, &flat_problem);
	FUZZ_CHECK((r == 0) == (record != NULL));
	if (r == 0)
		FUZZ_CHECK(record_equal(kind, record, &flat_record));
	else
		FUZZ_CHECK(strcmp(problem->text, flat_problem.text) == 0);
}

static void check(const char *kind_word, const char *id, const char *body, size_t length)
{
	_cleanup_(json_decrefp) json_t *json = NULL;
	union any_record record, copy;
	struct problem problem = {0};
	enum record_kind kind;
	struct arena arena;
	const struct record_store store = {.text = store_text, .room = store_room, .context = &arena};

	if (record_kind_parse(kind_word, &kind) < 0 || json_read(body, length, &json, &problem) < 0)
		return;
	arena_init(&arena);
	if (record_read_json(kind, "ten_fuzz", id, json, &store, &record, &problem) == 0) {
		FUZZ_CHECK(record_id_valid(kind, id));
		FUZZ_CHECK(record_copy(kind, &record, &store, &copy) == 0);
		FUZZ_CHECK(record_equal(kind, &record, &copy));
		check_flat(kind, id, body, length, &store, &record, &problem);
	} else {
		FUZZ_CHECK(problem.text[0]);
		check_flat(kind, id, body, length, &store, NULL, &problem);
	}
	arena_finish(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(freep) char *text = malloc(size + 1);
	char *id, *body;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	id = memchr(text, ' ', size);
	body = id ? memchr(id + 1, ' ', size - (size_t)(id + 1 - text)) : NULL;
	if (!body)
		return 0;
	*id++ = '\0';
	*body++ = '\0';
	check(text, id, body, size - (size_t)(body - text));
	return 0;
}
