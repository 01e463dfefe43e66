/* SPDX-License-Identifier: MIT
 *
 * The built tenantctl on a journal: which events it finds, and what it does not take for one.
 */
#include "unit.h"

#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/macros.h"
#include "base/text.h"
#include "directory_fixture.h"
#include "program_fixture.h"
#include "json/json_read.h"

#define NOON 1795176000ULL /* 2026-11-20T12:00:00Z */

/* A journal's file as journald would have it, made of the export format. */
static const char *const remote_programs[] = {"/lib/systemd/systemd-journal-remote",
					      "/usr/lib/systemd/systemd-journal-remote"};

static char tenantctl[PATH_MAX], *folder;
static struct buffer export_text;
static const char *unit;
static uint64_t second;

static void hear(void *context, const struct audit_event *event, const char *fields, size_t length)
{
	buffer_printf(&export_text,
		      "__REALTIME_TIMESTAMP=%llu\n__MONOTONIC_TIMESTAMP=%llu\n"
		      "_BOOT_ID=00112233445566778899aabbccddeeff\n_SYSTEMD_UNIT=%s\n",
		      (unsigned long long)((NOON + second) * USEC_PER_SEC), (unsigned long long)(second + 1), unit);
	buffer_add(&export_text, fields, length);
	buffer_add_char(&export_text, '\n');
	second += 60;
}

static void write_events(void)
{
	static const char *const users[] = {"alice", "bob"};
	struct audit *audit;

	assert_result(audit_create("gpu-1", &audit), 0);
	audit_divert(audit, hear, NULL, NULL);
	unit = "tenantd.service";
	audit_write(audit, &(struct audit_event){.kind = AUDIT_AGENT_STARTED});
	for (size_t i = 0; i < 2; i++) {
		struct audit_event event = {
			.kind = AUDIT_LOGIN_DENIED,
			.reason = REASON_KEY_WRONG,
			.tenant = "acme",
			.tenant_id = "ten_acme",
			.project = i ? "sound" : "vision",
			.project_id = i ? "prj_sound" : "prj_vision",
			.user = users[i],
			.user_id = i ? "usr_bob" : "usr_alice",
			.service = "sshd",
			.source = "192.0.2.1",
			.detail = "attempt 1 of 3\033[2J",
		};

		audit_write(audit, &event);
		event.kind = AUDIT_LOGIN_ALLOWED;
		event.reason = REASON_ALLOWED;
		event.host_session = i ? "" : "0123456789abcdef";
		audit_write(audit, &event);
	}
	audit_write(audit, &(struct audit_event){.kind = AUDIT_PRIVILEGE_ALLOWED,
						 .tenant = "acme",
						 .user = "bob",
						 .target_user = "alice",
						 .target_user_id = "usr_alice"});
	/* Anybody may write to the journal. */
	unit = "user@1000.service";
	audit_write(audit, &(struct audit_event){.kind = AUDIT_LOGIN_ALLOWED, .user = "alice", .tenant = "acme"});
	unit = "tenantd-helper.service";
	second += 60;
	buffer_printf(
		&export_text,
		"__REALTIME_TIMESTAMP=%llu\n__MONOTONIC_TIMESTAMP=900\n_BOOT_ID=00112233445566778899aabbccddeeff\n"
		"_SYSTEMD_UNIT=tenantd-helper.service\nMESSAGE=refused\nTENANTD_EVENT=helper-refused\n"
		"TENANT_REASON=not-the-agent\nPRIORITY=4\n\n",
		(unsigned long long)((NOON + second) * USEC_PER_SEC));
	/* What the unit itself says is no event. */
	buffer_printf(
		&export_text,
		"__REALTIME_TIMESTAMP=%llu\n__MONOTONIC_TIMESTAMP=901\n_BOOT_ID=00112233445566778899aabbccddeeff\n"
		"_SYSTEMD_UNIT=tenantd.service\nMESSAGE=Started.\n\n",
		(unsigned long long)((NOON + second + 1) * USEC_PER_SEC));
	audit_destroy(audit);
}

