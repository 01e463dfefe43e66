/* SPDX-License-Identifier: MIT
 *
 * Audit events: what reaches the journal, whatever somebody put into names.
 */
#include "unit.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/macros.h"
#include "base/text.h"
#include "ocsf_check.h"
#include "json/json_read.h"

#define MINUTE (60 * USEC_PER_SEC)

static struct audit *audit;
static uint64_t now;
static struct {
	unsigned count;
	uint64_t times; /* of the last event */
	struct buffer last, all;
} heard;

static void hear(void *context, const struct audit_event *event, const char *fields, size_t length)
{
	heard.count++;
	heard.times = event->count;
	buffer_clear(&heard.last);
	buffer_add(&heard.last, fields, length);
	buffer_add(&heard.all, fields, length);
}

static uint64_t clock_now(void)
{
	return now;
}

static int setup(void **state)
{
	memset(&heard, 0, sizeof(heard));
	now = 1000 * MINUTE;
	assert_result(audit_create("gpu-1", &audit), 0);
	audit_divert(audit, hear, NULL, clock_now);
	return 0;
}

static int teardown(void **state)
{
	audit_destroy(audit);
	buffer_finish(&heard.last);
	buffer_finish(&heard.all);
	return 0;
}

/* Every kind with everything set. */
static struct audit_event full(enum audit_kind kind)
{
	return (struct audit_event){
		.kind = kind,
		.reason = REASON_ROLE_TOO_LOW,
		.tenant = "acme",
		.project = "vision",
		.role = "viewer",
		.user = "victor",
		.user_id = "usr_victor",
		.uid = 1879048212,
		.has_uid = true,
		.target_user = "root",
		.service = "sshd",
		.source = "192.0.2.1",
		.terminal = "pts/0",
		.host_session = "0123456789abcdef",
		.credential = "api-key:key_0123456789abcdef",
		.action = "host.login",
		.record_kind = "user",
		.record_id = "usr_victor",
		.change = "added",
		.detail = "attempt 1 of 3",
		.data_json = "{\"run\":7}",
		.caller_pid = 4711,
		.caller_uid = 33,
		.has_caller = true,
		.count = 1,
		.directory_generation = 12,
	};
}

static const char *field(struct buffer *fields, const char *name, char *out, size_t size)
{
	char wanted[64];
	const char *at = buffer_text(fields);

	snprintf(wanted, sizeof(wanted), "%s=", name);
	while (at && *at) {
		size_t length = strcspn(at, "\n");

		if (text_starts(at, wanted)) {
			snprintf(out, size, "%.*s", (int)(length - strlen(wanted)), at + strlen(wanted));
			return out;
		}
		at += length + (at[length] == '\n');
	}
	return NULL;
}

static json_t *ocsf_of(struct buffer *fields)
{
	static char text[65536];
	struct problem problem = {0};
	json_t *object = NULL;

	assert_non_null(field(fields, "OCSF", text, sizeof(text)));
	if (json_read(text, strlen(text), &object, &problem) < 0)
		fail_msg("%s: %s", problem.text, text);
	return object;
}

