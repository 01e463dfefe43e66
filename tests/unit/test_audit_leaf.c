/* SPDX-License-Identifier: MIT
 *
 * Events as they are kept: the leaf, and what is about people beside it.
 */
#include "unit.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "audit/keep.h"
#include "audit/user_event.h"
#include "base/clock.h"
#include "base/macros.h"
#include "base/text.h"
#include "ocsf_check.h"
#include "tlog/tlog.h"
#include "trail/leaf.h"
#include "json/json_read.h"

#define MINUTE (60 * USEC_PER_SEC)
#define KEPT_MAX 64U

/* A store that has everything in memory, and can be full. */
static struct {
	struct buffer leaf[KEPT_MAX], personal[KEPT_MAX];
	uint64_t count, told, told_times;
	struct tlog_hash head;
	bool full, no_memory;
} kept;
static struct audit *audit;
static struct buffer heard;
static unsigned heard_count;
static uint64_t now;
static json_t *schema;

static int store_next(void *context, struct leaf_link *ret)
{
	if (kept.full)
		return -ENOSPC;
	*ret = (struct leaf_link){
		.chain = "0123456789abcdef", .boot = "00112233445566778899aabbccddeeff", .sequence = kept.count + 1};
	memcpy(ret->prev, kept.head.bytes, sizeof(ret->prev));
	return 0;
}

static int store_append(void *context, const char *leaf, size_t leaf_length, const char *personal,
			size_t personal_length)
{
	assert_ptr_equal(context, &kept);
	if (kept.no_memory)
		return -ENOMEM;
	assert_true(kept.count < KEPT_MAX);
	assert_result(buffer_add(&kept.leaf[kept.count], leaf, leaf_length), 0);
	assert_result(buffer_add(&kept.personal[kept.count], personal, personal_length), 0);
	assert_result(tlog_leaf_hash(leaf, leaf_length, &kept.head), 0);
	kept.count++;
	return 0;
}

static void store_told(void *context, uint64_t count)
{
	kept.told += count;
	kept.told_times++;
}

static const struct audit_store store = {store_next, store_append, store_told, &kept};

static void hear(void *context, const struct audit_event *event, const char *fields, size_t length)
{
	heard_count++;
	buffer_clear(&heard);
	buffer_add(&heard, fields, length);
}

static uint64_t clock_now(void)
{
	return now;
}

static int setup(void **state)
{
	memset(&kept, 0, sizeof(kept));
	heard_count = 0;
	now = 1000 * MINUTE;
	schema = ocsf_schema();
	assert_result(audit_create("gpu-1", &audit), 0);
	audit_divert(audit, hear, NULL, clock_now);
	audit_set_store(audit, &store);
	assert_result(audit_set_host_id(audit, "hst_0123456789abcdef"), 0);
	return 0;
}

static void forget(void)
{
	for (size_t i = 0; i < KEPT_MAX; i++) {
		buffer_finish(&kept.leaf[i]);
		buffer_finish(&kept.personal[i]);
	}
	kept.count = 0;
}

static int teardown(void **state)
{
	audit_destroy(audit);
	forget();
	buffer_finish(&heard);
	json_decref(schema);
	return 0;
}

/* Every kind with everything set. */
static struct audit_event full(enum audit_kind kind)
{
	return (struct audit_event){
		.kind = kind,
		.reason = REASON_ROLE_TOO_LOW,
		.tenant = "acme",
		.tenant_id = "ten_acme",
		.project = "vision",
		.project_id = "prj_vision",
		.role = "viewer",
		.user = "secret-victor",
		.user_id = "usr_victor",
		.operator_name = "secret-olga@example.org",
		.grant = "grt_1",
		.grant_reason = "secret-ticket",
		.uid = 1879048212,
		.has_uid = true,
		.target_user = "secret-target",
		.target_user_id = "usr_target",
		.service = "sshd",
		.source = "192.0.2.99",
		.terminal = "secret-pts",
		.host_session = "0123456789abcdef",
		.credential = "api-key:secret-key",
		.action = "host.login",
		.record_kind = "user",
		.record_id = "usr_victor",
		.change = "added",
		.detail = "secret-detail",
		.data_json = "{\"run\":\"secret-data\"}",
		.caller_user_id = "usr_caller",
		.caller_pid = 4711,
		.caller_uid = 1879048299,
		.has_caller = true,
		.count = 1,
		.directory_generation = 12,
	};
}

