/* SPDX-License-Identifier: MIT
 *
 * Sessions whose leader logind has put into a scope: real cgroups, with this test in logind's place.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/macros.h"
#include "cgroup_fixture.h"
#include "directory_fixture.h"
#include "session/logind.h"
#include "session/place.h"
#include "session/scope.h"
#include "session/session.h"

/* The kernel's watches are used up: so many can still be had. */
static int watches_left = INT_MAX;
int __real_sd_event_add_inotify(sd_event *e, sd_event_source **ret, const char *path, uint32_t mask,
				sd_event_inotify_handler_t callback, void *userdata);
int __wrap_sd_event_add_inotify(sd_event *e, sd_event_source **ret, const char *path, uint32_t mask,
				sd_event_inotify_handler_t callback, void *userdata);
int __wrap_sd_event_add_inotify(sd_event *e, sd_event_source **ret, const char *path, uint32_t mask,
				sd_event_inotify_handler_t callback, void *userdata)
{
	return watches_left-- > 0 ? __real_sd_event_add_inotify(e, ret, path, mask, callback, userdata) : -ENOSPC;
}

/* Time passes a hundred times as fast for whoever must look again. */
int __real_sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec);
int __wrap_sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec);
int __wrap_sd_event_source_set_time_relative(sd_event_source *source, uint64_t usec)
{
	return __real_sd_event_source_set_time_relative(source, usec / 100);
}

static char dir[64], logind[160];
static sd_event *event;
static struct session_table *table;
static unsigned ended, left;
static char ended_why[32];

static void on_end(void *context, const struct session *session, const char *why)
{
	ended++;
	assert_null(session_find(table, session->id));
	(void)snprintf(ended_why, sizeof(ended_why), "%s", why);
}

static void on_left(void *context, const struct session *session)
{
	left++;
	assert_true(session->left_behind);
	assert_ptr_equal(session_find(table, session->id), session);
}

static const struct session_hooks hooks = {.left_behind = on_left, .ended = on_end};

static void start_table(void)
{
	char state[96];

	(void)snprintf(state, sizeof(state), "%s/state", dir);
	assert_result(session_table_create(event, state, &hooks, &table), 0);
}

static void start_agent(void)
{
	start_table();
	assert_result(logind_follow(table, logind), 0);
}

static void restart_agent(uint32_t expect)
{
	uint32_t count = 99;

	start_agent();
	assert_result(session_table_restore(table, NULL, NULL, &count), 0);
	assert_int_equal(count, expect);
}

static void stop_agent(void)
{
	session_table_destroy(table);
	table = NULL;
}