/* The whole of one event as it is sent, but for what differs from run to run. */
static void golden(void **state)
{
	static const char wanted[] =
		"MESSAGE=Sign-in denied: victor of acme becomes root: user usr_victor added by sshd from 192.0.2.1 "
		"as viewer of vision with api-key:key_0123456789abcdef, asking host.login, called by uid 33 "
		"(role-too-low): attempt 1 of 3\n"
		"MESSAGE_ID=51aeb95271234311b6f54cb11593b61e\n"
		"PRIORITY=5\n"
		"SYSLOG_FACILITY=10\n"
		"SYSLOG_IDENTIFIER=tenantd\n"
		"TENANTD_EVENT=login-denied\n"
		"TENANT_REASON=role-too-low\n"
		"TENANT=acme\n"
		"TENANT_PROJECT=vision\n"
		"TENANT_ROLE=viewer\n"
		"TENANT_USER=victor\n"
		"TENANT_USER_ID=usr_victor\n"
		"TENANT_TARGET_USER=root\n"
		"TENANT_SERVICE=sshd\n"
		"TENANT_SOURCE=192.0.2.1\n"
		"TENANT_TERMINAL=pts/0\n"
		"TENANT_SESSION=0123456789abcdef\n"
		"TENANT_CREDENTIAL=api-key:key_0123456789abcdef\n"
		"TENANT_ACTION=host.login\n"
		"TENANT_RECORD_KIND=user\n"
		"TENANT_RECORD_ID=usr_victor\n"
		"TENANT_CHANGE=added\n"
		"TENANT_DETAIL=attempt 1 of 3\n"
		"TENANT_UID=1879048212\n"
		"TENANT_CALLER_UID=33\n"
		"TENANT_CALLER_PID=4711\n"
		"TENANT_COUNT=1\n"
		"TENANT_FAILURE=1\n"
		"TENANT_GENERATION=12\n"
		"TENANT_DATA={\"run\":7}\n"
		"TENANTD_EVENT_ID=";
	struct audit_event event = full(AUDIT_LOGIN_DENIED);
	const char *text;

	audit_write(audit, &event);
	text = buffer_text(&heard.last);
	if (!text_starts(text, wanted))
		fail_msg("%s", text);
	assert_int_equal(text[heard.last.length - 1], '\n');
	text = strchr(text, '\0') - heard.last.length + strlen(wanted); /* past the id: OCSF, and nothing more */
	text = strchr(text, '\n') + 1;
	assert_true(text_starts(text, "OCSF={"));
	assert_null(strchr(text, '\n')[1] == '\0' ? NULL : text);
}

static void almost_nothing_known(void **state)
{
	char value[64];

	for (int kind = 0; kind < AUDIT_KIND_COUNT; kind++) {
		struct audit_event event = {.kind = kind};

		heard.count = 0;
		audit_write(audit, &event);
		assert_int_equal(heard.count, 1);
		assert_string_equal(field(&heard.last, "TENANTD_EVENT", value, sizeof(value)), audit_kind_word(kind));
		assert_null(field(&heard.last, "TENANT_USER", value, sizeof(value)));
		json_decref(ocsf_of(&heard.last));
	}
	heard.count = 0;
	audit_write(audit, &(struct audit_event){.kind = AUDIT_KIND_COUNT});
	audit_write(audit, &(struct audit_event){.kind = -1});
	audit_write(NULL, &(struct audit_event){.kind = AUDIT_AGENT_STARTED});
	assert_int_equal(heard.count, 0);
	assert_int_equal(audit_lost(audit), 2);
}

