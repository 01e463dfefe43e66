/* SPDX-License-Identifier: MIT
 *
 * Events as they are kept: the leaf, and what is about people beside it.
 */
#include "unit.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "base/macros.h"
#include "base/text.h"
#include "leaf_fixture.h"

/* All of each kind, in all forms; and nothing of a person in any leaf but their id. */
static void every_kind_as_leaf_and_as_a_whole(void **state)
{
	static const char *const records[] = {"tenant", "project", "user", "member", "key", "feed"};
	static const char *const changes[] = {"added", "removed", "updated"};

	for (int round = 0; round < AUDIT_KIND_COUNT * 2 * 18; round++) {
		int kind = round % AUDIT_KIND_COUNT, variant = round / AUDIT_KIND_COUNT;
		struct audit_event event = {.kind = kind};
		struct leaf leaf;

		if (variant % 2)
			event = kept_full_event(kind);
		event.record_kind = records[variant / 2 % 6];
		event.change = changes[variant / 2 / 6];
		if (kind >= AUDIT_CHAIN_BEGAN) /* those say what machines did, and that stays */
			event.detail = event.data_json = NULL;
		kept_now += 10 * MINUTE;
		audit_tick(kept_audit, kept_now);
		audit_write(kept_audit, &event);
		leaf = kept_check_last(NULL);
		assert_string_equal(leaf.kind, audit_kind_word(kind));
		assert_string_equal(leaf.host_id, "hst_0123456789abcdef");
		assert_string_equal(leaf.tenant_id, variant % 2 ? "ten_acme" : "");
		assert_true(leaf.linked);
		if (variant % 2) {
			assert_null(strstr(buffer_text(&kept.leaf[kept.count - 1]), "secret"));
			assert_null(strstr(buffer_text(&kept.leaf[kept.count - 1]), "192.0.2.99"));
			assert_null(strstr(buffer_text(&kept.leaf[kept.count - 1]), "18790482"));
			assert_true(leaf.person_count >= 2);
		}
		kept_forget();
	}
}

static const char *patch_of(const struct personal_list *list, const char *person)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (text_equal(list->items[i].person, person))
			return list->items[i].patch;
	return "";
}

/* Who is erased takes their own data along, and nobody else's. */
static void each_has_their_own(void **state)
{
	struct audit_event event = kept_full_event(AUDIT_PRIVILEGE_ALLOWED);
	_cleanup_(personal_finish) struct personal_list list = {0};
	struct leaf leaf;

	audit_write(kept_audit, &event);
	leaf = kept_check_last(&list);
	assert_int_equal(leaf.person_count, 3);
	assert_string_equal(leaf.actor, "usr_caller");
	assert_string_equal(leaf.project_id, "prj_vision");
	assert_non_null(strstr(patch_of(&list, "usr_victor"), "secret-victor"));
	assert_non_null(strstr(patch_of(&list, "usr_victor"), "192.0.2.99"));
	assert_non_null(strstr(patch_of(&list, "usr_victor"), "secret-olga"));
	assert_null(strstr(patch_of(&list, "usr_victor"), "secret-target"));
	assert_null(strstr(patch_of(&list, "usr_victor"), "1879048299"));
	assert_string_equal(patch_of(&list, "usr_target"), "{\"unmapped\":{\"target_user\":\"secret-target\"}}");
	assert_non_null(strstr(patch_of(&list, "usr_caller"), "1879048299"));
	assert_null(strstr(patch_of(&list, "usr_caller"), "victor"));
}

/* A project that nobody knows is what somebody typed: it may be anything, and goes with whom it was asked for. */
static void a_project_that_is_none_is_no_part_of_the_leaf(void **state)
{
	struct audit_event event = {.kind = AUDIT_ACCESS_CHECKED,
				    .reason = REASON_NOT_PERMITTED,
				    .tenant_id = "ten_acme",
				    .project = "secret-words of victor",
				    .user = "victor",
				    .user_id = "usr_victor"};

	for (int known = 0; known < 2; known++) {
		_cleanup_(personal_finish) struct personal_list list = {0};

		event.project_id = known ? "prj_vision" : NULL;
		event.project = known ? "vision" : "secret-words of victor";
		audit_write(kept_audit, &event);
		(void)kept_check_last(&list);
		assert_null(strstr(buffer_text(&kept.leaf[kept.count - 1]), "secret"));
		assert_int_equal(strstr(buffer_text(&kept.leaf[kept.count - 1]), "\"project\":\"vision\"") != NULL,
				 known);
		assert_int_equal(strstr(patch_of(&list, "usr_victor"), "secret-words") != NULL, !known);
	}
}

