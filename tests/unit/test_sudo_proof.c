/* SPDX-License-Identifier: MIT
 *
 * What sudo wants to see: by policy, session, terminal, time, and what the proof was given by.
 */
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/text.h"
#include "login/sudo_proof.h"
#include "login_fixture.h"

#define ALICE 1879048210U
#define EDITH 1879048211U
#define WITHIN (900 * SECOND)

static char dir[64], policy[64], key_name[64];
static char *keys_yaml;
static sd_event *event;
static struct session_table *sessions;
static pid_t leader;

static void reload(void)
{
	char *yaml, *at;

	assert_true(asprintf(&yaml, "%skeys:\n%s", fixture_yaml, keys_yaml) > 0);
	at = strstr(yaml, "    gid: 1879048192\n");
	assert_non_null(at);
	directory_unref(d);
	*at = '\0';
	d = fixture_join("gpu-1", yaml, policy, "    gid: 1879048192\n", at + strlen("    gid: 1879048192\n"), NULL);
	free(yaml);
}

static void set_policy(const char *text)
{
	snprintf(policy, sizeof(policy), "%s", text);
	reload();
}

static int set_up(void **state)
{
	assert_int_equal(setup(state), 0);
	free(keys_yaml);
	assert_true(asprintf(&keys_yaml, "%s%s%s", alices.yaml, ediths.yaml, revoked.yaml) > 0);
	snprintf(key_name, sizeof(key_name), "api-key:%s", alices.id);
	set_policy("    sudo: {proof: recent, within: 15min}\n");
	strcpy(dir, "/tmp/test-sudo-XXXXXX");
	assert_non_null(mkdtemp(dir));
	strcat(dir, "/s");
	assert_result(sd_event_new(&event), 0);
	assert_result(session_table_create(event, dir, NULL, &sessions), 0);
	leader = fork();
	if (leader == 0)
		for (;;)
			pause();
	return 0;
}

static int tear_down(void **state)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY);
	DIR *folder = fdopendir(fd);
	struct dirent *entry;

	kill(leader, SIGKILL);
	waitpid(leader, NULL, 0);
	session_table_destroy(sessions);
	sd_event_unref(event);
	while ((entry = readdir(folder)))
		unlinkat(fd, entry->d_name, 0);
	closedir(folder);
	rmdir(dir);
	dir[strlen(dir) - 2] = '\0';
	rmdir(dir);
	free(keys_yaml);
	keys_yaml = NULL;
	return teardown(state);
}

static struct login_origin by_sudo(const char *login, uint32_t uid)
{
	return (struct login_origin){.user = login,
				     .service = "sudo",
				     .source = "",
				     .terminal = "/dev/pts/3",
				     .requesting_user = login,
				     .uid = uid,
				     .requesting_uid = uid};
}

/* A session of alice's that began with `credential`, by `service`. */
static const char *made_by = ""; /* of the code that opens the next sessions */

static const struct session *open_session(const char *service, const char *source, const char *terminal,
					  const char *credential)
{
	static char text[8][64];
	const struct session *session;
	struct login_verdict verdict = {.reason = REASON_ALLOWED,
					.user = directory_user_by_login(d, "alice"),
					.subject = directory_user_by_login(d, "alice")};
	struct session data = {.uid = ALICE, .leader = leader, .opened = 1};
	const char *const values[] = {"usr_alice", "alice", "acme", "vision", "owner", service, source, terminal};

	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		snprintf(text[i], sizeof(text[i]), "%s", values[i]);
	data.user_id = text[0];
	data.login = text[1];
	data.tenant = text[2];
	data.project = text[3];
	data.role = text[4];
	data.service = text[5];
	data.source = text[6];
	data.terminal = text[7];
	snprintf(verdict.credential, sizeof(verdict.credential), "%s", credential);
	snprintf(verdict.origin, sizeof(verdict.origin), "%s", made_by);
	data.credential = verdict.credential;
	sudo_proof_sign_in(&verdict, now, &data);
	assert_result(session_open(sessions, &data, &session), 0);
	return session;
}

static const struct session_terminal here = {.device = 0x8803, .owner = 500, .owner_start = 7};
static const struct session_terminal there = {.device = 0x8804, .owner = 600, .owner_start = 9};

