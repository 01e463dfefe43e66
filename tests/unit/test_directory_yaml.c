/* SPDX-License-Identifier: MIT
 *
 * The loader: what it refuses, where it says the fault is, and what it advises.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "directory/unit.h"
#include "directory/yaml_load.h"
#include "directory_fixture.h"

static void test_sample(void **state)
{
	struct unit *unit = load_text("sample.yaml", sample_directory);
	const struct record_set *r = unit_records(unit);
	const struct key_record *key = &r->keys[0];

	assert_int_equal(r->tenant_count, 2);
	assert_int_equal(r->project_count, 3);
	assert_int_equal(r->user_count, 4);
	assert_int_equal(r->member_count, 5);
	assert_int_equal(r->key_count, 2);
	assert_int_equal(r->host_count, 2);
	assert_string_equal(unit_name(unit), "sample.yaml");

	assert_string_equal(r->tenants[0].name, "Acme Robotics");
	assert_int_equal(r->tenants[0].role_count, 2);
	assert_false(r->tenants[0].roles[0].tenant_wide);
	assert_int_equal(r->tenants[0].roles[0].level, GROUP_LEVEL_VIEWER);
	assert_string_equal(r->tenants[0].roles[0].actions.items[2], "label.add");
	assert_true(r->tenants[0].roles[1].tenant_wide);
	assert_int_equal(r->tenants[0].sessions.max_per_user, 20);
	assert_int_equal(r->tenants[0].id_next, 1879048300);
	assert_int_equal(r->tenants[1].key_warn_days, 14);
	assert_string_equal(r->tenants[1].name, "");

	assert_string_equal(r->users[0].home, "/home/alice");
	assert_string_equal(r->users[0].shell, "/bin/bash");
	assert_int_equal(r->users[0].sessions_valid_from, 1793491200);
	assert_int_equal(r->users[0].ssh_keys.count, 1);
	assert_string_equal(r->users[1].home, "/srv/bob");
	assert_string_equal(r->users[1].login, "bob");
	assert_int_equal(r->users[2].kind, USER_SERVICE);
	assert_int_equal(r->users[3].status, USER_SUSPENDED);
	assert_string_equal(r->users[3].status_reason, "on leave");

	assert_string_equal(r->members[1].tenant_id, "ten_acme");
	assert_string_equal(r->members[1].project_id, "");
	assert_string_equal(key->successor, "key_fedcba9876543210");
	assert_int_equal(key->verifier[31], 0x1f);
	assert_int_equal(key->from.items[0].prefix, 96 + 8);
	assert_int_equal(r->keys[1].revoked_at, 1795132800);
	assert_string_equal(r->hosts[0].name, "gpu-*");
	assert_int_equal(r->hosts[0].rules[0].login.count, 3);
	/* the defaults of a rule */
	assert_int_equal(r->hosts[0].rules[1].login.count, 2);
	assert_string_equal(r->hosts[0].rules[1].login.items[1], "editor");
	assert_int_equal(r->hosts[0].rules[1].sudo.count, 0);
	assert_int_equal(r->hosts[1].rule_count, 0);
	unit_unref(unit);
}