static json_t *journal_object(void)
{
	const char *at = strstr(buffer_text(&heard), "\nOCSF=");
	struct problem problem = {0};
	json_t *object = NULL;

	assert_non_null(at);
	at += strlen("\nOCSF=");
	if (json_read(at, strcspn(at, "\n"), &object, &problem) < 0)
		fail_msg("%s", problem.text);
	return object;
}

/* The last event is in order in all of its forms: the leaf by itself, its personal data, the two merged, the journal.
 */
static struct leaf check_last(struct personal_list *ret_personal)
{
	struct buffer *leaf = &kept.leaf[kept.count - 1], *personal = &kept.personal[kept.count - 1];
	_cleanup_(json_decrefp) json_t *alone = NULL, *merged = NULL, *journal = NULL;
	_cleanup_(personal_finish) struct personal_list list = {0};
	struct problem problem = {0};
	char text[256];
	struct leaf read;

	if (leaf_read(leaf->data, leaf->length, &read, &problem) < 0)
		fail_msg("%s: %s", problem.text, buffer_text(leaf));
	if (personal_read(personal->data, personal->length, &read, &list, &problem) < 0)
		fail_msg("%s: %s", problem.text, buffer_text(personal));
	assert_result(json_read(leaf->data, leaf->length, &alone, &problem), 0);
	if (ocsf_fault(schema, alone, text, sizeof(text)))
		fail_msg("leaf of %s: %s\n%s", read.kind, text, buffer_text(leaf));
	merged = leaf_merge(leaf->data, leaf->length, &list);
	assert_non_null(merged);
	if (ocsf_fault(schema, merged, text, sizeof(text)))
		fail_msg("%s: %s", read.kind, text);
	journal = journal_object();
	if (!json_equal(merged, journal))
		fail_msg("%s: the journal has another event\n%s\n%s", read.kind, json_dumps(merged, JSON_SORT_KEYS),
			 json_dumps(journal, JSON_SORT_KEYS));
	if (ret_personal) {
		*ret_personal = list;
		list.count = 0;
	}
	return read;
}

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
			event = full(kind);
		event.record_kind = records[variant / 2 % 6];
		event.change = changes[variant / 2 / 6];
		if (kind >= AUDIT_CHAIN_BEGAN) /* those say what machines did, and that stays */
			event.detail = event.data_json = NULL;
		now += 10 * MINUTE;
		audit_tick(audit, now);
		audit_write(audit, &event);
		leaf = check_last(NULL);
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
		forget();
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
	struct audit_event event = full(AUDIT_PRIVILEGE_ALLOWED);
	_cleanup_(personal_finish) struct personal_list list = {0};
	struct leaf leaf;

	audit_write(audit, &event);
	leaf = check_last(&list);
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

		audit_write(audit, &(struct audit_event){.kind = table[i].kind,
							 .user = "victor",
							 .user_id = "usr_victor",
							 .record_kind = table[i].record,
							 .has_caller = table[i].caller != NULL,
							 .caller_user_id = table[i].caller,
							 .caller_uid = 1879048299});
		leaf = check_last(NULL);
		assert_string_equal(leaf.actor, table[i].actor);
		object = journal_object();
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

	audit_write(audit, &(struct audit_event){.kind = AUDIT_LOGIN_DENIED,
						 .reason = REASON_UNKNOWN_USER,
						 .user = "mistyped",
						 .target_user = "another",
						 .source = "198.51.100.7"});
	leaf = check_last(&list);
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
	struct audit_event event = full(AUDIT_LOGIN_DENIED);
	_cleanup_(personal_finish) struct personal_list list = {0};
	struct leaf leaf;

	event.user_id = "victor@example.org";
	event.tenant_id = "../etc";
	event.project_id = "a b";
	event.caller_user_id = "{}";
	event.target_user_id = "usr_\xff";
	audit_write(audit, &event);
	leaf = check_last(&list);
	assert_int_equal(leaf.person_count, 1);
	assert_string_equal(leaf.persons[0].person, "-");
	assert_string_equal(leaf.tenant_id, "");
	assert_string_equal(leaf.project_id, "");
	assert_null(strstr(buffer_text(&kept.leaf[0]), "victor@"));
	assert_result(audit_set_host_id(audit, "hst /"), -EINVAL);
	assert_result(
		audit_set_host_id(audit, "hst_0123456789012345678901234567890123456789012345678901234567890123456789"),
		-EINVAL);
}

