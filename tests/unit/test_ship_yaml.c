/* SPDX-License-Identifier: MIT
 *
 * audit.sinks: what a list of sinks says, and what is refused, with which advice.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ship/ship_yaml.h"
#include "unit.h"

struct home {
	struct ship_list sinks;
};
static const struct setting host_options[] = {SETTING("sinks", ship_settings_host, 0)};
static const struct setting log_options[] = {SETTING("sinks", ship_settings_log, 0)};
static const struct setting host_top = SETTING_GROUP("", host_options), log_top = SETTING_GROUP("", log_options);

static int parse(struct arena *arena, const char *text, bool log, struct ship_list *ret, struct problem *problem)
{
	struct home home = {0};
	struct settings settings = {
		.config = &home, .arena = arena, .manual = "agent.yaml(5)", .file = "a.yaml", .problem = problem};
	int result;

	*problem = (struct problem){0};
	result = settings_read_text(&settings, log ? &log_top : &host_top, text, strlen(text));
	*ret = home.sinks;
	return result;
}

static void takes_everything(void **state)
{
	struct problem problem;
	struct arena arena;
	struct ship_list list;

	arena_init(&arena);
	assert_result(parse(&arena,
			    "sinks:\n"
			    "- {name: one, kind: otlp, url: 'https://c.example/v1/logs', token_file: /a/token, "
			    "ca_file: /a/ca,\n"
			    "   cert_file: /a/crt, key_file: /a/key, batch: 100, timeout: 3s, checkpoints: true}\n"
			    "- {name: two, kind: syslog, host: logs.example}\n"
			    "- {name: three, kind: syslog, host: '::1', port: 7000, events: false, checkpoints: true}\n"
			    "- {name: four, kind: http, url: 'http://127.0.0.1:80/x'}\n"
			    "- {name: five, kind: file, path: /var/lib/x}\n",
			    true, &list, &problem),
		      0);
	assert_int_equal(list.count, 5);
	assert_int_equal(list.items[0].kind, SHIP_OTLP);
	assert_string_equal(list.items[0].url, "https://c.example/v1/logs");
	assert_string_equal(list.items[0].token_file, "/a/token");
	assert_string_equal(list.items[0].cert_file, "/a/crt");
	assert_int_equal(list.items[0].batch, 100);
	assert_int_equal(list.items[0].timeout_ms, 3000);
	assert_true(list.items[0].events && list.items[0].checkpoints);
	assert_string_equal(list.items[1].host, "logs.example");
	assert_int_equal(list.items[1].port, 6514);
	assert_int_equal(list.items[1].batch, 512);
	assert_int_equal(list.items[1].timeout_ms, 10000);
	assert_true(list.items[1].events && !list.items[1].checkpoints);
	assert_int_equal(list.items[2].port, 7000);
	assert_true(!list.items[2].events && list.items[2].checkpoints);
	assert_true(!list.items[3].events && list.items[3].checkpoints);
	assert_string_equal(list.items[4].path, "/var/lib/x");
	arena_finish(&arena);
}

static void a_later_list_takes_the_place(void **state)
{
	struct problem problem;
	struct arena arena;
	struct ship_list list;

	arena_init(&arena);
	assert_result(parse(&arena, "sinks: []\n", false, &list, &problem), 0);
	assert_int_equal(list.count, 0);
	arena_finish(&arena);
}

#define SYSLOG "kind: syslog, host: h"
static void refuses_with_place_and_advice(void **state)
{
	static const struct {
		const char *text, *what;
		bool log;
	} rows[] = {
		{"sinks: x", "a list of sinks is expected here", false},
		{"sinks: [x]", "a sink is a mapping", false},
		{"sinks: [{}]", "the sink is incomplete, or has what its kind has no use for", false},
		{"sinks: [{" SYSLOG "}]", "the sink is incomplete, or has what its kind has no use for", false},
		{"sinks: [{name: a, host: h}]", "the sink is incomplete, or has what its kind has no use for", false},
		{"sinks: [{name: a, kind: syslog}]", "the sink is incomplete, or has what its kind has no use for",
		 false},
		{"sinks: [{name: a, kind: otlp}]", "the sink is incomplete, or has what its kind has no use for",
		 false},
		{"sinks: [{name: a, kind: otlp, url: 'https://x', host: h}]",
		 "the sink is incomplete, or has what its kind has no use for", false},
		{"sinks: [{name: a, kind: file}]", "the sink is incomplete, or has what its kind has no use for", true},
		{"sinks: [{name: A, " SYSLOG "}]", "not the name of a sink", false},
		{"sinks: [{name: '', " SYSLOG "}]", "not the name of a sink", false},
		{"sinks: [{name: a23456789012345678901234567890123, " SYSLOG "}]", "not the name of a sink", false},
		{"sinks: [{name: a/b, " SYSLOG "}]", "not the name of a sink", false},
		{"sinks: [{name: a, kind: gelf}]", "not a kind of sink", false},
		{"sinks: [{name: a, " SYSLOG ", batches: 7}]", "unknown key 'batches'", false},
		{"sinks: [{name: a, " SYSLOG ", batch: 0}]", "the number is out of range", false},
		{"sinks: [{name: a, " SYSLOG ", batch: 4097}]", "the number is out of range", false},
		{"sinks: [{name: a, " SYSLOG ", timeout: 0s}]", "not a time to wait for an answer", false},
		{"sinks: [{name: a, " SYSLOG ", timeout: 31s}]", "not a time to wait for an answer", false},
		{"sinks: [{name: a, " SYSLOG ", port: 0}]", "not a port", false},
		{"sinks: [{name: a, " SYSLOG ", port: 65536}]", "not a port", false},
		{"sinks: [{name: a, " SYSLOG ", events: 1}]", "true or false is expected here", false},
		{"sinks: [{name: a, " SYSLOG ", events: false}]", "nothing would go there", true},
		{"sinks: [{name: a, " SYSLOG ", token_file: /x}]", "the sink has a key that its kind has no use for",
		 false},
		{"sinks: [{name: a, " SYSLOG ", cert_file: /x}]", "half of a client's certificate", false},
		{"sinks: [{name: a, " SYSLOG ", ca_file: x}]", "an absolute path is expected here", false},
		{"sinks: [{name: a, kind: syslog, host: 'a b'}]", "not a host", false},
		{"sinks: [{name: a, kind: syslog, host: 'h:514'}]", "not a host", false},
		{"sinks: [{name: a, kind: syslog, host: '-h'}]", "not a host", false},
		{"sinks: [{name: a, kind: syslog, host: 'fe80::1%eth0'}]", "not a host", false},
		{"sinks: [{name: a, kind: otlp, url: 'http://c.example/'}]",
		 "not an address that events can be sent to", false},
		{"sinks: [{name: a, kind: otlp, url: 'https://u:p@c.example/'}]",
		 "not an address that events can be sent to", false},
		{"sinks: [{name: a, kind: otlp, url: 'file:///etc/passwd'}]",
		 "not an address that events can be sent to", false},
		{"sinks: [{name: a, kind: otlp, url: 'https://c.example/ x'}]",
		 "not an address that events can be sent to", false},
		{"sinks: [{name: a, kind: otlp, url: 'https://x', port: 1}]",
		 "the sink has a key that its kind has no use for", false},
		{"sinks: [{name: a, kind: http, url: 'https://x', events: true}]", "events cannot go there", true},
		{"sinks: [{name: a, kind: http, url: 'https://x'}]", "events cannot go there", false},
		{"sinks: [{name: a, kind: file, path: /x}]", "events cannot go there", false},
		{"sinks: [{name: a, kind: file, path: /x, ca_file: /y}]",
		 "the sink has a key that its kind has no use for", true},
		{"sinks: [{name: a, " SYSLOG ", checkpoints: true}]", "a host has no checkpoints to send", false},
		{"sinks: [{name: a, " SYSLOG "}, {name: a, " SYSLOG "}]", "a sink of this name is in the list already",
		 false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct problem problem;
		struct arena arena;
		struct ship_list list;

		arena_init(&arena);
		if (parse(&arena, rows[i].text, rows[i].log, &list, &problem) != -EINVAL ||
		    strcmp(problem.text, rows[i].what) != 0)
			fail_msg("%s: %s", rows[i].text, problem.text);
		assert_int_equal(problem.line, 1);
		assert_true(problem.remedy[0] != '\0');
		arena_finish(&arena);
	}
}

static void has_room_for_eight(void **state)
{
	char text[2048] = "sinks:\n";
	struct problem problem;
	struct arena arena;
	struct ship_list list;

	arena_init(&arena);
	for (unsigned i = 0; i < 9; i++) {
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "- {name: s%u, " SYSLOG "}\n", i);
		assert_result(parse(&arena, text, false, &list, &problem), i < 8 ? 0 : -EINVAL);
	}
	assert_string_equal(problem.text, "too many sinks");
	assert_int_equal(problem.line, 10);
	arena_finish(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_everything),
		cmocka_unit_test(a_later_list_takes_the_place),
		cmocka_unit_test(refuses_with_place_and_advice),
		cmocka_unit_test(has_room_for_eight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
