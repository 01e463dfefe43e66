/* SPDX-License-Identifier: MIT */
#include "record_fixture.h"

#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "directory/unit.h"
#include "json/json_read.h"

static const char *store_text(void *context, const char *text, size_t length)
{
	return arena_strndup(context, text, length);
}

static void *store_room(void *context, size_t size)
{
	return arena_alloc(context, size);
}

struct record_store record_store_of(struct arena *arena)
{
	return (struct record_store){.text = store_text, .room = store_room, .context = arena};
}

/* The body as a snapshot's line has it. What is flat is judged in the same words as the tree. */
static void read_flat(struct arena *arena, enum record_kind kind, const char *id, const char *body, int expected,
		      const union any_record *record, const struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer line = BUFFER_INIT;
	const struct record_store store = record_store_of(arena);
	struct problem flat_problem = {0};
	union any_record flat_record;
	struct json_flat flat;

	assert_result(buffer_add(&line, "{\"body\":", 8), 0);
	assert_result(buffer_add(&line, body, strlen(body)), 0);
	assert_result(buffer_add(&line, "}", 1), 0);
	if (!json_flat_read(line.data, line.length, &flat) || flat.outer.members[0].type != JSON_OBJECT)
		return;
	assert_result(record_read(kind, TENANT, id, (struct json_view){.flat = flat.outer.members[0].object}, &store,
				  &flat_record, &flat_problem),
		      expected);
	assert_string_equal(flat_problem.text, problem->text);
	if (expected == 0)
		assert_true(record_equal(kind, record, &flat_record));
}

int read_record(struct arena *arena, enum record_kind kind, const char *id, const char *body, union any_record *ret,
		struct problem *problem)
{
	_cleanup_(json_decrefp) json_t *json = NULL;
	const struct record_store store = record_store_of(arena);
	int r;

	*problem = (struct problem){0};
	assert_result(json_read(body, strlen(body), &json, problem), 0);
	r = record_read_json(kind, TENANT, id, json, &store, ret, problem);
	read_flat(arena, kind, id, body, r, ret, problem);
	return r;
}

void check_refusals(const struct record_refusal *refusals, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct record_refusal *r = &refusals[i];
		_cleanup_(json_decrefp) json_t *json = NULL;
		struct problem problem = {0};
		union any_record record;
		struct arena arena;
		int result;

		if (!r->text) { /* refused before it comes to the records */
			assert_result(json_read(r->body, strlen(r->body), &json, &problem), -EBADMSG);
			continue;
		}
		arena_init(&arena);
		result = read_record(&arena, r->kind, r->id, r->body, &record, &problem);
		if (result != -EINVAL || !(strstr(problem.text, r->text) || strstr(problem.remedy, r->text)))
			fail_msg("%s %s: %d, \"%s\" (%s) instead of \"%s\"", r->id, r->body, result, problem.text,
				 problem.remedy, r->text);
		assert_null(strstr(problem.text, "tnt_pk_secret"));
		arena_finish(&arena);
	}
}
