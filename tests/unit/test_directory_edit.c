/* SPDX-License-Identifier: MIT
 *
 * Editing by text: what was not meant stays byte for byte; what cannot be done so is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "directory/edit.h"
#include "directory/edit_tree.h"
#include "directory/unit.h"
#include "directory_fixture.h"

/* One edit of a text. */
struct session {
	char *folder, path[64];
	struct unit *unit;
	struct edit *edit;
	struct problem problem;
};

static void begin(struct session *s, const char *text)
{
	*s = (struct session){.folder = make_folder()};
	snprintf(s->path, sizeof(s->path), "%s/d.yaml", s->folder);
	write_file(s->path, text);
	s->unit = load_text(s->path, text);
	assert_result(edit_open(s->path, s->unit, &s->edit, &s->problem), 0);
}

static void end(struct session *s)
{
	edit_free(s->edit);
	unit_unref(s->unit);
	remove_folder(s->folder);
}

/* Finishes and gives the new text, or NULL when it was refused. */
static char *finish(struct session *s)
{
	struct unit *unit = NULL;
	char *text = NULL;
	int r = edit_finish(s->edit, &unit, &s->problem);

	if (r == 0)
		text = strdup(edit_text(s->edit));
	else
		assert_true(r == -EOPNOTSUPP || r == -EINVAL);
	unit_unref(unit);
	return text;
}

static const struct user_record new_user = {.id = "usr_dora",
					    .tenant_id = "ten_acme",
					    .login = "dora",
					    .name = "D\xc3\xb3ra: \"x\"",
					    .email = "",
					    .home = "/home/dora",
					    .shell = "/bin/bash",
					    .uid = 1879048220,
					    .status_reason = ""};
static const struct member_record new_member = {
	.user_id = "usr_ci", .project_id = "prj_vision", .tenant_id = "", .role = "editor"};

/* Appending: the whole new text from the old one, which is replaced at `at` by `added`. */
static const struct {
	enum record_kind kind;
	const char *text, *wanted;
} appends[] = {
	/* the last item's own style and indent */
	{RECORD_MEMBER, "version: 1\nmembers:\n- {user: u, project: p, role: r} # c\n\n# end\nusers: []\n",
	 "version: 1\nmembers:\n- {user: u, project: p, role: r} # c\n- {user: usr_ci, project: prj_vision, role: "
	 "editor}\n\n# end\nusers: []\n"},
	{RECORD_MEMBER, "version: 1\nmembers:\n    -   user: u\n        project: p\n        role: r\n",
	 "version: 1\nmembers:\n    -   user: u\n        project: p\n        role: r\n    -   user: usr_ci\n        "
	 "project: prj_vision\n        role: editor\n"},
	/* an empty list, a missing one, one in brackets */
	{RECORD_MEMBER, "version: 1\nmembers: []   # none yet\nusers: []\n",
	 "version: 1\nmembers:    # none yet\n  - {user: usr_ci, project: prj_vision, role: editor}\nusers: []\n"},
	{RECORD_MEMBER, "version: 1\nmembers: []\n",
	 "version: 1\nmembers:\n  - {user: usr_ci, project: prj_vision, role: editor}\n"},
	{RECORD_MEMBER, "version: 1", "version: 1\nmembers:\n  - {user: usr_ci, project: prj_vision, role: editor}\n"},
	{RECORD_MEMBER, "version: 1\r\nusers: []\r\n",
	 "version: 1\r\nusers: []\r\nmembers:\r\n  - {user: usr_ci, project: prj_vision, role: editor}\r\n"},
	{RECORD_MEMBER, "version: 1\nmembers: [{user: u, project: p, role: r}] # all\n",
	 "version: 1\nmembers: [{user: u, project: p, role: r}, {user: usr_ci, project: prj_vision, role: editor}] # "
	 "all\n"},
	/* wide characters before it */
	{RECORD_MEMBER,
	 "version: 1 # \xc3\xa9\xe2\x82\xac\xf0\x9f\x99\x82\nmembers:\n  - {user: u, project: p, role: r}\n# "
	 "\xc3\xa9\n",
	 "version: 1 # \xc3\xa9\xe2\x82\xac\xf0\x9f\x99\x82\nmembers:\n  - {user: u, project: p, role: r}\n"
	 "  - {user: usr_ci, project: prj_vision, role: editor}\n# \xc3\xa9\n"},
	/* layouts that are left alone */
	{RECORD_MEMBER, "{version: 1, members: []}\n", NULL},
	{RECORD_MEMBER, "version: 1\nmembers: [\n  # nobody\n]\n", NULL},
	{RECORD_MEMBER, "version: 1\nmembers:\n  []\n", NULL},
	{RECORD_MEMBER, "version: 1\nmembers:\n  -\n    user: u\n    project: p\n    role: r\n", NULL},
	{RECORD_MEMBER, "version: 1\n...\n", NULL},
};