static void hostile_text(void **state)
{
	static const char *const hostile[] = {
		"eve\nMESSAGE=all is well",
		"eve\r\nTENANT_USER=root",
		"eve\033[2J\033]0;owned\007",
		"eve\xff\xfe\x80",
		"eve\302\23331m",         /* a C1 control */
		"eve\342\200\256txt.exe", /* right-to-left override */
		"eve\xe2\x80\xa8line",
		"eve\177\b\b\b",
		"\"},\"class_uid\":0,\"x\":{\"",
		"%s%n%n%n",
		"eve\xed\xa0\x80", /* a surrogate */
		"eve\xc0\xaf",     /* overlong */
	};

	for (size_t h = 0; h < ARRAY_LEN(hostile); h++)
		for (int kind = 0; kind < AUDIT_KIND_COUNT; kind++) {
			const char *bad = hostile[h];
			struct audit_event event = {
				.kind = kind,
				.tenant = bad,
				.project = bad,
				.role = bad,
				.user = bad,
				.user_id = bad,
				.target_user = bad,
				.service = bad,
				.source = bad,
				.terminal = bad,
				.host_session = bad,
				.credential = bad,
				.action = bad,
				.record_kind = bad,
				.record_id = bad,
				.change = bad,
				.detail = bad,
				.data_json = bad,
			};
			char value[1200];
			unsigned lines = 0, names = 0;
			json_t *object;

			now += 10 * MINUTE;
			audit_tick(audit, now);
			audit_write(audit, &event);
			for (size_t i = 0; i < heard.last.length; i++) {
				unsigned char c = (unsigned char)heard.last.data[i];

				if (c == '\n')
					lines++;
				else if (c < ' ' || c == 0x7f)
					fail_msg("%zu, %s: byte %02x", h, audit_kind_word(kind), c);
			}
			assert_non_null(field(&heard.last, "MESSAGE", value, sizeof(value)));
			assert_true(text_is_printable(value, strlen(value)));
			for (const char *at = buffer_text(&heard.last); *at; at = strchr(at, '\n') + 1) {
				assert_true(at[0] >= 'A' && at[0] <= 'Z');
				names += text_starts(at, "MESSAGE=") || text_starts(at, "TENANT_USER=");
			}
			assert_int_equal(names, 2); /* one of each */
			assert_true(lines > 15);
			assert_null(field(&heard.last, "TENANT_DATA", value, sizeof(value)));
			assert_non_null(field(&heard.last, "TENANT_USER", value, sizeof(value)));
			assert_true(text_is_printable(value, strlen(value)));
			object = ocsf_of(&heard.last);
			assert_true(json_integer_value(json_object_get(object, "class_uid")) > 3000);
			json_decref(object);
		}
	assert_int_equal(audit_lost(audit), 0);
}

static void long_text(void **state)
{
	static char huge[100000], json[20000];
	char value[4096];

	memset(huge, 'x', sizeof(huge) - 1);
	memset(json, ' ', sizeof(json) - 1);
	json[0] = '{';
	json[sizeof(json) - 2] = '}';
	audit_write(
		audit,
		&(struct audit_event){
			.kind = AUDIT_SERVICE_EVENT, .user = huge, .detail = huge, .source = huge, .data_json = json});
	assert_int_equal(strlen(field(&heard.last, "TENANT_USER", value, sizeof(value))), 1023);
	assert_null(field(&heard.last, "TENANT_DATA", value, sizeof(value)));
}

/* Somebody's program logs what it was given. */
static void keys_in_texts_lose_their_secret(void **state)
{
#define KEY_TEXT "tnt_pk_0123456789abcdef_SecretSecretSecretSecret"
	audit_write(audit, &(struct audit_event){.kind = AUDIT_SERVICE_EVENT,
						 .user = KEY_TEXT,
						 .detail = "upload with " KEY_TEXT " failed",
						 .data_json = "{\"header\":\"Bearer " KEY_TEXT "\"}"});
	assert_null(strstr(buffer_text(&heard.last), "Secret"));
	assert_non_null(strstr(buffer_text(&heard.last), "TENANT_USER=tnt_pk_0123456789abcdef_*"));
	assert_non_null(strstr(buffer_text(&heard.last), "TENANT_DETAIL=upload with tnt_pk_0123456789abcdef_*"));
	json_decref(ocsf_of(&heard.last));
}

/* Each kind with nothing and with everything said, about each kind of record and change. */
static void every_event_is_one_of_ocsf(void **state)
{
	static const char *const records[] = {"tenant", "project", "user", "member", "key", "host"};
	static const char *const changes[] = {"added", "removed", "updated"};
	_cleanup_(json_decrefp) json_t *schema = ocsf_schema();

	for (int round = 0; round < AUDIT_KIND_COUNT * 2 * 18; round++) {
		int kind = round % AUDIT_KIND_COUNT, variant = round / AUDIT_KIND_COUNT;
		struct audit_event event = {.kind = kind};
		_cleanup_(json_decrefp) json_t *object = NULL;
		char text[256];

		if (variant % 2)
			event = full(kind);
		event.record_kind = records[variant / 2 % 6];
		event.change = changes[variant / 2 / 6];
		now += 10 * MINUTE;
		audit_tick(audit, now);
		audit_write(audit, &event);
		object = ocsf_of(&heard.last);
		if (ocsf_fault(schema, object, text, sizeof(text)))
			fail_msg("%s: %s", audit_kind_word(kind), text);
		/* Milliseconds of this century, not seconds and not microseconds. */
		assert_in_range(json_integer_value(json_object_get(object, "time")), 1600000000000, 4100000000000);
	}
}