static int setup(void **state)
{
	ended = left = 0;
	watches_left = INT_MAX;
	strcpy(dir, "/tmp/test-scope-XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(logind, sizeof(logind), "%s/sessions", dir);
	assert_result(mkdir(logind, 0755), 0);
	assert_result(sd_event_new(&event), 0);
	cgroup_fixture_begin();
	start_agent();
	return 0;
}

static int teardown(void **state)
{
	stop_agent();
	sd_event_unref(event);
	cgroup_fixture_end();
	remove_folder(strdup(dir));
	return 0;
}

/* What has happened by now, and nothing that is still to come. */
static void look(void)
{
	while (sd_event_run(event, 0) > 0)
		;
}

static void wait_for(const unsigned *count, unsigned value, unsigned msec)
{
	uint64_t until = clock_boottime_usec() + msec * 1000ULL;

	while (*count < value && clock_boottime_usec() < until)
		assert_true(sd_event_run(event, 10000) >= 0);
	assert_int_equal(*count, value);
}

/* Waits until the kernel has nothing more to tell; that it tells it a little later is its affair. */
static void wait_msec(unsigned msec)
{
	uint64_t until = clock_boottime_usec() + msec * 1000ULL;

	while (clock_boottime_usec() < until)
		assert_true(sd_event_run(event, 10000) >= 0);
}

static const struct session *open_session(pid_t leader)
{
	static char text[] = "x", user[] = "usr_alice", service[] = "sshd";
	const struct session *session = NULL;
	struct session data = {.user_id = user,
			       .login = text,
			       .tenant = text,
			       .service = service,
			       .credential = text,
			       .uid = cgroup_fixture_uid(),
			       .leader = leader,
			       .opened = 1};

	assert_result(session_open(table, &data, &session), 0);
	return session;
}

/* As logind writes its files: beside, and then in place. */
static void write_logind(const char *name, uint32_t uid, pid_t leader)
{
	char path[256], temporary[256];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", logind, name);
	(void)snprintf(temporary, sizeof(temporary), "%s/.#%s", logind, name);
	file = fopen(temporary, "we");
	assert_non_null(file);
	assert_true(fprintf(file,
			    "# This is private data. Do not parse.\nUID=%u\nUSER=x\nACTIVE=1\nSTATE=active\nREMOTE=1\n"
			    "SCOPE=session-%s.scope\nVTNR=0\nLEADER=%d\nAUDIT=7\n",
			    uid, name, (int)leader) > 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(temporary, path), 0);
}

static void remove_logind(const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", logind, name);
	assert_int_equal(unlink(path), 0);
}

/* A session that logind has given a scope, with `others` beside its leader. */
static const struct session *open_in_scope(const char *name, pid_t *leader, pid_t *others, unsigned count)
{
	const struct session *session;

	*leader = cgroup_fixture_process(NULL);
	session = open_session(*leader);
	assert_string_equal(session->scope, "");
	cgroup_fixture_make(name);
	cgroup_fixture_move(name, *leader);
	for (unsigned i = 0; i < count; i++)
		others[i] = cgroup_fixture_process(name);
	write_logind(name, cgroup_fixture_uid(), *leader);
	look();
	assert_string_equal(session->scope, name);
	return session;
}

static void the_scope_is_found_when_logind_has_made_it(void **state)
{
	const struct session *session;
	uint64_t inode = 0;
	pid_t leader;

	session = open_in_scope("7", &leader, NULL, 0);
	assert_result(scope_identify(session->uid, "7", &inode), 0);
	assert_true(inode != 0 && session->scope_inode == inode);
	assert_false(session->left_behind);
	cgroup_fixture_kill(leader);
	wait_for(&ended, 1, 2000);
	assert_string_equal(ended_why, "process-ended");
	assert_int_equal(left, 0);
}

static void what_logind_says_and_the_kernel_does_not_show_is_not_so(void **state)
{
	pid_t leader = cgroup_fixture_process(NULL), other;
	const struct session *session = open_session(leader);

	cgroup_fixture_make("8");
	other = cgroup_fixture_process("8");
	write_logind("8", session->uid, leader); /* the leader is elsewhere */
	look();
	assert_string_equal(session->scope, "");
	write_logind("8", session->uid, other); /* it leads no session of ours */
	look();
	assert_string_equal(session->scope, "");
	cgroup_fixture_move("8", leader);
	write_logind("8", session->uid + 1, leader); /* somebody else's */
	write_logind("8.ref", session->uid, leader);
	write_logind("..8", session->uid, leader);
	write_logind("9", session->uid, leader); /* not the one that it is in */
	write_logind("0123456789012345678901234567890123456789", session->uid, leader);
	look();
	assert_string_equal(session->scope, "");
	write_logind("8", session->uid, leader);
	look();
	assert_string_equal(session->scope, "8");
	cgroup_fixture_kill(other);
	cgroup_fixture_kill(leader);
}

static void files_of_logind_that_cannot_be(void **state)
{
	pid_t leader = cgroup_fixture_process(NULL);
	const struct session *session = open_session(leader);
	char path[256], temporary[256], texts[7][128] = {"", "LEADER="};
	unsigned uid = session->uid;
	int pid = (int)leader;

	cgroup_fixture_make("8");
	cgroup_fixture_move("8", leader);
	(void)snprintf(path, sizeof(path), "%s/8", logind);
	(void)snprintf(temporary, sizeof(temporary), "%s/.#8", logind);
	(void)snprintf(texts[2], sizeof(texts[2]), "UID=%u\nLEADER=", uid);
	(void)snprintf(texts[3], sizeof(texts[3]), "UID=%u\nLEADER=-%d\n", uid, pid);
	(void)snprintf(texts[4], sizeof(texts[4]), "LEADER=%d\n", pid);
	(void)snprintf(texts[5], sizeof(texts[5]), "XUID=%u\nXLEADER=%d\n", uid, pid);
	(void)snprintf(texts[6], sizeof(texts[6]), "UID=%u\nLEADER=%d9999999999999999999999\n", uid, pid);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		FILE *file = fopen(temporary, "we");

		assert_true(file && fputs(texts[i], file) >= 0 && fclose(file) == 0);
		assert_int_equal(rename(temporary, path), 0);
		look();
		assert_string_equal(session->scope, "");
	}
	assert_int_equal(mkdir(temporary, 0755), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rename(temporary, path), 0);
	look();
	assert_string_equal(session->scope, "");
	assert_int_equal(rmdir(path), 0);
	write_logind("8", session->uid, leader);
	assert_int_equal(chmod(path, 0666), 0); /* others may have written it */
	look();
	assert_string_equal(session->scope, "");
	cgroup_fixture_kill(leader);
}