static void test_append(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(appends); i++) {
		struct session s;
		char *text = NULL;

		begin(&s, appends[i].text);
		if (edit_append(s.edit, appends[i].kind, &new_member, &s.problem) == 0)
			text = finish(&s);
		if ((text == NULL) != (appends[i].wanted == NULL) || (text && strcmp(text, appends[i].wanted) != 0))
			fail_msg("append %zu gives:\n%s\nwanted:\n%s\n%s", i, text ? text : "(refused)",
				 appends[i].wanted ? appends[i].wanted : "(refused)", s.problem.text);
		if (!text)
			assert_true(s.problem.text[0] && s.problem.remedy[0]);
		free(text);
		end(&s);
	}
}

static void test_quoting(void **state)
{
	static const char *const names[] = {"D\xc3\xb3ra", "yes", "null", "1e3",   "a # b",      "- x",  "{a}",
					    "\"",          "\\",  "'",    "  two", "x ",         "0x10", "~",
					    "@x",          "`",   "%",    "!x",    "&x",         "*x",   "?",
					    "|",           ">",   "a, b", "[",     "2026-01-01", "x\\n"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		for (unsigned flow = 0; flow < 2; flow++) {
			struct user_record user = new_user;
			struct session s;
			char *text;

			user.name = names[i];
			begin(&s, flow ? "version: 1\nusers:\n  - {id: u, tenant: t, login: u, uid: 1879048200}\n"
				       : "version: 1\n");
			assert_result(edit_append(s.edit, RECORD_USER, &user, &s.problem), 0);
			text = finish(&s); /* compares what is loaded with what was meant */
			if (!text)
				fail_msg("name \"%s\": %s", names[i], s.problem.text);
			free(text);
			end(&s);
		}
}

/* The sample with one piece changed. */
static void assert_piece(struct session *s, const char *from, const char *to)
{
	_cleanup_(freep) char *wanted = replaced(sample_directory, from, to), *text = finish(s);

	if (!text || strcmp(text, wanted) != 0)
		fail_msg("%s\n%s", s->problem.text, text ? text : "(refused)");
}

static void test_updates(void **state)
{
	struct session s;
	struct tenant_record tenant;
	struct user_record user;
	struct key_record key;
	struct member_record member;

	begin(&s, sample_directory);
	tenant = s.unit->records.tenants[0];
	tenant.id_next++;
	assert_result(edit_update(s.edit, RECORD_TENANT, 0, &tenant, &s.problem), 0);
	assert_piece(&s, "next: 1879048300}", "next: 1879048301}");
	end(&s);

	begin(&s, sample_directory);
	user = s.unit->records.users[0];
	user.status = USER_SUSPENDED;
	user.status_reason = "left: yes";
	assert_result(edit_update(s.edit, RECORD_USER, 0, &user, &s.problem), 0);
	assert_piece(&s, " laptop\"]\n", " laptop\"]\n    status: suspended\n    status_reason: \"left: yes\"\n");
	end(&s);

	begin(&s, sample_directory);
	user = s.unit->records.users[3];
	user.status = USER_ACTIVE;
	user.status_reason = "";
	assert_result(edit_update(s.edit, RECORD_USER, 3, &user, &s.problem), 0);
	assert_piece(&s, "status: suspended, status_reason: on leave", "status: active");
	end(&s);

	begin(&s, sample_directory);
	key = s.unit->records.keys[0];
	key.revoked_at = 1795305600;
	key.revoked_reason = "gone";
	key.not_after = 1795305600;
	assert_result(edit_update(s.edit, RECORD_KEY, 0, &key, &s.problem), 0);
	{
		_cleanup_(freep) char *first =
			replaced(sample_directory, "2027-11-01T08:00:00Z", "2026-11-22T00:00:00Z");
		_cleanup_(freep) char *wanted = replaced(
			first, "successor: key_fedcba9876543210\n",
			"successor: key_fedcba9876543210\n    revoked: {at: 2026-11-22T00:00:00Z, reason: gone}\n");
		_cleanup_(freep) char *text = finish(&s);

		assert_non_null(text);
		assert_string_equal(text, wanted);
	}
	end(&s);

	begin(&s, sample_directory);
	member = s.unit->records.members[0];
	member.role = "editor";
	assert_result(edit_update(s.edit, RECORD_MEMBER, 0, &member, &s.problem), 0);
	assert_piece(&s, "role: owner} # since 2024", "role: editor} # since 2024");
	end(&s);
}

static void test_host_rules(void **state)
{
	struct session s;
	struct host_record host;
	struct host_rule rules[3];
	const char *owner[] = {"owner"};

	begin(&s, sample_directory);
	host = s.unit->records.hosts[0];
	memcpy(rules, host.rules, 2 * sizeof(*rules));
	rules[2] = (struct host_rule){.project_id = "prj_speech", .login = {owner, 1}, .sudo = {owner, 1}};
	host.rules = rules;
	host.rule_count = 3;
	assert_result(edit_update(s.edit, RECORD_HOST, 0, &host, &s.problem), 0);
	assert_piece(
		&s, "- project: prj_main # theirs, too\n",
		"- project: prj_main # theirs, too\n      - {project: prj_speech, login: [owner], sudo: [owner]}\n");
	end(&s);

	begin(&s, sample_directory);
	host = s.unit->records.hosts[0];
	memcpy(rules, host.rules, 2 * sizeof(*rules));
	host.rules = rules;
	rules[0].sudo = (struct string_list){0};
	rules[1].login = (struct string_list){owner, 1};
	assert_result(edit_update(s.edit, RECORD_HOST, 0, &host, &s.problem), 0);
	{
		_cleanup_(freep) char *first = replaced(sample_directory, ", sudo: [owner], services", ", services");
		_cleanup_(freep) char *wanted =
			replaced(first, "prj_main # theirs, too\n", "prj_main # theirs, too\n        login: [owner]\n");
		_cleanup_(freep) char *text = finish(&s);

		if (!text)
			fail_msg("%s", s.problem.text);
		assert_string_equal(text, wanted);
	}
	end(&s);

	/* a host without rules */
	begin(&s, sample_directory);
	rules[0] = rules[2];
	host = (struct host_record){.name = "*", .rules = rules, .rule_count = 1};
	assert_result(edit_update(s.edit, RECORD_HOST, 1, &host, &s.problem), 0);
	assert_piece(&s, "serves: []", "serves: [{project: prj_speech, login: [owner], sudo: [owner]}]");
	end(&s);

	begin(&s, sample_directory);
	host.name = "new-*";
	assert_result(edit_append(s.edit, RECORD_HOST, &host, &s.problem), 0);
	assert_piece(&s, "    serves: []\n",
		     "    serves: []\n  - name: \"new-*\"\n    serves:\n      - {project: prj_speech, login: [owner], "
		     "sudo: [owner]}\n");
	end(&s);
}

/* One host, its rules for the projects a, b, c; the one for `gone` is removed. */
static const struct {
	const char *text, *wanted;
	uint32_t gone;
} rule_removals[] = {
	{"serves: [{project: a}, {project: b}, {project: c}] # x\n", "serves: [{project: b}, {project: c}] # x\n", 0},
	{"serves: [{project: a}, {project: b}, {project: c}]\n", "serves: [{project: a}, {project: c}]\n", 1},
	{"serves: [{project: a}, {project: b}, {project: c}]\n", "serves: [{project: a}, {project: b}]\n", 2},
	{"serves: [{project: a}]\n", "serves: []\n", 0},
	{"serves:\n      - {project: a}\n      # of b\n      - project: b\n        sudo: [owner]\n      - {project: "
	 "c}\n",
	 "serves:\n      - {project: a}\n      # of b\n      - {project: c}\n", 1},
	{"serves: # all\n      - {project: a}\n# end\n", "serves: [] # all\n# end\n", 0},
	{"serves:\n    - project: a\n      login:\n      - owner\n\n    - project: b\n",
	 "serves:\n\n    - project: b\n", 0},
	/* left alone */
	{"serves:\n      - {project: a} # why\n      - {project: b}\n", NULL, 0},
	{"serves: [{project: a}, # first\n      {project: b}]\n", NULL, 0},
	{"serves:\n      -\n        project: a\n", NULL, 0},
	{"serves :\n      - {project: a}\n", NULL, 0},
};

static void test_remove_rule(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rule_removals); i++) {
		_cleanup_(buffer_finish) struct buffer whole = BUFFER_INIT, wanted = BUFFER_INIT;
		struct host_rule rules[3];
		struct host_record host;
		struct session s;
		char *text = NULL;

		buffer_printf(&whole, "version: 1\nhosts:\n  - name: h\n    %s", rule_removals[i].text);
		buffer_printf(&wanted, "version: 1\nhosts:\n  - name: h\n    %s",
			      rule_removals[i].wanted ? rule_removals[i].wanted : "");
		begin(&s, buffer_text(&whole));
		host = s.unit->records.hosts[0];
		memcpy(rules, host.rules, host.rule_count * sizeof(*rules));
		memmove(&rules[rule_removals[i].gone], &rules[rule_removals[i].gone + 1],
			(host.rule_count - rule_removals[i].gone - 1) * sizeof(*rules));
		host.rules = rules;
		host.rule_count--;
		if (edit_update(s.edit, RECORD_HOST, 0, &host, &s.problem) == 0)
			text = finish(&s);
		if ((text == NULL) != (rule_removals[i].wanted == NULL) ||
		    (text && strcmp(text, buffer_text(&wanted)) != 0))
			fail_msg("removal %zu gives:\n%s\nwanted:\n%s\n%s", i, text ? text : "(refused)",
				 buffer_text(&wanted), s.problem.text);
		free(text);
		end(&s);
	}
}