/* What the check itself is good for. */
static void what_is_not_of_ocsf_is_found(void **state)
{
	static const struct {
		const char *path[3];
		const char *value; /* NULL: taken away */
	} changes[] = {
		{{"class_uid"}, "4711"},
		{{"class_uid"}, "3003"},
		{{"activity_id"}, "7"},
		{{"activity_id"}, "\"1\""},
		{{"type_uid"}, "300202"},
		{{"time"}, NULL},
		{{"time"}, "\"now\""},
		{{"metadata"}, NULL},
		{{"metadata"}, "[]"},
		{{"metadata", "version"}, NULL},
		{{"metadata", "product"}, NULL},
		{{"metadata", "product", "vendor_name"}, NULL},
		{{"metadata", "flavour"}, "1"},
		{{"severity_id"}, "7"},
		{{"status_id"}, "3"},
		{{"user"}, NULL},
		{{"user"}, "{}"},
		{{"user", "name"}, "7"},
		{{"user", "name"}, "\"\""},
		{{"device", "type_id"}, NULL},
		{{"src_endpoint", "ip"}, "\"here\""},
		{{"actor", "process", "pid"}, "\"1\""},
		{{"is_remote"}, "1"},
		{{"colour"}, "1"},
	};
	_cleanup_(json_decrefp) json_t *schema = ocsf_schema(), *good = NULL;
	struct audit_event event = full(AUDIT_LOGIN_DENIED);
	char text[256];

	audit_write(audit, &event);
	good = ocsf_of(&heard.last);
	assert_null(ocsf_fault(schema, good, text, sizeof(text)));
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		_cleanup_(json_decrefp) json_t *bad = json_deep_copy(good);
		json_t *at = bad;
		unsigned last = 0;

		for (; last < 2 && changes[i].path[last + 1]; last++)
			at = json_object_get(at, changes[i].path[last]);
		if (changes[i].value)
			json_object_set_new(at, changes[i].path[last],
					    json_loads(changes[i].value, JSON_DECODE_ANY, NULL));
		else
			json_object_del(at, changes[i].path[last]);
		if (!ocsf_fault(schema, bad, text, sizeof(text)))
			fail_msg("change %zu of %s passed", i, changes[i].path[0]);
	}
}

static void success_and_failure(void **state)
{
	static const struct {
		enum audit_kind kind;
		bool failure;
		int status;
	} table[] = {
		{AUDIT_LOGIN_ALLOWED, false, 1},     {AUDIT_LOGIN_DENIED, false, 2},
		{AUDIT_LOGIN_BROKEN, false, 2},      {AUDIT_PRIVILEGE_DENIED, false, 2},
		{AUDIT_KEY_REFUSED, false, 2},       {AUDIT_CALL_REFUSED, false, 2},
		{AUDIT_SERVICE_EVENT, false, 1},     {AUDIT_SERVICE_EVENT, true, 2},
		{AUDIT_DIRECTORY_REFUSED, false, 2}, {AUDIT_ACCESS_CHECKED, false, 2},
		{AUDIT_SESSION_OPENED, false, 1},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		json_t *object;

		now += 10 * MINUTE;
		audit_write(audit, &(struct audit_event){.kind = table[i].kind, .failure = table[i].failure});
		object = ocsf_of(&heard.last);
		assert_int_equal(json_integer_value(json_object_get(object, "status_id")), table[i].status);
		json_decref(object);
	}
}