static struct place at(const struct session *session, const struct session_terminal *terminal, bool given)
{
	return (struct place){
		.session = session, .terminal = terminal ? *terminal : (struct session_terminal){0}, .given = given};
}

static bool fresh(const struct place *place, struct login_shortcut *ret)
{
	struct login_origin origin = by_sudo("alice", ALICE);
	struct login_shortcut shortcut;

	return sudo_proof_has(book, d, sessions, &origin, place, now, today, ret ? ret : &shortcut);
}

/* A key given to sudo there. */
static void prove(const struct place *place, const char *credential)
{
	struct login_origin origin = by_sudo("alice", ALICE);
	struct login_verdict verdict = {.reason = REASON_ALLOWED,
					.user = directory_user_by_login(d, "alice"),
					.subject = directory_user_by_login(d, "alice")};

	snprintf(verdict.credential, sizeof(verdict.credential), "%s", credential);
	sudo_proof_given(d, sessions, &origin, place, &verdict, now);
}

static void always_asks(void **state)
{
	static const char *const policies[] = {"", "    sudo: {proof: always}\n"};

	for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
		const struct session *session;
		struct place place;

		set_policy(policies[i]);
		session = open_session("sshd", "192.0.2.1", "ssh", key_name);
		place = at(session, &here, true);
		assert_false(fresh(&place, NULL));
		prove(&place, key_name);
		assert_false(fresh(&place, NULL));
		/* And nothing was kept for the day that the policy changes. */
		set_policy("    sudo: {proof: recent, within: 15min}\n");
		assert_int_equal(session->proofs[0].at, 0);
	}
}

static void none_asks_nowhere(void **state)
{
	struct login_shortcut shortcut;
	struct place nowhere = {0};
	struct login_origin origin = by_sudo("alice", ALICE);
	struct login_verdict verdict;
	struct login_reply reply;

	set_policy("    sudo: {proof: none}\n");
	assert_true(fresh(&nowhere, &shortcut));
	assert_string_equal(shortcut.credential, "");
	origin.shortcut = &shortcut;
	reply = start(&origin);
	assert_int_equal(reply.step, LOGIN_ALLOWED);
	verdict = authorize(&origin, reply.token, "");
	assert_int_equal(verdict.reason, REASON_ALLOWED);
	assert_string_equal(verdict.credential, "none");
	/* Changed between the stages. */
	set_policy("");
	assert_int_equal(authorize(&origin, reply.token, "").reason, REASON_LOGIN_EXPIRED);
}

static void the_right_is_asked_all_the_same(void **state)
{
	struct login_origin origin = by_sudo("edith", EDITH); /* an editor, who may not sudo here */
	struct login_shortcut shortcut;
	struct place nowhere = {0};
	struct login_reply reply;

	set_policy("    sudo: {proof: none}\n");
	assert_true(sudo_proof_has(book, d, sessions, &origin, &nowhere, now, today, &shortcut));
	origin.shortcut = &shortcut;
	reply = start(&origin);
	assert_int_equal(reply.step, LOGIN_ALLOWED);
	assert_int_equal(authorize(&origin, reply.token, "").reason, REASON_ROLE_TOO_LOW);
}

static void a_proof_counts_at_its_terminal(void **state)
{
	const struct session *session = open_session("sshd", "192.0.2.1", "ssh", "none"), *other;
	struct place place = at(session, &here, true), elsewhere = at(session, &there, true), reused = place;
	struct login_shortcut shortcut;
	struct place second;

	assert_false(fresh(&place, NULL));
	prove(&place, key_name);
	assert_true(fresh(&place, &shortcut));
	assert_string_equal(shortcut.credential, key_name);
	assert_false(fresh(&elsewhere, NULL));
	reused.terminal.owner_start++; /* the number was given out again */
	assert_false(fresh(&reused, NULL));
	reused = place;
	reused.terminal.owner++;
	assert_false(fresh(&reused, NULL));
	other = open_session("sshd", "192.0.2.1", "ssh", "none");
	second = at(other, &here, true);
	assert_false(fresh(&second, NULL)); /* of the same person, in another session */
	second = at(NULL, &here, true);
	assert_false(fresh(&second, NULL));
	second = at(session, NULL, false);
	assert_false(fresh(&second, NULL));
	prove(&second, key_name); /* and none is kept for nowhere */
	assert_false(fresh(&second, NULL));
}