/* Each is appended to "version: 1\n" unless it begins with "!": then it is the whole file. */
static const struct {
	const char *text, *problem;
} bad_files[] = {
	/* the file as a whole */
	{"!", "f:1:1: the file is empty (it begins with \"version: 1\")"},
	{"!# nothing\n", "f:2:1: the file is empty"},
	{"!users: []\n", "f:1:1: the file does not tell its version (add \"version: 1\" at its beginning)"},
	{"!version: 2\n", "f:1:10: this tenantd knows version 1"},
	{"!version: \"1\"\n", "f:1:10: this tenantd knows version 1"},
	{"!- a\n", "f:1:1: a directory file is a mapping, not a list"},
	{"!hello\n", "f:1:1: a directory file is a mapping, not a single value"},
	{"version: 1\n", "f:2:1: key \"version\" is given twice"},
	{"users: []\nusers: []\n", "f:3:1: key \"users\" is given twice"},
	{"user: []\n", "f:2:1: unknown key \"user\" (did you mean \"users\"?)"},
	{"people: []\n", "f:2:1: unknown key \"people\" (known are version, tenants,"},
	{"<<: {}\n", "f:2:1: unknown key \"<<\""},
	{"users:\n", "f:2:7: \"users\" must be a list, not nothing (an empty list is written [])"},
	{"users: {}\n", "f:2:8: \"users\" must be a list, not a mapping"},
	{"users: 3\n", "f:2:8: \"users\" must be a list, not a single value"},
	{"users: [3]\n", "f:2:9: each item of \"users\" must be a mapping, not a single value"},
	{"---\nversion: 1\n", "f:2:1: a second YAML document"},
	{"...\n---\nversion: 1\n", "f:3:1: a second YAML document"},
	{"!%YAML 1.1\n---\nversion: 1\n", "f:1:1: YAML directives"},
	{"!%TAG ! tag:x,2000:\n---\nversion: 1\n", "f:1:1: YAML directives"},
	{"users: &a []\n", "f:2:8: anchors (&name) are not allowed here (remove the anchor)"},
	{"users: *a\n", "f:2:8: aliases (*name) are not allowed here"},
	{"users: !!seq []\n", "f:2:8: tags (!name) are not allowed here"},
	{"users: [{id: !!str usr_a}]\n", "f:2:14: tags (!name)"},
	{"users: [\n", "f:3:1: not valid YAML"},
	{"users:\n  - id: usr_a\n\t tenant: ten_a\n", "f:4:1: not valid YAML"},
	{"\"users: []\n", "f:"},
	{"? [a]\n: b\n", "f:2:3: a key must be a word, not a list"},

	/* bytes */
	{"!\xef\xbb\xbfversion: 1\n", "f:1:1: a byte order mark (save the file as UTF-8 without a byte order mark)"},
	{"!\xff\xfev\0e\0r\0", "f:1:1: byte 0xff is not valid UTF-8"},
	{"# caf\xe9\n", "f:2:6: byte 0xe9 is not valid UTF-8 (save the file as UTF-8)"},
	{"# \xc3\xa9\xc3\xa9 \x01\n", "f:2:6: control character U+0001"},
	{"# \x7f\n", "f:2:3: control character U+007F"},
	{"# \xc2\x85\n", "f:2:3: control character U+0085"},
	{"# \xe2\x80\xa8\n", "f:2:3: control character U+2028"},
	{"# \xe2\x80\xae\n", "f:2:3: control character U+202E"},
	{"# \xc0\x80\n", "f:2:3: byte 0xc0 is not valid UTF-8"},
	{"# \xed\xa0\x80\n", "f:2:3: byte 0xed is not valid UTF-8"},
	{"# a\rb\n", "f:2:4: control character U+000D"},
	{"# \xe2\x82", "f:2:3: byte 0xe2 is not valid UTF-8"},

	/* records */
	{"users:\n  - {id: usr_a, tenant: ten_a, logn: a, uid: 1879048200}\n",
	 "f:3:32: unknown key \"logn\" in a user (did you mean \"login\"?)"},
	{"users:\n  - id: usr_a\n    id: usr_b\n", "f:4:5: key \"id\" is given twice in a user"},
	{"users:\n  - id: usr_a\n    tenant: ten_a\n    uid: 1879048200\n", "f:3:5: a user needs \"login\""},
	{"users:\n  - {id: [usr_a]}\n", "f:3:10: \"id\" must be a single value, not a list"},
	{"users:\n  - {id: usr-a}\n", "f:3:10: \"id\" is not an id: \"usr-a\""},
	{"users:\n  - {id: }\n", "f:3:10: \"id\" has no value"},
	{"users:\n  - {id: ~}\n", "f:3:10: \"id\" has no value"},
	{"users:\n  - {login: -alice}\n", "f:3:13: \"login\" is not a login name"},
	{"users:\n  - {login: root}\n", "f:3:13: \"login\" is not a login name"},
	{"users:\n  - {login: \"a\\nb:x\"}\n", "f:3:13: \"login\" is not a login name"},
	{"users:\n  - {login: \"a\\0b\"}\n", "f:3:13: a NUL character"},
	{"users:\n  - {login: \"12345\"}\n", "f:3:13: \"login\" is not a login name"},
	{"users:\n  - {name: \"a:b\"}\n", "f:3:12: \"name\" is too long, or has ':'"},
	{"users:\n  - {name: \"a\\eb\"}\n",
	 "f:3:12: \"name\" is too long, or has ':' or invisible characters in it: \"a\\x1bb\""},
	{"users:\n  - {uid: 1000}\n", "f:3:11: \"uid\" is outside the managed range: \"1000\""},
	{"users:\n  - {uid: \"1879048200\"}\n", "f:3:11: \"uid\" is not a whole number"},
	{"users:\n  - {uid: 0x70000010}\n", "f:3:11: \"uid\" is not a whole number"},
	{"users:\n  - {uid: 2147483646}\n", "f:3:11: \"uid\" is outside the managed range"},
	{"users:\n  - {uid: 99999999999}\n", "f:3:11: \"uid\" is not a whole number"},
	{"users:\n  - {uid: -1}\n", "f:3:11: \"uid\" is not a whole number"},
	{"users:\n  - {home: relative}\n", "f:3:12: \"home\" is not a safe absolute path"},
	{"users:\n  - {home: /home/../etc}\n", "f:3:12: \"home\" is not a safe absolute path"},
	{"users:\n  - {shell: \"/bin/sh:x\"}\n", "f:3:13: \"shell\" is not a safe absolute path"},
	{"users:\n  - {email: alice}\n", "f:3:13: \"email\" is not an e-mail address"},
	{"users:\n  - {email: a@b@c}\n", "f:3:13: \"email\" is not an e-mail address"},
	{"users:\n  - {kind: persn}\n",
	 "f:3:12: \"kind\" is none of the words it may be: \"persn\" (did you mean \"person\"?)"},
	{"users:\n  - {status: gone}\n",
	 "f:3:14: \"status\" is none of the words it may be: \"gone\" (write \"active\" or \"suspended\")"},
	{"users:\n  - {sessions_valid_from: yesterday}\n", "f:3:27: \"sessions_valid_from\" is not a time"},
	{"users:\n  - {ssh_keys: ssh-ed25519}\n", "f:3:16: \"ssh_keys\" must be a list, not a single value"},
	{"users:\n  - {ssh_keys: [ssh-ed25519 AAAA]}\n", "f:3:17: \"ssh_keys\" is not an SSH public key"},
	{"users:\n  - {ssh_keys: ['command=\"x\" ssh-ed25519 AAAA']}\n",
	 "f:3:17: \"ssh_keys\" is not an SSH public key"},
	{"users:\n  - {ssh_keys: [ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f]}\n",
	 "f:3:17: \"ssh_keys\" is not an SSH public key"},
	{"users:\n  - {ssh_keys: [[a]]}\n", "f:3:17: \"ssh_keys\" must be a list of single values, not a list"},
	{"tenants:\n  - {slug: Acme}\n", "f:3:12: \"slug\" is not a slug: \"Acme\""},
	{"tenants:\n  - {id: t, slug: a-very-long-slug-x, gid: 1879048192, ids: {first: 1879048192, count: 9, next: "
	 "1879048193}}\n",
	 "f:3:5: tenant slug \"a-very-long-slug-x\" is longer than 16 bytes"},
	{"tenants:\n  - {ids: 3}\n", "f:3:11: \"ids\" must be a mapping, not a single value"},
	{"tenants:\n  - {ids: {first: 1879048192, count: 0, next: 1879048192}}\n", "f:3:11: the id block is empty"},
	{"tenants:\n  - {ids: {first: 1879048192, count: 4294967295, next: 1879048192}}\n",
	 "f:3:11: the id block is empty or reaches past 2147483391"},
	{"tenants:\n  - {ids: {first: 1879048192, count: 9, next: 1879048202}}\n",
	 "f:3:11: ids.next 1879048202 is not inside the block 1879048192..1879048200"},
	{"tenants:\n  - {ids: {first: 1879048192, count: 9}}\n", "f:3:11: ids needs \"next\""},
	{"tenants:\n  - {allow_from: [10.0.0.1/8]}\n",
	 "f:3:19: \"allow_from\" is not an address block: \"10.0.0.1/8\""},
	{"tenants:\n  - {allow_from: [~]}\n", "f:3:19: an item of \"allow_from\" has no value"},
	{"tenants:\n  - {roles: [{name: owner, kind: project, actions: []}]}\n",
	 "f:3:14: role \"owner\" is a shipped one"},
	{"tenants:\n  - {roles: [{name: x, kind: project, actions: [dataset.writ]}]}\n",
	 "f:3:49: \"actions\" is no action: \"dataset.writ\" (did you mean \"dataset.write\"?)"},
	{"tenants:\n  - {roles: [{name: x, kind: tenant, actions: [host.login]}]}\n",
	 "f:3:14: tenant role \"x\" cannot give host.login"},
	{"tenants:\n  - {roles: [{name: x, kind: tenant, groups: owner, actions: []}]}\n",
	 "f:3:14: tenant role \"x\" cannot give groups"},
	{"tenants:\n  - {policy: {key_warning: 14}}\n",
	 "f:3:28: \"key_warning\" is not a span of time: \"14\" (write it like 14d)"},
	{"tenants:\n  - {policy: {login_hours: [always]}}\n", "f:3:29: \"login_hours\" is not a span of hours"},
	{"tenants:\n  - {policy: {ssh_keyz: any}}\n",
	 "f:3:15: unknown key \"ssh_keyz\" in a policy (did you mean \"ssh_keys\"?)"},
	{"members:\n  - {user: usr_a, role: owner}\n", "f:3:5: a membership needs either \"project\" or \"tenant\""},
	{"members:\n  - {user: usr_a, role: owner, project: p, tenant: t}\n", "f:3:5: a membership needs either"},
	{"members:\n  - {user: usr_a, role: 'own er', project: p}\n", "f:3:25: \"role\" is not a name of a role"},
	{"keys:\n  - {id: key_abc, user: u, verifier: "
	 "\"sha256:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"}\n",
	 "f:3:5: key id \"key_abc\" is not \"key_\" and 16 letters or digits"},
	{"keys:\n  - {verifier: tnt_pk_0123456789abcdef_secret}\n",
	 "f:3:16: \"verifier\" is not \"sha256:\" and 64 hex digits (`tenantctl"},
	{"keys:\n  - {revoked: {at: 1970-01-01, reason: x}}\n", "f:3:20: \"at\" is not after 1970-01-01T00:00:00Z"},
	{"keys:\n  - {not_after: 1970-01-01T00:00:00Z}\n", "f:3:17: \"not_after\" is not after 1970-01-01T00:00:00Z"},
	{"keys:\n  - {not_before: 1969-12-31T23:59:59Z}\n", "f:3:18: \"not_before\" is not a time"},
	{"keys:\n  - {created: 1970-01-01}\n", "f:3:15: \"created\" is not after 1970-01-01T00:00:00Z"},
	{"users:\n  - {sessions_valid_from: 1970-01-01}\n",
	 "f:3:27: \"sessions_valid_from\" is not after 1970-01-01T00:00:00Z"},
	{"keys:\n  - {revoked: {reason: x}}\n", "f:3:15: revoked needs \"at\""},
	{"hosts:\n  - {name: gpu*x, serves: []}\n", "f:3:12: \"name\" is not a host name"},
	{"hosts:\n  - {name: gpu}\n", "f:3:5: a host needs \"serves\""},
	{"hosts:\n  - {name: gpu, serves: [{login: [owner]}]}\n", "f:3:26: a host rule needs \"project\""},
	{"hosts:\n  - {name: gpu, serves: [x]}\n", "f:3:26: \"serves\" must be a list of mappings, not a single value"},
	/* columns are characters, also behind wide ones */
	{"tenants:\n  - {name: \"\xc3\xa9\xe2\x82\xac\xf0\x9f\x99\x82\", slog: a}\n",
	 "f:3:19: unknown key \"slog\" in a tenant"},
	{"users: [[[[[[[[[[[[]]]]]]]]]]]]\n", "f:2:9: each item"},
	{"tenants:\n  - {roles: [{actions: [[[[[[[[[[]]]]]]]]]]}]}\n",
	 "f:3:25: \"actions\" must be a list of single values"},
};