static void logind_comes_later_and_goes(void **state)
{
	char inner[128];
	pid_t leader, second;
	const struct session *session;

	(void)snprintf(inner, sizeof(inner), "%s/run/systemd", dir);
	(void)snprintf(logind, sizeof(logind), "%s/sessions", inner);
	assert_result(logind_follow(table, logind), 0);
	leader = cgroup_fixture_process(NULL);
	session = open_session(leader);
	cgroup_fixture_make("c1");
	cgroup_fixture_move("c1", leader);
	*strrchr(inner, '/') = '\0';
	assert_int_equal(mkdir(inner, 0755), 0);
	look();
	inner[strlen(inner)] = '/';
	assert_int_equal(mkdir(inner, 0755), 0);
	assert_int_equal(mkdir(logind, 0755), 0);
	write_logind("c1", session->uid, leader);
	look();
	assert_string_equal(session->scope, "c1");
	/* The folder is made anew. */
	remove_logind("c1");
	assert_int_equal(rmdir(logind), 0);
	look();
	second = cgroup_fixture_process(NULL);
	session = open_session(second);
	cgroup_fixture_make("c2");
	cgroup_fixture_move("c2", second);
	assert_int_equal(mkdir(logind, 0755), 0);
	look();
	write_logind("c2", session->uid, second);
	look();
	assert_string_equal(session->scope, "c2");
	cgroup_fixture_kill(leader);
	cgroup_fixture_kill(second);
}

static void opened_in_its_scope_already(void **state)
{
	pid_t leader, su;
	const struct session *session, *inner;

	cgroup_fixture_make("5");
	leader = cgroup_fixture_process("5");
	write_logind("5", cgroup_fixture_uid(), leader);
	/* su to oneself, in the scope of the session around it: that is not its own, whether the table has that or not.
	 */
	su = cgroup_fixture_process("5");
	inner = open_session(su);
	assert_string_equal(inner->scope, "");
	session = open_session(leader);
	assert_string_equal(session->scope, "5");
	cgroup_fixture_kill(su);
	wait_for(&ended, 1, 2000);
	su = cgroup_fixture_process("5");
	inner = open_session(su);
	write_logind("5", cgroup_fixture_uid(), leader);
	look();
	assert_string_equal(inner->scope, "");
	cgroup_fixture_kill(su);
	wait_for(&ended, 2, 2000);
	assert_false(session->left_behind);
	/* Of two with one leader the first has it. */
	inner = open_session(leader);
	assert_string_equal(inner->scope, "");
	cgroup_fixture_kill(leader);
	wait_for(&ended, 4, 2000);
	assert_int_equal(left, 0);
}

