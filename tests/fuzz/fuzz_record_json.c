/* SPDX-License-Identifier: MIT
 *
 * Records from the feed's JSON: "kind id body" of any kind; never crashes, and what is taken is whole: no text is NULL,
 * and a copy of it is equal. A refusal says why.
 */
#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "directory/unit.h"
#include "fuzz.h"
#include "records/record_json.h"
#include "json/json_read.h"

union any_record {
	struct tenant_record tenant;
	struct project_record project;
	struct user_record user;
	struct member_record member;
	struct key_record key;
	struct host_record host;
	struct token_key_record token_key;
	struct revocation_record revocation;
};

static const char *store_text(void *context, const char *text, size_t length)
{
	return arena_strndup(context, text, length);
}

static void *store_room(void *context, size_t size)
{
	return arena_alloc(context, size);
}

static void check(const char *kind_word, const char *id, const char *body, size_t length)
{
	_cleanup_(json_decrefp) json_t *json = NULL;
	union any_record record, copy;
	struct problem problem = {0};
	enum record_kind kind;
	struct arena arena;
	const struct record_store store = {store_text, store_room, &arena};

	if (record_kind_parse(kind_word, &kind) < 0 || json_read(body, length, &json, &problem) < 0)
		return;
	arena_init(&arena);
	if (record_read_json(kind, "ten_fuzz", id, json, &store, &record, &problem) == 0) {
		FUZZ_CHECK(record_id_valid(kind, id));
		FUZZ_CHECK(record_copy(kind, &record, &store, &copy) == 0);
		FUZZ_CHECK(record_equal(kind, &record, &copy));
	} else {
		FUZZ_CHECK(problem.text[0]);
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