static void for_so_long(void **state)
{
	const struct session *session = open_session("sshd", "192.0.2.1", "ssh", "none");
	struct place place = at(session, &here, true);

	prove(&place, key_name);
	now += WITHIN - SECOND;
	assert_true(fresh(&place, NULL)); /* which makes it no younger */
	now += SECOND;
	assert_true(fresh(&place, NULL));
	now += 1;
	assert_false(fresh(&place, NULL));
	now -= 2 * WITHIN; /* of a time to come: another boot's, or somebody wrote it */
	assert_false(fresh(&place, NULL));
	now += 2 * WITHIN;
	today -= 86400; /* the wall clock has no say */
	prove(&place, key_name);
	today += 2 * 86400;
	assert_true(fresh(&place, NULL));
}

static void the_sign_in_is_one_where_it_gave_the_terminal(void **state)
{
	const struct {
		const char *service, *source, *terminal, *credential;
		bool given, is;
	} table[] = {
		{"sshd", "192.0.2.1", "ssh", key_name, true, true},
		{"sshd", "192.0.2.1", "ssh", key_name, false, false}, /* script, tmux */
		{"login", "", "tty1", key_name, true, true},
		{"login", "", "", key_name, true,
		 false}, /* JupyterHub: what a notebook opened is no terminal of hers */
		{"jupyterhub", "", "", key_name, true, false},
		{"cron", "", "cron", key_name, true, false},
		{"sshd", "192.0.2.1", "ssh", "none", true, false},
		{"sshd", "192.0.2.1", "ssh", "code:Ab3dE9xZ", true, false},
		{"sshd", "192.0.2.1", "ssh", "recent:api-key:x", true, false},
		{"sshd", "192.0.2.1", "ssh", "password", true, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const struct session *session =
			open_session(table[i].service, table[i].source, table[i].terminal, table[i].credential);
		struct place place = at(session, &here, table[i].given), other = at(session, &there, table[i].given);

		if (fresh(&place, NULL) != table[i].is)
			fail_msg("%zu: %s, %s", i, table[i].service, table[i].credential);
		assert_false(fresh(&other, NULL)); /* the first terminal had it */
		if (!table[i].is)
			assert_int_equal(session->sign_in.terminal.device, 0);
		assert_int_equal(fresh(&place, NULL), table[i].is);
	}
}

/* The session ends with the key behind the code, so that is kept; somebody proved it elsewhere. */
static void what_a_code_was_made_by_is_kept_and_proves_nothing(void **state)
{
	const struct session *session;
	struct place place;
	char id[SESSION_ID_CHARS + 1];
	uint32_t count;

	made_by = key_name;
	session = open_session("sshd", "192.0.2.1", "ssh", "code:Ab3dE9xZ");
	made_by = "";
	place = at(session, &here, true);
	memcpy(id, session->id, sizeof(id));
	assert_string_equal(session->sign_in.credential, key_name);
	assert_false(fresh(&place, NULL));
	session_table_destroy(sessions);
	assert_result(session_table_create(event, dir, NULL, &sessions), 0);
	assert_result(session_table_restore(sessions, NULL, NULL, &count), 0);
	assert_int_equal(count, 1);
	place.session = session_find(sessions, id);
	assert_string_equal(place.session->sign_in.credential, key_name);
	assert_false(fresh(&place, NULL));
	assert_int_equal(place.session->sign_in.terminal.device, 0);
}

static void survives_the_agent(void **state)
{
	const struct session *session = open_session("sshd", "192.0.2.1", "ssh", key_name);
	struct place place = at(session, &here, true), other = at(session, &there, false);
	char id[SESSION_ID_CHARS + 1];
	uint32_t count;

	memcpy(id, session->id, sizeof(id));
	assert_true(fresh(&place, NULL));
	prove(&other, key_name);
	session_table_destroy(sessions);
	assert_result(session_table_create(event, dir, NULL, &sessions), 0);
	assert_result(session_table_restore(sessions, NULL, NULL, &count), 0);
	assert_int_equal(count, 1);
	place.session = other.session = session_find(sessions, id);
	assert_true(fresh(&place, NULL));
	assert_true(fresh(&other, NULL));
	place.terminal.device++; /* the sign-in's terminal is known, too */
	assert_false(fresh(&place, NULL));
}

static void ends_with_what_gave_it(void **state)
{
	const struct session *session = open_session("sshd", "192.0.2.1", "ssh", key_name);
	struct place place = at(session, &here, true);
	struct login_shortcut shortcut;
	struct login_origin origin = by_sudo("alice", ALICE);
	struct login_reply reply;
	char *saved = keys_yaml;

	assert_true(fresh(&place, &shortcut));
	origin.shortcut = &shortcut;
	reply = start(&origin);
	assert_int_equal(reply.step, LOGIN_ALLOWED);
	assert_int_equal(authorize(&origin, reply.token, "").reason, REASON_ALLOWED);
	keys_yaml = strdup(ediths.yaml); /* her key is gone */
	reload();
	assert_false(fresh(&place, NULL));
	assert_int_equal(authorize(&origin, reply.token, "").reason, REASON_KEY_REVOKED);
	free(keys_yaml);
	keys_yaml = saved;
	reload();
	assert_true(fresh(&place, NULL));
	session_mark_ending(sessions, session->id, now, "asked"); /* somebody ends it */
	assert_false(fresh(&place, NULL));
}

static void ends_with_the_persons_sign_ins(void **state)
{
	const struct session *session = open_session("sshd", "192.0.2.1", "ssh", key_name);
	struct place place = at(session, &here, true);
	struct login_origin origin = by_sudo("alice", ALICE);
	struct login_shortcut shortcut;
	struct login_reply reply;
	char *yaml, *at_uid;

	assert_true(fresh(&place, &shortcut));
	origin.shortcut = &shortcut;
	reply = start(&origin);
	assert_true(asprintf(&yaml, "%skeys:\n%s", fixture_yaml, keys_yaml) > 0);
	at_uid = strstr(yaml, "    uid: 1879048210\n");
	*at_uid = '\0';
	directory_unref(d);
	d = fixture_join("gpu-1", yaml, "    sessions_valid_from: 2027-01-15T08:00:30Z\n    uid: 1879048210\n",
			 at_uid + strlen("    uid: 1879048210\n"), NULL);
	free(yaml);
	/* Whatever the policy is, that sudo is over. */
	assert_int_not_equal(authorize(&origin, reply.token, "").reason, REASON_ALLOWED);
	assert_false(fresh(&place, NULL));
}

static void a_scope_without_sudo_proves_nothing(void **state)
{
	struct fixture_key scoped =
		fixture_key(API_KEY_PERSON, "usr_alice", "scoped", "scopes: {actions: [host.login]}");
	const struct session *session;
	struct place place;

	free(keys_yaml);
	keys_yaml = strdup(scoped.yaml);
	reload();
	snprintf(key_name, sizeof(key_name), "api-key:%s", scoped.id);
	session = open_session("sshd", "192.0.2.1", "ssh", key_name);
	place = at(session, &here, true);
	assert_false(fresh(&place, NULL));
}

static void only_for_oneself(void **state)
{
	const struct session *session = open_session("sshd", "192.0.2.1", "ssh", key_name);
	struct place place = at(session, &here, true);
	struct login_shortcut shortcut;
	struct login_origin table[8];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		table[i] = by_sudo("alice", ALICE);
	table[count++].requesting_user = "edith"; /* targetpw: alice's proof is not edith's */
	table[count++].requesting_user = "";
	table[count++].requesting_uid = EDITH;
	table[count++].uid = EDITH;
	table[count++].uid = LOGIN_UID_UNSAID;
	table[count++].service = "su";
	table[count++].service = "polkit-1";
	table[count++].service = "sshd";
	for (size_t i = 0; i < count; i++) {
		assert_false(sudo_proof_matters(d, &table[i]));
		if (sudo_proof_has(book, d, sessions, &table[i], &place, now, today, &shortcut))
			fail_msg("case %zu", i);
	}
	table[0] = by_sudo("edith", EDITH); /* in alice's session, by whatever way */
	assert_false(sudo_proof_has(book, d, sessions, &table[0], &place, now, today, &shortcut));
	table[0] = by_sudo("nobody-here", ALICE);
	assert_false(sudo_proof_has(book, d, sessions, &table[0], &place, now, today, &shortcut));
}

static void what_is_no_proof_is_not_kept(void **state)
{
	static const char *const none[] = {
		"recent:api-key:key_x", "none", "code:Ab3dE9xZ", "", "password", "sso", "token"};
	const struct session *session = open_session("sshd", "192.0.2.1", "ssh", "none");
	struct place place = at(session, &here, true);
	struct login_origin origin = by_sudo("alice", ALICE);
	struct login_verdict verdict = {.reason = REASON_ROLE_TOO_LOW,
					.user = directory_user_by_login(d, "alice"),
					.subject = directory_user_by_login(d, "alice")};

	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		prove(&place, none[i]);
	snprintf(verdict.credential, sizeof(verdict.credential), "%s", key_name);
	sudo_proof_given(d, sessions, &origin, &place, &verdict, now); /* refused */
	verdict.reason = REASON_ALLOWED;
	verdict.subject = directory_user_by_login(d, "edith"); /* somebody else's right */
	sudo_proof_given(d, sessions, &origin, &place, &verdict, now);
	assert_int_equal(session->proofs[0].at, 0);
	assert_false(fresh(&place, NULL));
}

/* From the prompt to the next use, as PAM goes. */
static void through_the_stages(void **state)
{
	const struct session *session = open_session("sshd", "192.0.2.1", "ssh", "none");
	struct place place = at(session, &here, true);
	struct login_origin origin = by_sudo("alice", ALICE);
	struct login_shortcut shortcut;
	struct login_verdict verdict;
	struct login_reply reply = start(&origin);

	assert_int_equal(reply.step, LOGIN_PROMPT);
	reply = answer(reply.token, alices.text);
	assert_int_equal(reply.step, LOGIN_ALLOWED);
	verdict = authorize(&origin, reply.token, "");
	assert_int_equal(verdict.reason, REASON_ALLOWED);
	sudo_proof_given(d, sessions, &origin, &place, &verdict, now);
	now += 60 * SECOND;
	assert_true(fresh(&place, &shortcut));
	origin.shortcut = &shortcut;
	reply = start(&origin);
	assert_int_equal(reply.step, LOGIN_ALLOWED);
	verdict = authorize(&origin, reply.token, "");
	assert_int_equal(verdict.reason, REASON_ALLOWED);
	assert_true(text_starts(verdict.credential, "recent:api-key:"));
	assert_int_equal(heard.kind, AUDIT_PRIVILEGE_ALLOWED);
	assert_true(text_starts(heard.credential, "recent:api-key:"));
	sudo_proof_given(d, sessions, &origin, &place, &verdict, now); /* no proof: the first one's time goes on */
	now += WITHIN - 59 * SECOND;
	assert_false(fresh(&place, NULL));
	/* What was let go on for sudo is good for sudo alone. */
	origin.service = "sshd";
	assert_int_equal(authorize(&origin, reply.token, "").reason, REASON_LOGIN_EXPIRED);
}

int main(void)
{
#define SUDO_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		SUDO_TEST(always_asks),
		SUDO_TEST(none_asks_nowhere),
		SUDO_TEST(the_right_is_asked_all_the_same),
		SUDO_TEST(a_proof_counts_at_its_terminal),
		SUDO_TEST(for_so_long),
		SUDO_TEST(the_sign_in_is_one_where_it_gave_the_terminal),
		SUDO_TEST(what_a_code_was_made_by_is_kept_and_proves_nothing),
		SUDO_TEST(survives_the_agent),
		SUDO_TEST(ends_with_what_gave_it),
		SUDO_TEST(ends_with_the_persons_sign_ins),
		SUDO_TEST(a_scope_without_sudo_proves_nothing),
		SUDO_TEST(only_for_oneself),
		SUDO_TEST(what_is_no_proof_is_not_kept),
		SUDO_TEST(through_the_stages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