static void left_behind_until_the_last_has_gone(void **state)
{
	pid_t leader, others[2];
	const struct session *session = open_in_scope("7", &leader, others, 2);
	char id[SESSION_ID_CHARS + 1];
	uint32_t cursor = 0;

	strcpy(id, session->id);
	cgroup_fixture_kill(leader);
	wait_msec(50);
	assert_true(session->left_behind); /* it counts for nothing at once, and is told of when it lasts */
	assert_int_equal(left, 0);
	wait_for(&left, 1, 2000);
	assert_ptr_equal(session_find(table, id), session);
	assert_ptr_equal(session_next_of(table, "usr_alice", &cursor), session);
	cgroup_fixture_kill(others[0]);
	wait_msec(100);
	assert_int_equal(ended, 0);
	cgroup_fixture_kill(others[1]);
	wait_for(&ended, 1, 2000);
	assert_string_equal(ended_why, "process-ended");
	assert_int_equal(left, 1);
	assert_int_equal(session_count(table), 0);
}

static void what_goes_with_its_leader_is_not_left_behind(void **state)
{
	pid_t leader, other;
	const struct session *session = open_in_scope("7", &leader, &other, 1);

	assert_result(session_close(table, session->id), 0);
	assert_result(session_close(table, session->id), 0); /* twice is once */
	assert_true(session->left_behind);
	wait_msec(50);
	assert_int_equal(ended, 0);
	cgroup_fixture_kill(leader);
	wait_msec(50);
	cgroup_fixture_kill(other);
	wait_for(&ended, 1, 2000);
	assert_string_equal(ended_why, "closed");
	wait_msec(1200);
	assert_int_equal(left, 0);
}

static void a_leader_that_goes_on_after_pam_closed(void **state)
{
	pid_t leader, other;
	const struct session *session = open_in_scope("7", &leader, NULL, 0), *second;

	assert_result(session_close(table, session->id), 0);
	assert_int_equal(ended, 1);
	assert_string_equal(ended_why, "closed");
	assert_int_equal(left, 0);
	cgroup_fixture_kill(leader);
	second = open_in_scope("9", &leader, &other, 1);
	assert_result(session_close(table, second->id), 0);
	wait_for(&left, 1, 3000);
	assert_int_equal(ended, 1);
	cgroup_fixture_kill(leader);
	wait_msec(100);
	assert_int_equal(ended, 1);
	cgroup_fixture_kill(other);
	wait_for(&ended, 2, 2000);
}

static void the_scope_is_removed_before_anybody_looks(void **state)
{
	pid_t leader, other;
	const struct session *session = open_in_scope("7", &leader, &other, 1);

	cgroup_fixture_kill(leader);
	look();
	assert_true(session->left_behind);
	cgroup_fixture_kill(other);
	cgroup_fixture_remove("7");
	wait_for(&ended, 1, 2000);
	/* Gone when the leader's end is heard. */
	open_in_scope("8", &leader, NULL, 0);
	cgroup_fixture_kill(leader);
	cgroup_fixture_remove("8");
	wait_for(&ended, 2, 2000);
	assert_int_equal(left, 0);
	/* The kernel tells of changes at most every ten milliseconds, and not of one that the scope did not outlive. */
	open_in_scope("9", &leader, &other, 1);
	cgroup_fixture_kill(leader);
	wait_for(&left, 1, 2000);
	cgroup_fixture_move("", other);
	cgroup_fixture_move("9", other);
	usleep(1000);
	look();
	assert_int_equal(ended, 2);
	cgroup_fixture_move("", other);
	cgroup_fixture_remove("9");
	wait_for(&ended, 3, 2000);
	cgroup_fixture_kill(other);
}

static void there_are_no_watches_left(void **state)
{
	pid_t leader, others[2], second;
	const struct session *session = open_in_scope("7", &leader, others, 2), *later;

	watches_left = 1; /* the folder's, not that of what is in the scope */
	cgroup_fixture_kill(leader);
	wait_for(&left, 1, 2000);
	cgroup_fixture_kill(others[0]);
	wait_msec(400);
	assert_int_equal(ended, 0);
	assert_true(session->left_behind);
	assert_int_equal(left, 1);
	cgroup_fixture_kill(others[1]);
	wait_for(&ended, 1, 3000);
	/* An agent that starts without can do everything else, and has them as soon as there are some. */
	stop_agent();
	watches_left = 0;
	start_table();
	second = cgroup_fixture_process(NULL);
	open_session(second);
	assert_int_equal(session_count(table), 1);
	cgroup_fixture_kill(second);
	wait_for(&ended, 2, 2000);
	watches_left = INT_MAX;
	second = cgroup_fixture_process(NULL);
	later = open_session(second);
	assert_result(logind_follow(table, logind), 0);
	cgroup_fixture_make("9");
	cgroup_fixture_move("9", second);
	write_logind("9", later->uid, second);
	look();
	assert_string_equal(later->scope, "9");
	cgroup_fixture_kill(second);
}