static int setup(void **state)
{
	const char *program = access(remote_programs[0], X_OK) == 0 ? remote_programs[0] : remote_programs[1];
	char *argv[] = {(char *)(uintptr_t)program, (char *)(uintptr_t) "-o", (char *)(uintptr_t) "host.journal",
			(char *)(uintptr_t) "host.export", NULL};
	char out[4096], path[PATH_MAX];

	folder = make_folder();
	write_events();
	(void)snprintf(path, sizeof(path), "%s/host.export", folder);
	assert_result(file_replace(AT_FDCWD, path, export_text.data, export_text.length, 0600, NULL), 0);
	if (program_run(argv, folder, NULL, out, sizeof(out)) != 0)
		fail_msg("%s (package systemd-journal-remote): %s", program, out);
	(void)snprintf(path, sizeof(path), "%s/garbage.journal", folder);
	assert_result(file_replace(AT_FDCWD, path, "no journal", 10, 0600, NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	buffer_finish(&export_text);
	remove_folder(folder);
	return 0;
}

static int run(const char *words, char *out, size_t size)
{
	char line[1024];

	(void)snprintf(line, sizeof(line), "audit %s", words);
	return program_run_words(tenantctl, line, folder, out, size);
}

static void assert_run(const char *words, int code, const char *part)
{
	char out[8192];
	int got = run(words, out, sizeof(out));

	if (got != code || (part && !strstr(out, part)))
		fail_msg("%s: %d\n%s", words, got, out);
}

/* The kinds that come, in order, as one text. */
static void assert_kinds(const char *words, const char *wanted)
{
	_cleanup_(json_decrefp) json_t *list = NULL;
	char line[512], found[512] = "";
	static char out[65536];
	struct problem problem = {0};
	int code;

	(void)snprintf(line, sizeof(line), "search --journal host.journal --json %s", words);
	code = run(line, out, sizeof(out));
	if (json_read(out, strlen(out), &list, &problem) < 0 || !json_is_array(list))
		fail_msg("%s: %d\n%s", words, code, out);
	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *event = json_array_get(list, i), *metadata = json_object_get(event, "metadata");
		const char *kind = json_string_value(json_object_get(metadata, "event_code"));

		if (!kind)
			kind = json_string_value(json_object_get(event, "TENANTD_EVENT"));
		(void)snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s", i ? " " : "", kind);
	}
	if (!text_equal(found, wanted))
		fail_msg("%s: %s", words, found);
	assert_int_equal(code, *wanted ? 0 : 1);
}

static void what_is_found(void **state)
{
	static const struct {
		const char *words, *wanted;
	} table[] = {
		{"", "agent-started login-denied login-allowed login-denied login-allowed privilege-allowed "
		     "helper-refused"},
		{"--user alice", "login-denied login-allowed privilege-allowed"},
		{"--user usr_alice", "login-denied login-allowed privilege-allowed"},
		{"--user bob", "login-denied login-allowed privilege-allowed"},
		{"--user mallory", ""},
		{"--tenant acme", "login-denied login-allowed login-denied login-allowed privilege-allowed"},
		{"--tenant ten_acme", "login-denied login-allowed login-denied login-allowed"},
		{"--tenant beta", ""},
		{"--project vision", "login-denied login-allowed"},
		{"--project acme/vision", "login-denied login-allowed"},
		{"--project prj_sound", "login-denied login-allowed"},
		{"--project beta/vision", ""},
		{"--session 0123456789abcdef", "login-allowed"},
		{"--kind login-denied", "login-denied login-denied"},
		{"--kind login-denied,agent-started", "agent-started login-denied login-denied"},
		{"--kind login-denied --kind agent-started", "agent-started login-denied login-denied"},
		{"--kind helper-refused", "helper-refused"},
		{"--outcome failure", "login-denied login-denied"},
		{"--outcome success --user bob", "login-allowed privilege-allowed"},
		{"--user alice --project sound", ""},
		{"--kind login-denied --user bob", "login-denied"},
		{"--lines 2", "privilege-allowed helper-refused"},
		{"--lines 1 --user alice", "privilege-allowed"},
		{"--lines 2 --outcome success", "privilege-allowed helper-refused"},
		{"--lines 100", "agent-started login-denied login-allowed login-denied login-allowed privilege-allowed "
				"helper-refused"},
		{"--since 2026-11-20T12:04:00Z", "login-allowed privilege-allowed helper-refused"},
		{"--since 2026-11-20T12:01:00Z --until 2026-11-20T12:02:00Z", "login-denied"},
		{"--until 2026-11-20T12:01:00Z", "agent-started"},
		{"--until 2026-11-20T12:03:00Z --lines 1", "login-allowed"},
		{"--since 2026-11-20T12:05:00Z --lines 10", "privilege-allowed helper-refused"},
		{"--since 2026-11-21", ""},
		{"--id 0-0-0", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		assert_kinds(table[i].words, table[i].wanted);
}

static void by_its_id(void **state)
{
	_cleanup_(json_decrefp) json_t *list = NULL;
	static char out[65536];
	char words[256];

	assert_int_equal(run("search --journal host.journal --json --kind agent-started", out, sizeof(out)), 0);
	list = json_loads(out, 0, NULL);
	(void)snprintf(words, sizeof(words), "--id %s",
		       json_string_value(json_object_get(json_object_get(json_array_get(list, 0), "metadata"), "uid")));
	assert_kinds(words, "agent-started");
}

static void for_people(void **state)
{
	char out[8192];

	assert_run("search --journal host.journal --user alice --kind login-denied", 0, "TIME");
	assert_run("search --journal host.journal --user alice --kind login-denied", 0,
		   "2026-11-20T12:01:00Z  login-denied         alice             acme/vision           sshd");
	assert_run("search --journal host.journal --user mallory", 1, "No such events.");
	assert_run("tail --journal host.journal --lines 1", 0, "helper-refused");
	assert_run("tail --journal host.journal --lines 3 --user bob", 0, "bob > alice");
	assert_run("tail --journal .", 0, "agent-started");
	assert_int_equal(run("search --journal host.journal", out, sizeof(out)), 0);
	assert_null(strchr(out, '\033'));
	assert_null(strstr(out, "user@1000"));
}

/* A line each, so that a program can read along. */
static void for_programs_that_follow(void **state)
{
	static char out[65536];
	unsigned lines = 0;

	assert_int_equal(run("tail --journal host.journal --json", out, sizeof(out)), 0);
	for (char *at = out, *end; *at; at = end + 1) {
		_cleanup_(json_decrefp) json_t *object = NULL;

		end = strchr(at, '\n');
		assert_non_null(end);
		*end = '\0';
		object = json_loads(at, 0, NULL);
		assert_true(json_is_object(object));
		lines++;
	}
	assert_int_equal(lines, 7);
}

static void what_makes_no_sense(void **state)
{
	static char words[700];
	static const char *const usage[] = {
		"search --kind login-dennied",
		"search --outcome maybe",
		"search --since yesterday",
		"search --since 12",
		"search --until 2026-13-01",
		"search --since 2026-11-21 --until 2026-11-20",
		"search --lines 0",
		"search --lines -1",
		"search --lines many",
		"search alice",
		"search --follow",
		"tail --until 2026-11-20",
		"tail --user",
		"find",
		"",
	};

	for (size_t i = 0; i < ARRAY_LEN(usage); i++)
		assert_run(usage[i], 2, NULL);
	assert_run("search --kind login-dennied", 2, "did you mean 'login-denied'");
	(void)snprintf(words, sizeof(words), "search --journal host.journal --user ");
	memset(words + strlen(words), 'x', 400);
	assert_run(words, 1, NULL);
	assert_run("search --journal nowhere.journal", 3, "nowhere.journal");
	assert_run("search --journal garbage.journal", 3, "cannot read");
	assert_run("search --journal nowhere.journal --json", 3, "{\"error\":");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_found),       cmocka_unit_test(by_its_id),
		cmocka_unit_test(for_people),          cmocka_unit_test(for_programs_that_follow),
		cmocka_unit_test(what_makes_no_sense),
	};
	char self[PATH_MAX] = "";

	/* The program of this build: <build>/tests/unit/this, <build>/tenantctl. */
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	(void)snprintf(tenantctl, sizeof(tenantctl), "%.4000s/../../tenantctl", dirname(self));
	return cmocka_run_group_tests(tests, setup, teardown);
}