static void an_action_that_is_no_word_is_no_part_of_the_leaf(void **state)
{
	static const char *const actions[] = {"dataset.write", "the secret plans of victor", "io.tenantd.Agent.Emit"};

	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		_cleanup_(personal_finish) struct personal_list list = {0};
		bool word = i != 1;
		const char *leaf;

		audit_write(kept_audit, &(struct audit_event){.kind = AUDIT_ACCESS_CHECKED,
							      .reason = REASON_NOT_PERMITTED,
							      .tenant_id = "ten_acme",
							      .action = actions[i],
							      .user = "victor",
							      .user_id = "usr_victor"});
		(void)kept_check_last(&list);
		leaf = buffer_text(&kept.leaf[kept.count - 1]);
		assert_int_equal(strstr(leaf, actions[i]) != NULL, word);
		assert_int_equal(strstr(leaf, "\"operation\":\"other\"") != NULL, !word);
		assert_int_equal(strstr(patch_of(&list, "usr_victor"), actions[i]) != NULL, !word);
	}
}

/* Who did it: whoever asked, else the user; and nobody where it happened to them. */
static void whose_doing_it_is(void **state)
{
	static const struct {
		enum audit_kind kind;
		const char *caller, *record, *actor;
		bool in_unmapped;
	} table[] = {
		{AUDIT_LOGIN_ALLOWED, NULL, NULL, "usr_victor", false},
		{AUDIT_SERVICE_EVENT, NULL, NULL, "usr_victor", false},
		{AUDIT_SERVICE_EVENT, "usr_caller", NULL, "usr_caller", true},
		{AUDIT_SERVICE_EVENT, "usr_victor", NULL, "usr_victor", false},
		{AUDIT_CALL_REFUSED, "usr_caller", NULL, "usr_caller", true},
		{AUDIT_DIRECTORY_CHANGED, NULL, "key", "", true},
		{AUDIT_DIRECTORY_CHANGED, NULL, "user", "usr_victor", false}, /* `user` itself, no actor */
		{AUDIT_SESSION_ENDING, NULL, NULL, "usr_victor", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		_cleanup_(json_decrefp) json_t *object = NULL;
		struct leaf leaf;

		audit_write(kept_audit, &(struct audit_event){.kind = table[i].kind,
							      .user = "victor",
							      .user_id = "usr_victor",
							      .record_kind = table[i].record,
							      .has_caller = table[i].caller != NULL,
							      .caller_user_id = table[i].caller,
							      .caller_uid = 1879048299});
		leaf = kept_check_last(NULL);
		assert_string_equal(leaf.actor, table[i].actor);
		object = kept_journal_object();
		assert_int_equal(json_object_get(json_object_get(object, "unmapped"), "user") != NULL,
				 table[i].in_unmapped);
		if (table[i].kind == AUDIT_DIRECTORY_CHANGED || table[i].kind == AUDIT_SESSION_ENDING)
			assert_null(json_object_get(json_object_get(object, "actor"), "user"));
	}
}

static void nobody_whom_the_directory_knows(void **state)
{
	_cleanup_(personal_finish) struct personal_list list = {0};
	struct leaf leaf;

	audit_write(kept_audit, &(struct audit_event){.kind = AUDIT_LOGIN_DENIED,
						      .reason = REASON_UNKNOWN_USER,
						      .user = "mistyped",
						      .target_user = "another",
						      .source = "198.51.100.7"});
	leaf = kept_check_last(&list);
	assert_int_equal(leaf.person_count, 1);
	assert_string_equal(leaf.persons[0].person, "-");
	assert_string_equal(leaf.actor, "");
	assert_non_null(strstr(list.items[0].patch, "mistyped"));
	assert_non_null(strstr(list.items[0].patch, "another"));
	assert_null(strstr(buffer_text(&kept.leaf[0]), "mistyped"));
}

/* What is no id does not come into the leaf as one. */
static void ids_that_are_none(void **state)
{
	struct audit_event event = kept_full_event(AUDIT_LOGIN_DENIED);
	_cleanup_(personal_finish) struct personal_list list = {0};
	struct leaf leaf;

	event.user_id = "victor@example.org";
	event.tenant_id = "../etc";
	event.project_id = "a b";
	event.caller_user_id = "{}";
	event.target_user_id = "usr_\xff";
	audit_write(kept_audit, &event);
	leaf = kept_check_last(&list);
	assert_int_equal(leaf.person_count, 1);
	assert_string_equal(leaf.persons[0].person, "-");
	assert_string_equal(leaf.tenant_id, "");
	assert_string_equal(leaf.project_id, "");
	assert_null(strstr(buffer_text(&kept.leaf[0]), "victor@"));
	assert_result(audit_set_host_id(kept_audit, "hst /"), -EINVAL);
	assert_result(audit_set_host_id(kept_audit,
					"hst_0123456789012345678901234567890123456789012345678901234567890123456789"),
		      -EINVAL);
}

static void a_program_of_the_system_is_no_person(void **state)
{
	struct leaf leaf;

	audit_write(kept_audit, &(struct audit_event){.kind = AUDIT_CALL_REFUSED,
						      .action = "Sessions",
						      .caller_uid = 33,
						      .caller_pid = 4,
						      .has_caller = true});
	leaf = kept_check_last(NULL);
	assert_int_equal(leaf.person_count, 0);
	assert_string_equal(buffer_text(&kept.personal[0]), "[]");
	assert_non_null(strstr(buffer_text(&kept.leaf[0]), "\"caller_uid\":\"33\""));
	assert_null(strstr(buffer_text(&kept.leaf[0]), "\"personal\""));
}

static void claimed_names_are_personal(void **state)
{
	audit_write(
		kept_audit,
		&(struct audit_event){.kind = AUDIT_NAME_CONFLICT, .record_kind = "login", .record_id = "secret-name"});
	kept_check_last(NULL);
	assert_null(strstr(buffer_text(&kept.leaf[0]), "secret"));
	assert_non_null(strstr(buffer_text(&kept.personal[0]), "secret-name"));
}

static void salts_differ(void **state)
{
	struct audit_event event = kept_full_event(AUDIT_LOGIN_ALLOWED);
	_cleanup_(personal_finish) struct personal_list first = {0}, second = {0};
	struct leaf a, b;

	audit_write(kept_audit, &event);
	a = kept_check_last(&first);
	audit_write(kept_audit, &event);
	b = kept_check_last(&second);
	assert_int_equal(a.person_count, b.person_count);
	for (uint32_t i = 0; i < a.person_count; i++) {
		assert_string_equal(first.items[i].patch, second.items[i].patch);
		assert_memory_not_equal(first.items[i].salt, second.items[i].salt, SALT_BYTES);
		assert_memory_not_equal(a.persons[i].commitment, b.persons[i].commitment, SHA256_BYTES);
		for (uint32_t k = 0; k < i; k++)
			assert_memory_not_equal(first.items[i].salt, first.items[k].salt, SALT_BYTES);
	}
}

/* Whatever somebody put into a name: one line, printable, the same in all forms. */
static void hostile_text(void **state)
{
	static char huge[40000], quotes[5000], wide[6000];
	const char *const hostile[] = {
		"eve\nMESSAGE=all is well",
		"eve\033[2J\033]0;owned\007",
		"eve\xff\xfe\x80",
		"eve\302\23331m",
		"eve\342\200\256txt.exe",
		"eve\xe2\x80\xa8line",
		"\177\b\b\b",
		"\"},\"class_uid\":0,\"x\":{\"",
		"%s%n%n%n",
		"eve\xed\xa0\x80",
		"eve\xc0\xaf",
		"eve\\u0000\\",
		"{\"a\":null}",
		"",
		huge,
		quotes,
		wide,
		"-",
		"null",
	};

	memset(huge, 'x', sizeof(huge) - 1);
	memset(quotes, '"', sizeof(quotes) - 1);
	for (size_t i = 0; i + 3 < sizeof(wide); i += 3)
		memcpy(wide + i, "\xe2\x82\xac", 3);
	for (size_t h = 0; h < ARRAY_LEN(hostile); h++)
		for (int kind = 0; kind < AUDIT_KIND_COUNT; kind++) {
			const char *bad = hostile[h];
			struct audit_event event = {
				.kind = kind,
				.tenant = bad,
				.tenant_id = bad,
				.project = bad,
				.project_id = bad,
				.role = bad,
				.user = bad,
				.user_id = bad,
				.operator_name = bad,
				.grant = bad,
				.grant_reason = bad,
				.target_user = bad,
				.target_user_id = bad,
				.service = bad,
				.source = bad,
				.terminal = bad,
				.host_session = bad,
				.credential = bad,
				.action = bad,
				.cause = bad,
				.record_kind = bad,
				.record_id = bad,
				.change = bad,
				.detail = bad,
				.data_json = bad,
				.caller_user_id = bad,
			};
			struct buffer *leaf;

			kept_now += 10 * MINUTE;
			audit_tick(kept_audit, kept_now);
			audit_write(kept_audit, &event);
			assert_int_equal(audit_unkept(kept_audit), 0);
			kept_check_last(NULL);
			leaf = &kept.leaf[kept.count - 1];
			assert_true(leaf->length <= LEAF_BYTES_MAX);
			assert_true(text_is_printable(leaf->data, leaf->length));
			kept_forget();
		}
}

/* A service's own object, whatever is in it: it arrives, or is left out. */
static void a_services_object(void **state)
{
	static char deep[200], large[9000];
	const struct {
		const char *data, *wanted; /* NULL: left out */
	} table[] = {
		{"{\"run\":7}", "{\"run\":7}"},
		{"{\"a\":null,\"b\":{\"c\":null}}", "{\"b\":{}}"},
		{"{\"t\":\"\\u001b[2J\"}", "{\"t\":\"\\\\x1b[2J\"}"},
		{"{\"\\n\":\"\\u202e\"}", "{\"\\\\x0a\":\"\\\\xe2\\\\x80\\\\xae\"}"},
		{"{\"k\":[1,null,\"x\"]}", "{\"k\":[1,null,\"x\"]}"},
		{"{\"a\":1,\"a\":2}", NULL},
		{"{\"a\":1e999}", NULL},
		{"{\"a\":\"\\ud800\"}", NULL},
		{"{\"a\":\"\\u0000\"}", NULL},
		{"[]", NULL},
		{"{", NULL},
		{"{} {}", NULL},
		{deep, NULL},
		{large, NULL},
	};

	for (size_t i = 0; i < 20; i++)
		memcpy(deep + 5 * i, "{\"a\":", 5);
	memcpy(deep + 100, "1", 1);
	memset(deep + 101, '}', 20);
	memset(large, ' ', sizeof(large) - 1);
	large[0] = '{';
	large[sizeof(large) - 2] = '}';
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		_cleanup_(json_decrefp) json_t *object = NULL, *wanted = NULL;

		audit_write(kept_audit, &(struct audit_event){.kind = AUDIT_SERVICE_EVENT, .data_json = table[i].data});
		kept_check_last(NULL);
		object = kept_journal_object();
		wanted = table[i].wanted ? json_loads(table[i].wanted, 0, NULL) : NULL;
		if (wanted ? !json_equal(json_object_get(json_object_get(object, "unmapped"), "data"), wanted)
			   : json_object_get(json_object_get(object, "unmapped"), "data") != NULL)
			fail_msg("%s: %s", table[i].data, buffer_text(&kept_journal));
		assert_int_equal(strstr(buffer_text(&kept_journal), "\nTENANT_DATA=") != NULL, wanted != NULL);
	}
}