static void test_remove(void **state)
{
	struct session s;

	begin(&s, sample_directory);
	assert_result(edit_remove(s.edit, RECORD_MEMBER, 3, &s.problem), 0);
	assert_piece(&s, "  - {user: usr_bob, project: prj_vision, role: annotator}\n", "");
	end(&s);

	/* a comment on the line would go, too */
	begin(&s, sample_directory);
	assert_result(edit_remove(s.edit, RECORD_MEMBER, 0, &s.problem), -EOPNOTSUPP);
	assert_non_null(strstr(s.problem.text, "a comment would go together with the membership"));
	assert_int_equal(s.problem.line, 34);
	end(&s);

	/* a comment inside a record; a '#' inside a text is none */
	begin(&s, sample_directory);
	assert_result(edit_remove(s.edit, RECORD_USER, 0, &s.problem), -EOPNOTSUPP);
	end(&s);
	begin(&s, "version: 1\nmembers: # list\n  - user: u\n    role: r\n    project: p\n# tail\n");
	assert_result(edit_remove(s.edit, RECORD_MEMBER, 0, &s.problem), 0);
	{
		_cleanup_(freep) char *text = finish(&s);

		assert_string_equal(text, "version: 1\nmembers: [] # list\n# tail\n");
	}
	end(&s);

	for (uint32_t i = 0; i < 3; i++) {
		static const char *const wanted[] = {
			"version: 1\nmembers: [{user: b, project: p, role: r}, {user: c, project: p, role: r}]\n",
			"version: 1\nmembers: [{user: a, project: p, role: r}, {user: c, project: p, role: r}]\n",
			"version: 1\nmembers: [{user: a, project: p, role: r}, {user: b, project: p, role: r}]\n"};
		_cleanup_(freep) char *text = NULL;

		begin(&s, "version: 1\nmembers: [{user: a, project: p, role: r}, {user: b, project: p, role: r}, "
			  "{user: c, project: p, role: r}]\n");
		assert_result(edit_remove(s.edit, RECORD_MEMBER, i, &s.problem), 0);
		text = finish(&s);
		assert_string_equal(text, wanted[i]);
		end(&s);
	}
}

