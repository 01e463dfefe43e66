/* SPDX-License-Identifier: MIT
 *
 * The control plane's own events, as they go into the inbox: each kind is an event of OCSF, by its leaf alone and with
 * all personal data; and what is somebody's is in no leaf.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "../ocsf_check.h"
#include "../unit.h"
#include "base/buffer.h"
#include "base/macros.h"
#include "base/text.h"
#include "control_plane/audit/audit.h"
#include "control_plane/audit/event.h"
#include "control_plane/audit/kinds.h"
#include "json/json_read.h"

/* What came into the inbox last. */
static struct {
	unsigned count;
	struct buffer leaf;
	json_t *alone, *merged;
	char log_id[LEAF_ID_MAX];
	struct leaf read;
	uint32_t persons;
	char person[LEAF_PERSONS_MAX][LEAF_ID_MAX];
} put;
static json_t *schema;

int __wrap_inbox_put(struct app *app, struct db_tx *tx, const char *log_id, const char *host_id, const char *host_name,
		     const struct inbox_record *records, uint32_t count);
int __wrap_inbox_put(struct app *app, struct db_tx *tx, const char *log_id, const char *host_id, const char *host_name,
		     const struct inbox_record *records, uint32_t count)
{
	_cleanup_(buffer_finish) struct buffer line = BUFFER_INIT;
	_cleanup_(personal_finish) struct personal_list again = {0};
	struct problem problem = {0};

	assert_int_equal(count, 1);
	buffer_clear(&put.leaf);
	json_decref(put.alone);
	json_decref(put.merged);
	put.count++;
	assert_result(buffer_add(&put.leaf, records->leaf, records->length), 0);
	(void)snprintf(put.log_id, sizeof(put.log_id), "%s", log_id);
	put.read = *records->read;
	/* As whoever reads it from the database takes it. */
	assert_result(personal_write(records->personal, &line), 0);
	if (personal_read(line.data, line.length, records->read, &again, &problem) < 0)
		fail_msg("%s: %s", problem.text, buffer_text(&line));
	put.persons = again.count;
	for (uint32_t i = 0; i < again.count; i++)
		memcpy(put.person[i], again.items[i].person, LEAF_ID_MAX);
	assert_result(json_read(records->leaf, records->length, &put.alone, &problem), 0);
	put.merged = leaf_merge(records->leaf, records->length, &again);
	assert_non_null(put.merged);
	return 0;
}

static int setup(void **state)
{
	memset(&put, 0, sizeof(put));
	schema = ocsf_schema();
	return 0;
}

static int teardown(void **state)
{
	buffer_finish(&put.leaf);
	json_decref(put.alone);
	json_decref(put.merged);
	json_decref(schema);
	return 0;
}

static void assert_put(const struct control_event *event)
{
	unsigned before = put.count;
	char text[256];
	int r = control_event_put(NULL, NULL, event);

	if (r < 0 || put.count != before + 1)
		fail_msg("%s of %s: %d", event->kind, event->actor ? event->actor : "nobody", r);
	if (ocsf_fault(schema, put.alone, text, sizeof(text)))
		fail_msg("leaf of %s: %s\n%s", event->kind, text, buffer_text(&put.leaf));
	if (ocsf_fault(schema, put.merged, text, sizeof(text)))
		fail_msg("%s: %s", event->kind, text);
	assert_string_equal(put.read.kind, event->kind);
	assert_false(put.read.linked);
}

/* Each kind, by everybody who can have done it, to everything that it can be done to. */
static void every_kind_is_one_of_ocsf(void **state)
{
	static const char *const actors[] = {"usr_0123456789abcdef",
					     "opr_0123456789abcdef",
					     "hst_0123456789abcdef",
					     "svc_0123456789abcdef",
					     "local",
					     EVENT_OWN_ACTOR,
					     "",
					     "mistyped",
					     NULL};
	static const char *const targets[] = {"usr_fedcba9876543210",
					      "usr_fedcba9876543210/prj_0123456789abcdef",
					      "prj_0123456789abcdef",
					      "owner",
					      "",
					      NULL};
	_cleanup_(json_decrefp) json_t *data =
		json_pack("{s:s, s:s, s:i, s:s, s:n, s:[s]}", "role", "editor", "login", "alice", "count", 3,
			  "operator", "opr_0123456789abcdef", "nothing", "projects", "vision");
	const struct event_kind *kind;
	size_t count = 0;

	for (size_t i = 0; (kind = event_kind_at(i)); i++)
		for (size_t a = 0; a < ARRAY_LEN(actors); a++)
			for (size_t t = 0; t < ARRAY_LEN(targets); t++) {
				assert_put(&(struct control_event){
					.log_id = t % 2 ? "ten_0123456789abcdef" : "",
					.kind = kind->word,
					.failure = (a + t) % 2,
					.actor = actors[a],
					.actor_name = t ? "alice@acme.example" : NULL,
					.credential = a % 2 ? "token:1" : NULL,
					.source = t % 3 ? "192.0.2.7" : NULL,
					.request_id = "req_1",
					.target = targets[t],
					.data = a % 3 ? data : NULL,
				});
				count++;
			}
	assert_true(count > 60 * ARRAY_LEN(actors) * ARRAY_LEN(targets));
	assert_put(&(struct control_event){.kind = "kind.of-tomorrow"});
}