static void a_program_of_the_system_is_no_person(void **state)
{
	struct leaf leaf;

	audit_write(audit, &(struct audit_event){.kind = AUDIT_CALL_REFUSED,
						 .action = "Sessions",
						 .caller_uid = 33,
						 .caller_pid = 4,
						 .has_caller = true});
	leaf = check_last(NULL);
	assert_int_equal(leaf.person_count, 0);
	assert_string_equal(buffer_text(&kept.personal[0]), "[]");
	assert_non_null(strstr(buffer_text(&kept.leaf[0]), "\"caller_uid\":\"33\""));
	assert_null(strstr(buffer_text(&kept.leaf[0]), "\"personal\""));
}

static void claimed_names_are_personal(void **state)
{
	audit_write(audit, &(struct audit_event){
				   .kind = AUDIT_NAME_CONFLICT, .record_kind = "login", .record_id = "secret-name"});
	check_last(NULL);
	assert_null(strstr(buffer_text(&kept.leaf[0]), "secret"));
	assert_non_null(strstr(buffer_text(&kept.personal[0]), "secret-name"));
}

static void salts_differ(void **state)
{
	struct audit_event event = full(AUDIT_LOGIN_ALLOWED);
	_cleanup_(personal_finish) struct personal_list first = {0}, second = {0};
	struct leaf a, b;

	audit_write(audit, &event);
	a = check_last(&first);
	audit_write(audit, &event);
	b = check_last(&second);
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

			now += 10 * MINUTE;
			audit_tick(audit, now);
			audit_write(audit, &event);
			assert_int_equal(audit_unkept(audit), 0);
			check_last(NULL);
			leaf = &kept.leaf[kept.count - 1];
			assert_true(leaf->length <= LEAF_BYTES_MAX);
			assert_true(text_is_printable(leaf->data, leaf->length));
			forget();
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

		audit_write(audit, &(struct audit_event){.kind = AUDIT_SERVICE_EVENT, .data_json = table[i].data});
		check_last(NULL);
		object = journal_object();
		wanted = table[i].wanted ? json_loads(table[i].wanted, 0, NULL) : NULL;
		if (wanted ? !json_equal(json_object_get(json_object_get(object, "unmapped"), "data"), wanted)
			   : json_object_get(json_object_get(object, "unmapped"), "data") != NULL)
			fail_msg("%s: %s", table[i].data, buffer_text(&heard));
		assert_int_equal(strstr(buffer_text(&heard), "\nTENANT_DATA=") != NULL, wanted != NULL);
	}
}