static void test_bad_files(void **state)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < ARRAY_LEN(bad_files); i++) {
		const char *text = bad_files[i].text;
		_cleanup_(freep) char *whole = NULL;
		struct problem problem = {0};
		struct unit *unit = NULL;
		char line[1400];

		if (*text == '!')
			whole = strdup(text + 1);
		else if (asprintf(&whole, "version: 1\n%s", text) < 0)
			fail();
		assert_result(directory_yaml_load_text("f", whole, strlen(whole), &unit, &problem), -EINVAL);
		assert_null(unit);
		problem_render(&problem, line, sizeof(line));
		if (strncmp(line, bad_files[i].problem, strlen(bad_files[i].problem)) != 0) {
			print_error("file %zu:\n%s\n  is:     %s\n  wanted: %s\n", i, whole, line,
				    bad_files[i].problem);
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

/* A key that somebody put in the verifier's place must not be repeated in a message. */
static void test_no_secret_in_problem(void **state)
{
	static const char text[] = "version: 1\nkeys:\n  - {verifier: tnt_pk_0123456789abcdef_verysecret}\n";
	struct problem problem = {0};
	struct unit *unit = NULL;
	char line[1400];

	assert_result(directory_yaml_load_text("f", text, strlen(text), &unit, &problem), -EINVAL);
	assert_null(strstr(problem_render(&problem, line, sizeof(line)), "verysecret"));
}

/* Cut anywhere, it loads or is refused with a place; never anything else. */
static void test_cut_anywhere(void **state)
{
	size_t length = strlen(sample_directory);

	for (size_t cut = 0; cut < length; cut++) {
		struct problem problem = {0};
		struct unit *unit = NULL;
		int r = directory_yaml_load_text("f", sample_directory, cut, &unit, &problem);

		if (r == 0) {
			unit_unref(unit);
			continue;
		}
		assert_result(r, -EINVAL);
		assert_string_equal(problem.file, "f");
		assert_true(problem.line > 0 && problem.column > 0);
		assert_true(problem.text[0]);
	}
}

struct dribble {
	const char *text;
	size_t step;
};

static ssize_t give_little(void *context, void *data, size_t size)
{
	struct dribble *source = context;
	size_t n = strnlen(source->text, source->step < size ? source->step : size);

	memcpy(data, source->text, n);
	source->text += n;
	return (ssize_t)n;
}

/* However the bytes come, also cut inside characters, the same is read and hashed. */
static void test_pieces(void **state)
{
	_cleanup_(freep) char *text =
		replaced(sample_directory, "Acme Robotics", "\xc3\x84kme \xf0\x9f\xa4\x96 \xe2\x82\xac");
	struct unit *whole = load_text("f", text);

	for (size_t step = 1; step < 70; step += step < 9 ? 1 : 20) {
		struct dribble source = {.text = text, .step = step};
		struct problem problem = {0};
		struct unit *unit = NULL;

		assert_result(directory_yaml_load("f", give_little, &source, &unit, &problem), 0);
		assert_string_equal(unit_records(unit)->tenants[0].name, "\xc3\x84kme \xf0\x9f\xa4\x96 \xe2\x82\xac");
		assert_memory_equal(unit->source_hash, whole->source_hash, SHA256_BYTES);
		assert_int_equal(unit->source_bytes, strlen(text));
		unit_unref(unit);
	}
	unit_unref(whole);
}

static ssize_t give_error(void *context, void *data, size_t size)
{
	return -EIO;
}

static void test_source_fails(void **state)
{
	struct problem problem = {0};
	struct unit *unit = NULL;

	assert_result(directory_yaml_load("f", give_error, NULL, &unit, &problem), -EIO);
	assert_null(unit);
}

/* Windows line ends, and no newline at the end. */
static void test_line_ends(void **state)
{
	static const char text[] =
		"version: 1\r\nusers: []\r\nprojects:\r\n  - {id: prj_a, tenant: ten_a, slug: a, gid: 1879048193}";
	struct unit *unit = load_text("f", text);

	assert_int_equal(unit_records(unit)->project_count, 1);
	unit_unref(unit);
}

static void test_too_many_items(void **state)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	struct problem problem = {0};
	struct unit *unit = NULL;

	buffer_add_text(&text, "version: 1\ntenants:\n  - allow_from: [");
	for (unsigned i = 0; i < 4097; i++)
		buffer_add_text(&text, "10.0.0.0/8, ");
	buffer_add_text(&text, "]\n");
	assert_result(directory_yaml_load_text("f", text.data, text.length, &unit, &problem), -EINVAL);
	assert_string_equal(problem.text, "more than 4096 items in one list");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample),         cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_cut_anywhere),   cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_source_fails),   cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_too_many_items), cmocka_unit_test(test_no_secret_in_problem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