static void nothing_of_a_person_is_in_the_leaf(void **state)
{
	_cleanup_(json_decrefp) json_t *data =
		json_pack("{s:s, s:s, s:s, s:{s:s}}", "login", "secret-login", "email", "secret@acme.example", "label",
			  "secret-label", "more", "inner", "secret-inner");
	const struct event_kind *kind;

	for (size_t i = 0; (kind = event_kind_at(i)); i++) {
		if (kind->plain) /* about things */
			continue;
		assert_put(&(struct control_event){
			.log_id = "ten_0123456789abcdef",
			.kind = kind->word,
			.actor = "usr_0123456789abcdef",
			.actor_name = "secret-actor",
			.credential = "secret-credential",
			.source = "192.0.2.77",
			.target = "usr_fedcba9876543210",
			.data = data,
		});
		if (strstr(buffer_text(&put.leaf), "secret") || strstr(buffer_text(&put.leaf), "192.0.2.77"))
			fail_msg("%s: %s", kind->word, buffer_text(&put.leaf));
		assert_string_equal(put.read.actor, "usr_0123456789abcdef");
		assert_string_equal(put.read.tenant_id, "ten_0123456789abcdef");
	}
}

/* Words that say nothing about people elsewhere. */
static void nobody_is_in_words_that_are_open(void **state)
{
	_cleanup_(json_decrefp) json_t *data =
		json_pack("{s:[{s:s}], s:[], s:s, s:s}", "before", "subject", "secret-subject", "after", "user",
			  "secret-user", "operator", "secret-operator");
	const struct event_kind *kind;

	for (size_t i = 0; (kind = event_kind_at(i)); i++) {
		if (kind->plain || kind->class_uid == OCSF_USER_ACCESS)
			continue;
		assert_put(&(struct control_event){.kind = kind->word,
						   .actor = "usr_0123456789abcdef",
						   .target = "usr_fedcba9876543210",
						   .data = data});
		if (strstr(buffer_text(&put.leaf), "secret"))
			fail_msg("%s: %s", kind->word, buffer_text(&put.leaf));
		assert_non_null(
			json_object_get(json_object_get(json_object_get(put.merged, "unmapped"), "data"), "before"));
	}
}

/* Whoever asks for more than an event can hold is named with where they come from all the same. */
static void too_much_hides_nobody(void **state)
{
	_cleanup_(json_decrefp) json_t *filter = json_object(), *data = NULL;
	const json_t *unmapped, *source;

	for (int i = 0; i < 40; i++) {
		char name[32], value[900];

		(void)snprintf(name, sizeof(name), "%d", i);
		memset(value, 'x', sizeof(value) - 1);
		value[sizeof(value) - 1] = '\0';
		assert_int_equal(json_object_set_new(filter, name, json_string(value)), 0);
	}
	data = json_pack("{s:O}", "filter", filter);
	assert_put(&(struct control_event){.log_id = "ten_0123456789abcdef",
					   .kind = "audit.view",
					   .actor = "usr_0123456789abcdef",
					   .actor_name = "mallory",
					   .credential = "api-key:1",
					   .source = "192.0.2.7",
					   .target = "ten_0123456789abcdef",
					   .data = data});
	unmapped = json_object_get(put.merged, "unmapped");
	source = json_object_get(json_object_get(put.merged, "src_endpoint"), "ip");
	assert_non_null(source);
	assert_string_equal(json_string_value(source), "192.0.2.7");
	assert_string_equal(json_string_value(json_object_get(unmapped, "credential")), "api-key:1");
	assert_true(json_is_true(json_object_get(unmapped, "data_left_out")));
}

/* What somebody typed and what is no id of anybody does not become one. */
static void whoever_is_refused_is_nobody(void **state)
{
	assert_put(&(struct control_event){.kind = "sign-in",
					   .failure = true,
					   .actor = "secret-name",
					   .source = "192.0.2.7",
					   .target = "secret-name"});
	assert_null(strstr(buffer_text(&put.leaf), "secret-name"));
	assert_string_equal(put.read.actor, "");
	assert_int_equal(put.persons, 1);
	assert_string_equal(put.person[0], "-");
	assert_int_equal(put.read.outcome, LEAF_FAILURE);
	assert_string_equal(put.log_id, "");
}

static void hostile_text(void **state)
{
	static char huge[40000], quotes[9000];
	const char *const hostile[] = {"eve\nline",     "eve\033[2J", "eve\302\23331m", "eve\342\200\256txt",
				       "\"},\"a\":{\"", "%s%n",       "eve\177",        huge,
				       quotes};
	const struct event_kind *kind;

	memset(huge, 'x', sizeof(huge) - 1);
	memset(quotes, '"', sizeof(quotes) - 1);
	for (size_t h = 0; h < ARRAY_LEN(hostile); h++)
		for (size_t i = 0; (kind = event_kind_at(i)); i++) {
			_cleanup_(json_decrefp) json_t *data =
				json_pack("{s:s, s:s, s:{s:[s]}}", "reason", hostile[h], "role", hostile[h], "user",
					  hostile[h], hostile[h]);

			assert_put(&(struct control_event){
				.kind = kind->word,
				.failure = i % 2,
				.actor = h % 2 ? hostile[h] : "usr_0123456789abcdef",
				.actor_name = hostile[h],
				.credential = hostile[h],
				.target = hostile[h],
				.request_id = "req_1",
				.project_id = hostile[h],
				.data = data,
			});
			assert_true(text_is_printable(put.leaf.data, put.leaf.length));
			assert_true(put.leaf.length <= LEAF_BYTES_MAX);
		}
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(every_kind_is_one_of_ocsf),        TEST(nothing_of_a_person_is_in_the_leaf),
		TEST(nobody_is_in_words_that_are_open), TEST(too_much_hides_nobody),
		TEST(whoever_is_refused_is_nobody),     TEST(hostile_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