/* logind's word and the leader's end are heard in one go. */
static void a_session_too_short_to_be_seen(void **state)
{
	pid_t leader = cgroup_fixture_process(NULL), nohup;
	const struct session *session = open_session(leader);

	cgroup_fixture_make("7");
	cgroup_fixture_move("7", leader);
	write_logind("7", session->uid, leader);
	nohup = cgroup_fixture_process("7");
	cgroup_fixture_kill(leader);
	look();
	assert_true(session->left_behind);
	assert_string_equal(session->scope, "7");
	wait_for(&left, 1, 2000);
	cgroup_fixture_kill(nohup);
	wait_for(&ended, 1, 2000);
}

static void the_next_agent_finds_what_was_left_behind(void **state)
{
	pid_t leader, other;
	const struct session *session = open_in_scope("7", &leader, &other, 1);
	char id[SESSION_ID_CHARS + 1];

	strcpy(id, session->id);
	cgroup_fixture_kill(leader);
	wait_for(&left, 1, 2000);
	stop_agent();
	restart_agent(1);
	session = session_find(table, id);
	assert_non_null(session);
	assert_true(session->left_behind);
	assert_string_equal(session->scope, "7");
	wait_msec(1300);
	assert_int_equal(left, 1); /* no news */
	cgroup_fixture_kill(other);
	wait_for(&ended, 1, 2000);
	stop_agent();
	restart_agent(0);
}

static void left_behind_while_no_agent_was_there(void **state)
{
	pid_t leader = cgroup_fixture_process(NULL), nohup, gone = cgroup_fixture_process(NULL), alive;
	const struct session *session = open_session(leader);
	char id[SESSION_ID_CHARS + 1], gone_id[SESSION_ID_CHARS + 1], alive_id[SESSION_ID_CHARS + 1];

	strcpy(id, session->id);
	strcpy(gone_id, open_session(gone)->id);
	strcpy(alive_id, open_session(alive = cgroup_fixture_process(NULL))->id);
	stop_agent();
	/* One that logind never gave a scope; one whose leader and scope live; one that left something. */
	cgroup_fixture_kill(gone);
	cgroup_fixture_make("6");
	cgroup_fixture_move("6", alive);
	write_logind("6", cgroup_fixture_uid(), alive);
	cgroup_fixture_make("7");
	cgroup_fixture_move("7", leader);
	write_logind("7", cgroup_fixture_uid(), leader);
	nohup = cgroup_fixture_process("7");
	cgroup_fixture_kill(leader);
	restart_agent(2);
	session = session_find(table, id);
	assert_non_null(session);
	assert_true(session->left_behind);
	assert_null(session_find(table, gone_id));
	session = session_find(table, alive_id);
	assert_non_null(session);
	assert_false(session->left_behind);
	assert_string_equal(session->scope, "6");
	assert_int_equal(ended, 0);
	cgroup_fixture_kill(nohup);
	cgroup_fixture_kill(alive);
	wait_for(&ended, 2, 2000);
	assert_int_equal(left, 0); /* it did not last */
}

static void a_scope_of_the_same_name_is_another(void **state)
{
	pid_t leader, other, newcomer;
	const struct session *session = open_in_scope("c1", &leader, &other, 1);
	char id[SESSION_ID_CHARS + 1];

	strcpy(id, session->id);
	cgroup_fixture_kill(leader);
	wait_for(&left, 1, 2000);
	stop_agent();
	cgroup_fixture_kill(other);
	cgroup_fixture_remove("c1");
	cgroup_fixture_make("c1");
	newcomer = cgroup_fixture_process("c1");
	restart_agent(0);
	assert_null(session_find(table, id));
	cgroup_fixture_kill(newcomer);
}