static void every_kind_is_explained(void **state)
{
	_cleanup_(buffer_finish) struct buffer catalog = BUFFER_INIT, table = BUFFER_INIT;
	char id[64], line[64], seen[AUDIT_KIND_COUNT][64];
	struct stat st;

	assert_result(file_read(AT_FDCWD, "conf/tenantd.catalog", 1 << 20, FILE_TRUST_ANY, 0, &catalog, &st), 0);
	assert_result(file_read(AT_FDCWD, "docs/audit-events.md", 1 << 20, FILE_TRUST_ANY, 0, &table, &st), 0);
	for (int kind = 0; kind < AUDIT_KIND_COUNT; kind++) {
		const char *entry, *end;
		_cleanup_(freep) char *body = NULL;

		now += 10 * MINUTE;
		audit_write(audit, &(struct audit_event){.kind = kind});
		assert_non_null(field(&heard.last, "MESSAGE_ID", id, sizeof(id)));
		assert_int_equal(strlen(id), 32);
		for (int other = 0; other < kind; other++)
			assert_string_not_equal(id, seen[other]);
		strcpy(seen[kind], id);
		snprintf(line, sizeof(line), "\n-- %s\n", id);
		entry = strstr(buffer_text(&catalog), line);
		if (!entry) {
			fail_msg("%s is not in the catalog", audit_kind_word(kind));
			continue;
		}
		entry += strlen(line);
		end = strstr(entry, "\n-- ");
		body = end ? strndup(entry, (size_t)(end - entry)) : strdup(entry);
		assert_true(text_starts(body, "Subject: "));
		assert_non_null(strstr(body, "\nDefined-By: tenantd\n"));
		end = strstr(body, "\n\n");
		assert_true(end && strlen(end) > 60); /* says something */
		assert_non_null(strstr(buffer_text(&table), id));
		snprintf(line, sizeof(line), "| `%s` |", audit_kind_word(kind));
		assert_non_null(strstr(buffer_text(&table), line));
	}
}

static struct audit_event use(const char *credential, const char *source)
{
	return (struct audit_event){.kind = AUDIT_KEY_USED,
				    .user = "alice",
				    .credential = credential,
				    .service = "mlflow",
				    .source = source,
				    .caller_uid = 33,
				    .has_caller = true,
				    .count = 1};
}

static void uses_are_counted(void **state)
{
	struct audit_event event = use("api-key:key_a", "192.0.2.1");
	struct audit_event other = use("api-key:key_a", "192.0.2.2");
	char value[64];

	assert_int_equal(audit_next_tick(audit), 0);
	audit_write(audit, &event);
	assert_int_equal(heard.count, 1);
	assert_int_equal(audit_next_tick(audit), 0); /* nothing waits: no timer */
	for (int i = 0; i < 41; i++)
		audit_write(audit, &event);
	assert_int_equal(heard.count, 1);
	assert_int_equal(audit_next_tick(audit), now + 5 * MINUTE);
	audit_write(audit, &other); /* another source is another group */
	assert_int_equal(heard.count, 2);
	audit_tick(audit, now + 5 * MINUTE - 1);
	assert_int_equal(heard.count, 2);
	now += 5 * MINUTE;
	audit_tick(audit, now);
	assert_int_equal(heard.count, 3);
	assert_int_equal(heard.times, 41);
	assert_string_equal(field(&heard.last, "TENANT_COUNT", value, sizeof(value)), "41");
	assert_string_equal(field(&heard.last, "TENANT_SOURCE", value, sizeof(value)), "192.0.2.1");
	assert_string_equal(field(&heard.last, "TENANT_USER", value, sizeof(value)), "alice");
	assert_int_equal(audit_next_tick(audit), 0);
	/* In use still: counted on; long out of use: a first one again. */
	audit_write(audit, &event);
	assert_int_equal(heard.count, 3);
	now += 5 * MINUTE;
	audit_tick(audit, now);
	assert_int_equal(heard.count, 4);
	assert_int_equal(heard.times, 1);
	now += 60 * MINUTE;
	audit_write(audit, &event);
	assert_int_equal(heard.count, 5);
}