static void both_checkpoints_stand_in_the_leaf(void **state)
{
	audit_write(kept_audit,
		    &(struct audit_event){
			    .kind = AUDIT_LOG_FORKED,
			    .record_kind = "audit-log",
			    .record_id = "control.example/audit/ten_acme",
			    .change = "other-root",
			    .detail = "another root at the size 7",
			    .data_json =
				    "{\"kept\":[\"control.example/audit/ten_acme\",\"7\",\"AAAA\",\"\",\"\xe2\x80\x94 "
				    "control.example x\"],\"shown\":[\"7\"]}",
		    });
	kept_check_last(NULL);
	assert_non_null(strstr(buffer_text(&kept.leaf[0]), "\"kept\":[\"control.example/audit/ten_acme\""));
	assert_non_null(strstr(buffer_text(&kept.leaf[0]), "another root"));
	assert_string_equal(buffer_text(&kept.personal[0]), "[]");
}

static void what_a_sink_answered_is_not_in_the_leaf(void **state)
{
	audit_write(kept_audit, &(struct audit_event){.kind = AUDIT_DEAD_LETTER,
						      .record_kind = "audit-sink",
						      .record_id = "logs",
						      .change = "logs",
						      .count = 1,
						      .detail = "it answers 400: no user secret-alice@example.org"});
	kept_check_last(NULL);
	assert_null(strstr(buffer_text(&kept.leaf[0]), "secret"));
	assert_non_null(strstr(buffer_text(&kept.personal[0]), "secret-alice"));
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, kept_setup, kept_teardown)
	const struct CMUnitTest tests[] = {
		TEST(every_kind_as_leaf_and_as_a_whole),
		TEST(each_has_their_own),
		TEST(a_project_that_is_none_is_no_part_of_the_leaf),
		TEST(an_action_that_is_no_word_is_no_part_of_the_leaf),
		TEST(whose_doing_it_is),
		TEST(nobody_whom_the_directory_knows),
		TEST(ids_that_are_none),
		TEST(a_program_of_the_system_is_no_person),
		TEST(claimed_names_are_personal),
		TEST(salts_differ),
		TEST(hostile_text),
		TEST(a_services_object),
		TEST(both_checkpoints_stand_in_the_leaf),
		TEST(what_a_sink_answered_is_not_in_the_leaf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