static void nothing_of_another_boot(void **state)
{
	pid_t leader;
	const struct session *session = open_in_scope("7", &leader, NULL, 0);
	char path[128], text[4096], *boot;
	FILE *file;
	size_t length;

	(void)snprintf(path, sizeof(path), "%s/state/%s.json", dir, session->id);
	stop_agent();
	file = fopen(path, "r+e");
	assert_non_null(file);
	length = fread(text, 1, sizeof(text) - 1, file);
	text[length] = '\0';
	boot = strstr(text, "\"boot\":\"");
	assert_non_null(boot);
	boot[8] = boot[8] == 'f' ? '0' : 'f';
	rewind(file);
	assert_int_equal(fwrite(text, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
	restart_agent(0);
	assert_int_equal(access(path, F_OK), -1);
	cgroup_fixture_kill(leader);
}

static enum place_rule counts(const struct session *session)
{
	return PLACE_COUNTS;
}

static void a_daemon_sits_in_the_session_of_its_scope(void **state)
{
	pid_t leader, daemon, stranger = cgroup_fixture_process(NULL);
	const struct session *session = open_in_scope("7", &leader, &daemon, 1);
	struct place place = {0};

	assert_result(place_find(table, daemon, -1, session->uid, counts, &place), 0);
	assert_ptr_equal(place.session, session);
	assert_result(place_find(table, stranger, -1, session->uid, counts, &place), 0);
	assert_null(place.session);
	assert_result(place_find(table, daemon, -1, session->uid + 1, counts, &place), 0);
	assert_null(place.session);
	/* Left behind it is worth nothing any more. */
	assert_result(session_close(table, session->id), 0);
	assert_result(place_find(table, daemon, -1, session->uid, counts, &place), 0);
	assert_null(place.session);
	assert_result(place_find(table, leader, -1, session->uid, counts, &place), 0);
	assert_null(place.session);
	cgroup_fixture_kill(leader);
	look();
	assert_result(place_find(table, daemon, -1, session->uid, counts, &place), 0);
	assert_null(place.session);
	cgroup_fixture_kill(daemon);
	cgroup_fixture_kill(stranger);
}

static void names_of_scopes(void **state)
{
	char name[SESSION_SCOPE_SIZE], path[SCOPE_PATH_SIZE];

	assert_true(scope_name_is_valid("c17") && scope_name_is_valid("4294967295"));
	assert_false(scope_name_is_valid(""));
	assert_false(scope_name_is_valid("1/2"));
	assert_false(scope_name_is_valid("7.scope"));
	assert_false(scope_name_is_valid("../7"));
	assert_false(scope_name_is_valid("01234567890123456789012345678901"));
	assert_result(scope_of_process(1 << 22, 0, name), -ESRCH);
	assert_result(scope_of_process(getpid(), cgroup_fixture_uid(), name), -ENOENT);
	/* The longest there can be. */
	scope_path(UINT32_MAX, "0123456789012345678901234567890", "cgroup.events", path);
	assert_non_null(strstr(path, "/cgroup.events"));
	assert_string_equal(strstr(path, "/cgroup.events"), "/cgroup.events");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_scope_is_found_when_logind_has_made_it),
		TEST(what_logind_says_and_the_kernel_does_not_show_is_not_so),
		TEST(files_of_logind_that_cannot_be),
		TEST(logind_comes_later_and_goes),
		TEST(opened_in_its_scope_already),
		TEST(left_behind_until_the_last_has_gone),
		TEST(what_goes_with_its_leader_is_not_left_behind),
		TEST(a_leader_that_goes_on_after_pam_closed),
		TEST(the_scope_is_removed_before_anybody_looks),
		TEST(there_are_no_watches_left),
		TEST(a_session_too_short_to_be_seen),
		TEST(the_next_agent_finds_what_was_left_behind),
		TEST(left_behind_while_no_agent_was_there),
		TEST(a_scope_of_the_same_name_is_another),
		TEST(nothing_of_another_boot),
		TEST(a_daemon_sits_in_the_session_of_its_scope),
		TEST(names_of_scopes),
	};

	if (!cgroup_fixture_works()) {
		print_message("no cgroups of the second version that this test may write: nothing to see here\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