static void what_waits_is_written_at_the_end(void **state)
{
	struct audit_event event = use("api-key:key_a", "");

	for (int i = 0; i < 8; i++)
		audit_write(audit, &event);
	assert_int_equal(heard.count, 1);
	audit_destroy(audit);
	audit = NULL;
	assert_int_equal(heard.count, 2);
	assert_int_equal(heard.times, 7);
	assert_result(audit_create("gpu-1", &audit), 0);
}

static void refused_calls_by_uid(void **state)
{
	for (unsigned i = 0; i < 1000; i++) {
		char method[32];

		snprintf(method, sizeof(method), "Method%u", i); /* changing the method helps nobody to flood */
		audit_write(audit, &(struct audit_event){.kind = AUDIT_CALL_REFUSED,
							 .reason = REASON_NOT_PERMITTED,
							 .action = method,
							 .caller_uid = 1000 + i % 2,
							 .has_caller = true});
	}
	assert_int_equal(heard.count, 2);
	now += 5 * MINUTE;
	audit_tick(audit, now);
	assert_int_equal(heard.count, 4);
	assert_int_equal(heard.times, 499);
}

static void sign_ins_are_never_grouped(void **state)
{
	struct audit_event event = full(AUDIT_LOGIN_DENIED);

	for (int i = 0; i < 100; i++)
		audit_write(audit, &event);
	assert_int_equal(heard.count, 100);
}

static void more_groups_than_places(void **state)
{
	char name[64];

	/* Nothing is lost when all places are taken: the sum of what was written is the sum of what was. */
	uint64_t written = 0;

	for (int round = 0; round < 2; round++)
		for (unsigned i = 0; i < 20000; i++) {
			struct audit_event event = use(name, "");
			unsigned before = heard.count;

			snprintf(name, sizeof(name), "api-key:key_%u", i);
			audit_write(audit, &event);
			if (heard.count > before)
				written += heard.times;
		}
	while (audit_next_tick(audit)) {
		now += 5 * MINUTE;
		buffer_clear(&heard.all);
		for (unsigned before = heard.count;;) {
			audit_tick(audit, now);
			if (heard.count == before)
				break;
			/* Each summary stands for one here. */
			written += heard.count - before;
			before = heard.count;
		}
	}
	assert_int_equal(written, 40000);
}

static void lost_events_are_counted(void **state)
{
	char value[64];

	/* One that cannot be rendered stands for one that the journal does not take. */
	audit_write(audit, &(struct audit_event){.kind = -1});
	audit_write(audit, &(struct audit_event){.kind = -1});
	assert_int_equal(audit_lost(audit), 2);
	audit_write(audit, &(struct audit_event){.kind = AUDIT_AGENT_STARTED});
	assert_string_equal(field(&heard.last, "TENANTD_LOST", value, sizeof(value)), "2");
	audit_write(audit, &(struct audit_event){.kind = AUDIT_AGENT_STARTED});
	assert_null(field(&heard.last, "TENANTD_LOST", value, sizeof(value)));
	assert_int_equal(audit_lost(audit), 2);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(golden),
		TEST(almost_nothing_known),
		TEST(hostile_text),
		TEST(long_text),
		TEST(keys_in_texts_lose_their_secret),
		TEST(every_event_is_one_of_ocsf),
		TEST(what_is_not_of_ocsf_is_found),
		TEST(success_and_failure),
		TEST(every_kind_is_explained),
		TEST(uses_are_counted),
		TEST(what_waits_is_written_at_the_end),
		TEST(refused_calls_by_uid),
		TEST(sign_ins_are_never_grouped),
		TEST(more_groups_than_places),
		TEST(lost_events_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