/* Rotation: the old key gets an end, its successor stands behind it. */
static void test_update_and_append(void **state)
{
	struct key_record ending, next;
	struct session s;

	begin(&s, sample_directory);
	next = ending = s.unit->records.keys[1];
	next.id = "key_AAAAAAAAAAAAAAAA";
	next.revoked_at = 0;
	next.revoked_reason = "";
	ending.successor = next.id;
	assert_result(edit_update(s.edit, RECORD_KEY, 1, &ending, &s.problem), 0);
	assert_result(edit_append(s.edit, RECORD_KEY, &next, &s.problem), 0);
	assert_piece(&s, "reason: lost laptop}\n",
		     "reason: lost laptop}\n    successor: key_AAAAAAAAAAAAAAAA\n  - id: key_AAAAAAAAAAAAAAAA\n    "
		     "user: usr_alice\n"
		     "    verifier: \"sha256:100102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"\n");
	end(&s);
}

/* Two records into one list, whatever it was before. */
static void test_append_two(void **state)
{
	static const char *const texts[] = {"version: 1\n", "version: 1\nmembers: []\nusers: []\n",
					    "version: 1\nmembers: [{user: a, project: p, role: r}]\n",
					    "version: 1\nmembers:\n  - user: a\n    project: p\n    role: r\n"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct member_record second = new_member;
		struct session s;
		_cleanup_(freep) char *text = NULL;

		second.role = "viewer";
		second.user_id = "usr_x";
		begin(&s, texts[i]);
		assert_result(edit_append(s.edit, RECORD_MEMBER, &new_member, &s.problem), 0);
		assert_result(edit_append(s.edit, RECORD_MEMBER, &second, &s.problem), 0);
		text = finish(&s);
		if (!text)
			fail_msg("%zu: %s", i, s.problem.text);
		end(&s);
	}
}

/* What the text cannot hold is refused by the loader's own words, and nothing is written. */
static void test_bad_record(void **state)
{
	struct user_record user = new_user;
	struct unit *unit = NULL;
	struct session s;

	user.name = "a:b\x1b";
	begin(&s, sample_directory);
	assert_result(edit_append(s.edit, RECORD_USER, &user, &s.problem), 0);
	assert_true(edit_finish(s.edit, &unit, &s.problem) < 0);
	assert_null(unit);
	end(&s);
}

static void test_write(void **state)
{
	struct session s;
	struct stat before, after;
	_cleanup_(freep) char *text = NULL, *read_back = NULL;

	begin(&s, sample_directory);
	assert_int_equal(chmod(s.path, 0604), 0);
	assert_int_equal(chown(s.path, 12, 34), 0);
	assert_int_equal(stat(s.path, &before), 0);
	edit_free(s.edit);
	assert_result(edit_open(s.path, s.unit, &s.edit, &s.problem), 0);
	assert_result(edit_append(s.edit, RECORD_MEMBER, &new_member, &s.problem), 0);
	text = finish(&s);
	assert_result(edit_write(s.edit), 0);
	read_back = read_file(s.path);
	assert_string_equal(read_back, text);
	assert_int_equal(stat(s.path, &after), 0);
	assert_int_equal(after.st_uid, 12);
	assert_int_equal(after.st_gid, 34);
	assert_int_equal(after.st_mode, before.st_mode);
	/* the file is not any more what the unit was loaded from */
	edit_free(s.edit);
	s.edit = NULL;
	assert_result(edit_open(s.path, s.unit, &s.edit, &s.problem), -ESTALE);
	end(&s);
}

static void test_link_is_kept(void **state)
{
	struct session s;
	char target[80];
	_cleanup_(freep) char *text = NULL;

	begin(&s, sample_directory);
	snprintf(target, sizeof(target), "%s/real.yaml", s.folder);
	assert_int_equal(rename(s.path, target), 0);
	assert_int_equal(symlink("real.yaml", s.path), 0);
	assert_result(edit_append(s.edit, RECORD_MEMBER, &new_member, &s.problem), 0);
	text = finish(&s);
	assert_non_null(text);
	assert_result(edit_write(s.edit), -ELOOP);
	end(&s);
}

static void test_lock(void **state)
{
	char *folder = make_folder();
	char path[80], name[96];
	struct stat st;
	int lock, other;

	snprintf(path, sizeof(path), "%s/d.yaml", folder);
	snprintf(name, sizeof(name), "%s/.d.yaml.lock", folder);
	lock = edit_lock(path, 0);
	assert_true(lock >= 0);
	assert_result(edit_lock(path, 0), -EWOULDBLOCK);
	/* nobody else can open it, let alone take it */
	assert_int_equal(lstat(name, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	edit_unlock(path, lock);
	assert_int_equal(lstat(name, &st), -1);
	/* what everybody may lock has no say */
	other = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(other >= 0);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
	lock = edit_lock(path, 0);
	assert_true(lock >= 0);
	close(other);
	/* a descriptor on a lock that was given back keeps nobody out */
	other = open(name, O_RDWR | O_CLOEXEC);
	edit_unlock(path, lock);
	assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
	lock = edit_lock(path, 0);
	assert_true(lock >= 0);
	edit_unlock(path, lock);
	close(other);
	/* left behind by one that was killed, with a mode of somebody's making */
	write_file(name, "");
	assert_int_equal(chmod(name, 0666), 0);
	lock = edit_lock(path, 0);
	assert_true(lock >= 0);
	assert_int_equal(fstat(lock, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	edit_unlock(path, lock);
	edit_unlock(path, -1);
	/* a link would lock, and unlink, something else */
	assert_int_equal(symlink("d.yaml", name), 0);
	assert_result(edit_lock(path, 0), -ELOOP);
	assert_int_equal(unlink(name), 0);
	if (geteuid() == 0) {
		write_file(name, "");
		assert_int_equal(chown(name, 12345, 12345), 0);
		assert_result(edit_lock(path, 0), -EPERM);
	}
	assert_result(edit_lock("/nonexistent/d.yaml", 0), -ENOENT);
	remove_folder(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_quoting),
		cmocka_unit_test(test_updates),
		cmocka_unit_test(test_host_rules),
		cmocka_unit_test(test_remove_rule),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_update_and_append),
		cmocka_unit_test(test_append_two),
		cmocka_unit_test(test_bad_record),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_link_is_kept),
		cmocka_unit_test(test_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