static void both_checkpoints_stand_in_the_leaf(void **state)
{
	audit_write(audit,
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
	check_last(NULL);
	assert_non_null(strstr(buffer_text(&kept.leaf[0]), "\"kept\":[\"control.example/audit/ten_acme\""));
	assert_non_null(strstr(buffer_text(&kept.leaf[0]), "another root"));
	assert_string_equal(buffer_text(&kept.personal[0]), "[]");
}

static void events_follow_one_another(void **state)
{
	struct tlog_hash before = {0};

	for (unsigned i = 1; i <= 5; i++) {
		struct audit_event event = full(AUDIT_LOGIN_ALLOWED);
		char id[64], line[96];
		struct leaf leaf;

		audit_write(audit, &event);
		leaf = check_last(NULL);
		(void)snprintf(id, sizeof(id), "0123456789abcdef-%u", i);
		assert_string_equal(leaf.id, id);
		assert_int_equal(leaf.link.sequence, i);
		assert_memory_equal(leaf.link.prev, before.bytes, SHA256_BYTES);
		before = kept.head;
		/* By which it is found in the journal. */
		(void)snprintf(line, sizeof(line), "\nTENANTD_EVENT_ID=%s\n", id);
		assert_non_null(strstr(buffer_text(&heard), line));
	}
}

/* ---- when there is no room ------------------------------------------------------------------------------------------
 */

static void what_was_not_kept_is_told_first(void **state)
{
	struct audit_event event = full(AUDIT_LOGIN_ALLOWED);
	struct leaf gap;
	struct problem problem;

	audit_write(audit, &event);
	kept.full = true;
	for (int i = 0; i < 3; i++)
		audit_write(audit, &event);
	assert_int_equal(kept.count, 1);
	assert_int_equal(audit_unkept(audit), 3);
	assert_int_equal(heard_count, 4); /* the journal has them */
	assert_null(strstr(buffer_text(&heard), "0123456789abcdef-"));
	assert_null(strstr(buffer_text(&heard), "\"chain\""));
	kept.full = false;
	audit_write(audit, &event);
	assert_int_equal(kept.count, 3);
	assert_int_equal(heard_count, 6);
	assert_result(leaf_read(kept.leaf[1].data, kept.leaf[1].length, &gap, &problem), 0);
	assert_string_equal(gap.kind, "audit-gap");
	assert_int_equal(gap.link.sequence, 2);
	assert_non_null(strstr(buffer_text(&kept.leaf[1]), "\"count\":3"));
	assert_non_null(strstr(buffer_text(&kept.leaf[1]), "\"record_id\":\"0123456789abcdef\""));
	assert_int_equal(kept.told, 3);
	check_last(NULL);
	audit_write(audit, &event); /* once */
	assert_int_equal(kept.count, 4);
	assert_int_equal(kept.told_times, 1);
}

/* At the end the journal says what the spool never will. */
static void a_gap_at_the_end(void **state)
{
	struct audit_event event = full(AUDIT_LOGIN_ALLOWED);

	kept.full = true;
	audit_write(audit, &event);
	audit_write(audit, &event);
	audit_destroy(audit);
	audit = NULL;
	assert_int_equal(kept.count, 0);
	assert_int_equal(heard_count, 3);
	assert_non_null(strstr(buffer_text(&heard), "\nTENANTD_EVENT=audit-gap\n"));
	assert_non_null(strstr(buffer_text(&heard), "\nTENANT_COUNT=2\n"));
}

static void a_gap_that_is_told_is_not_told_at_the_end(void **state)
{
	struct audit_event event = full(AUDIT_LOGIN_ALLOWED);

	kept.full = true;
	audit_write(audit, &event);
	kept.full = false;
	audit_destroy(audit);
	audit = NULL;
	assert_int_equal(kept.count, 1);
	assert_int_equal(kept.told, 1);
	assert_int_equal(heard_count, 2);
}

static void no_memory_is_no_hole(void **state)
{
	struct audit_event event = full(AUDIT_LOGIN_ALLOWED);
	struct leaf leaf;

	kept.no_memory = true;
	audit_write(audit, &event);
	audit_write(audit, &event); /* neither it, nor what is missing */
	assert_int_equal(kept.count, 0);
	assert_int_equal(heard_count, 2);
	assert_int_equal(audit_unkept(audit), 2);
	assert_int_equal(kept.told, 0);
	kept.no_memory = false;
	audit_write(audit, &event);
	assert_int_equal(kept.count, 2);
	assert_int_equal(kept.told, 2);
	leaf = check_last(NULL);
	assert_int_equal(leaf.link.sequence, 2);
}

static void without_a_store(void **state)
{
	struct audit_event event = full(AUDIT_LOGIN_ALLOWED);
	_cleanup_(json_decrefp) json_t *object = NULL;
	char text[256];

	audit_set_store(audit, NULL);
	audit_write(audit, &event);
	assert_int_equal(kept.count, 0);
	assert_int_equal(audit_unkept(audit), 0);
	object = journal_object();
	assert_null(ocsf_fault(schema, object, text, sizeof(text)));
	assert_null(json_object_get(json_object_get(object, "unmapped"), "personal"));
	assert_null(json_object_get(json_object_get(object, "unmapped"), "chain"));
	assert_non_null(strstr(buffer_text(&heard), "secret-victor"));
}

/* What is grouped is kept as it is written. */
static void grouped_events_are_kept_as_one(void **state)
{
	struct audit_event event = full(AUDIT_KEY_USED);
	struct leaf leaf;

	for (int i = 0; i < 10; i++)
		audit_write(audit, &event);
	assert_int_equal(kept.count, 1);
	now += 6 * MINUTE;
	audit_tick(audit, now);
	assert_int_equal(kept.count, 2);
	leaf = check_last(NULL);
	assert_string_equal(leaf.tenant_id, "ten_acme");
	assert_string_equal(leaf.project_id, "prj_vision");
	assert_non_null(strstr(buffer_text(&kept.leaf[1]), "\"count\":9"));
}

static void what_the_spool_finds(void **state)
{
	static const struct {
		enum spool_finding finding;
		const char *kind;
		enum leaf_outcome outcome;
		unsigned severity;
	} table[] = {
		{SPOOL_CHAIN_BEGAN, "audit-chain-began", LEAF_SUCCESS, 2},
		{SPOOL_REPAIRED, "audit-repaired", LEAF_SUCCESS, 3},
		{SPOOL_DAMAGED, "audit-damaged", LEAF_FAILURE, 5},
		{SPOOL_BROKEN, "audit-broken", LEAF_FAILURE, 4},
		{SPOOL_WHOLE, "audit-broken", LEAF_SUCCESS, 4},
		{SPOOL_OVERWRITTEN, "audit-overwritten", LEAF_SUCCESS, 2},
	};

	assert_int_equal(ARRAY_LEN(table), SPOOL_FINDING_COUNT);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct leaf leaf;

		audit_found(audit, table[i].finding, 17, 4, "in segment 1");
		leaf = check_last(NULL);
		assert_string_equal(leaf.kind, table[i].kind);
		assert_int_equal(leaf.outcome, table[i].outcome);
		assert_int_equal(leaf.severity_id, table[i].severity);
		assert_non_null(strstr(buffer_text(&kept.leaf[i]), "\"detail\":\"in segment 1, from 17 on\""));
		assert_non_null(strstr(buffer_text(&kept.leaf[i]), "\"count\":4"));
		assert_non_null(strstr(buffer_text(&kept.leaf[i]), "\"record_id\":\"0123456789abcdef\""));
	}
	audit_found(audit, SPOOL_FINDING_COUNT, 0, 0, NULL);
	assert_int_equal(kept.count, SPOOL_FINDING_COUNT);
	audit_found(audit, SPOOL_CHAIN_BEGAN, 0, 0, NULL);
	check_last(NULL);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(every_kind_as_leaf_and_as_a_whole),
		TEST(each_has_their_own),
		TEST(whose_doing_it_is),
		TEST(nobody_whom_the_directory_knows),
		TEST(ids_that_are_none),
		TEST(a_program_of_the_system_is_no_person),
		TEST(claimed_names_are_personal),
		TEST(salts_differ),
		TEST(hostile_text),
		TEST(a_services_object),
		TEST(both_checkpoints_stand_in_the_leaf),
		TEST(events_follow_one_another),
		TEST(what_was_not_kept_is_told_first),
		TEST(a_gap_at_the_end),
		TEST(a_gap_that_is_told_is_not_told_at_the_end),
		TEST(no_memory_is_no_hole),
		TEST(without_a_store),
		TEST(grouped_events_are_kept_as_one),
		TEST(what_the_spool_finds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
