/* SPDX-License-Identifier: MIT
 *
 * Sessions of real processes.
 */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/macros.h"
#include "base/text.h"
#include "session/process.h"
#include "session/session.h"

static char dir[64];
static sd_event *event;
static struct session_table *table;
static unsigned ended, warned, going_on;
static char ended_id[SESSION_ID_CHARS + 1], ended_why[32];

static void on_end(void *context, const struct session *session, const char *why)
{
	ended++;
	assert_null(session_find(table, session->id)); /* told when it is out already */
	snprintf(ended_id, sizeof(ended_id), "%s", session->id);
	snprintf(ended_why, sizeof(ended_why), "%s", why);
}

static void on_warn(void *context, const struct problem *problem)
{
	warned++;
	assert_true(problem->text[0] != '\0');
}

static void on_goes_on(void *context, const struct session *session)
{
	assert_ptr_equal(session, session_find(table, session->id));
	assert_true(!session->ending && !session->ending_cause[0]); /* as it is from now on */
	going_on++;
}

static const struct session_hooks hooks = {.goes_on = on_goes_on, .ended = on_end};

static int setup(void **state)
{
	/* As /run: thousands of files that are made durable one by one take their time on a disk. */
	strcpy(dir, access("/dev/shm", W_OK) == 0 ? "/dev/shm/test-session-XXXXXX" : "/tmp/test-session-XXXXXX");
	assert_non_null(mkdtemp(dir));
	strcat(dir, "/s");
	ended = warned = going_on = 0;
	assert_result(sd_event_new(&event), 0);
	return session_table_create(event, dir, &hooks, &table);
}

static int teardown(void **state)
{

	session_table_destroy(table);
	sd_event_unref(event);
	{
		int fd = open(dir, O_RDONLY | O_DIRECTORY);
		DIR *d = fdopendir(fd);
		struct dirent *entry;

		while ((entry = readdir(d)))
			unlinkat(fd, entry->d_name, 0);
		closedir(d);
		rmdir(dir);
		dir[strlen(dir) - 2] = '\0';
		rmdir(dir);
	}
	return 0;
}

static pid_t child(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		for (;;)
			pause();
	}
	return pid;
}

static void end_child(pid_t pid)
{
	assert_result(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static struct session sample(pid_t leader)
{
	static char user_id[] = "usr_alice", login[] = "alice", tenant[] = "acme", project[] = "vision",
		    role[] = "owner", service[] = "sshd", source[] = "192.0.2.1", credential[] = "api-key:key_x";

	return (struct session){.user_id = user_id,
				.login = login,
				.tenant = tenant,
				.project = project,
				.role = role,
				.service = service,
				.source = source,
				.terminal = NULL,
				.credential = credential,
				.uid = 1879048210,
				.leader = leader,
				.opened = 1800000000,
				.opened_usec = 4711};
}

static void run_until(unsigned count)
{
	while (ended < count && sd_event_run(event, 5000000) > 0)
		;
	assert_int_equal(ended, count);
}

static void again(void)
{
	session_table_destroy(table);
	table = NULL;
	assert_result(session_table_create(event, dir, &hooks, &table), 0);
}

static unsigned files(void)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	unsigned count = 0;

	while ((entry = readdir(d)))
		count += entry->d_name[0] != '.';
	closedir(d);
	return count;
}

static void the_process_ends_the_session(void **state)
{
	pid_t one = child(), two = child();
	const struct session *first, *second;
	struct session data = sample(one);
	char id[SESSION_ID_CHARS + 1];

	assert_result(session_open(table, &data, &first), 0);
	data.leader = two;
	assert_result(session_open(table, &data, &second), 0);
	assert_string_not_equal(first->id, second->id);
	assert_string_equal(first->terminal, "");
	assert_int_equal(session_count(table), 2);
	assert_int_equal(session_count_user(table, "usr_alice"), 2);
	assert_int_equal(session_count_user(table, "usr_edith"), 0);
	assert_int_equal(files(), 2);
	strcpy(id, first->id);
	end_child(one);
	run_until(1);
	assert_string_equal(ended_id, id);
	assert_string_equal(ended_why, "process-ended");
	assert_int_equal(session_count_user(table, "usr_alice"), 1);
	assert_int_equal(files(), 1);
	assert_null(session_find(table, id));
	strcpy(id, second->id);
	assert_result(session_close(table, id), 0);
	assert_int_equal(ended, 2);
	assert_string_equal(ended_why, "closed");
	assert_result(session_close(table, id), -ENOENT);
	assert_int_equal(session_count(table), 0);
	assert_int_equal(files(), 0);
	end_child(two); /* closing is no killing; and its end is no news any more */
	sd_event_run(event, 0);
	assert_int_equal(ended, 2);
}

static void processes_that_are_not_there(void **state)
{
	pid_t pid = child();
	struct session data;
	const struct session *session = NULL;
	static const pid_t bad[] = {0, 1, -1, -4711};

	kill(pid, SIGKILL);
	assert_result(waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
	data = sample(pid); /* a zombie */
	assert_result(session_open(table, &data, &session), -ESRCH);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_result(session_open(table, &data, &session), -ESRCH);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		data.leader = bad[i];
		assert_result(session_open(table, &data, &session), -ESRCH);
	}
	assert_null(session);
	assert_int_equal(session_count(table), 0);
	assert_int_equal(files(), 0);
}

static void modes(void **state)
{
	pid_t pid = child();
	const struct session *session;
	struct session data = sample(pid);
	char path[128];
	struct stat st;

	assert_result(session_open(table, &data, &session), 0);
	assert_result(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	snprintf(path, sizeof(path), "%s/%s.json", dir, session->id);
	assert_result(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	end_child(pid);
}

static void a_restarted_agent_finds_them(void **state)
{
	pid_t lives = child(), dies = child();
	const struct session *session;
	struct session data = sample(lives);
	char id[SESSION_ID_CHARS + 1];
	uint32_t count = 99, cursor = 0;

	assert_result(session_open(table, &data, &session), 0);
	strcpy(id, session->id);
	data.leader = dies;
	assert_result(session_open(table, &data, &session), 0);
	session_table_destroy(table);
	table = NULL;
	assert_int_equal(files(), 2); /* stopping is no end of sessions */
	end_child(dies);
	assert_result(session_table_create(event, dir, &hooks, &table), 0);
	assert_result(session_table_restore(table, on_warn, NULL, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(files(), 1);
	assert_int_equal(warned, 0);
	session = session_next(table, &cursor);
	assert_non_null(session);
	assert_string_equal(session->id, id);
	assert_string_equal(session->login, "alice");
	assert_string_equal(session->source, "192.0.2.1");
	assert_string_equal(session->credential, "api-key:key_x");
	assert_int_equal(session->uid, 1879048210);
	assert_int_equal(session->opened, 1800000000);
	assert_int_equal(session->opened_usec, 4711);
	assert_null(session_next(table, &cursor));
	assert_int_equal(session_count_user(table, "usr_alice"), 1);
	/* Twice is not two. */
	assert_result(session_table_restore(table, on_warn, NULL, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(session_count(table), 1);
	end_child(lives);
	run_until(1);
	assert_string_equal(ended_id, id);
}

static void write_file(const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	chmod(path, 0600);
}

#define GOOD                                                                                                           \
	"\"user_id\":\"usr_alice\",\"login\":\"alice\",\"tenant\":\"acme\",\"project\":\"vision\",\"role\":\"owner\"," \
	"\"service\":\"sshd\",\"source\":\"\",\"credential\":\"none\",\"uid\":1879048210,\"opened\":1800000000"

#define PROCESS "{" GOOD ",\"terminal\":\"\",\"leader\":4711,\"leader_start\":5"

static void a_pid_that_was_used_again(void **state)
{
	pid_t pid = child();
	uint64_t start;
	char text[1024];
	uint32_t count;

	assert_result(process_start(pid, &start), 0);
	snprintf(text, sizeof(text), "{" GOOD ",\"terminal\":\"\",\"leader\":%d,\"leader_start\":%llu}", (int)pid,
		 (unsigned long long)start - 1);
	write_file("aaaaaaaaaaaaaaaa.json", text);
	assert_result(session_table_restore(table, on_warn, NULL, &count), 0);
	assert_int_equal(count, 0);
	assert_int_equal(files(), 0);
	/* The very one, to show that only the start made the difference. */
	snprintf(text, sizeof(text), "{" GOOD ",\"terminal\":\"\",\"leader\":%d,\"leader_start\":%llu}", (int)pid,
		 (unsigned long long)start);
	write_file("aaaaaaaaaaaaaaaa.json", text);
	assert_result(session_table_restore(table, on_warn, NULL, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(warned, 0);
	/* An agent that did not know the number wrote it. */
	assert_int_equal(session_find(table, "aaaaaaaaaaaaaaaa")->valid_from, -1);
	end_child(pid);
}

static void damaged_files_are_dropped(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"null",
		"[]",
		"{}",
		"{" GOOD "}",
		"{" GOOD ",\"terminal\":\"\",\"leader\":1,\"leader_start\":5}",
		"{" GOOD ",\"terminal\":\"\",\"leader\":4711,\"leader_start\":0}",
		"{" GOOD ",\"terminal\":\"\",\"leader\":-5,\"leader_start\":5}",
		"{" GOOD ",\"terminal\":\"\",\"leader\":4294967295,\"leader_start\":5}",
		"{" GOOD ",\"terminal\":\"\",\"leader\":\"4711\",\"leader_start\":5}",
		"{" GOOD ",\"terminal\":\"\\u001b[2J\",\"leader\":4711,\"leader_start\":5}",
		"{" GOOD ",\"terminal\":\"\",\"terminal\":\"\",\"leader\":4711,\"leader_start\":5}",
		"{" GOOD ",\"terminal\":\"\",\"leader\":4711,\"leader_start\":5,\"more\":1}",
		"{" GOOD ",\"terminal\":\"\",\"leader\":4711,\"leader_start\":5} x",
		PROCESS ",\"tenant_id\":7}",
		PROCESS ",\"operator\":\"\\u001b[2J\"}",
		PROCESS ",\"scope\":\"../7\",\"scope_inode\":5}",
		PROCESS ",\"scope\":\"7\"}",
		PROCESS ",\"scope\":\"01234567890123456789012345678901\",\"scope_inode\":5}",
		PROCESS ",\"ending\":-5}",
		PROCESS ",\"ending_cause\":\"longer-than-any-cause-there-is\"}",
		PROCESS ",\"ending_cause\":\"\\n\"}",
		PROCESS ",\"left_behind\":1}",
	};
	uint32_t count;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		write_file("bbbbbbbbbbbbbbbb.json", texts[i]);
		warned = 0;
		assert_result(session_table_restore(table, on_warn, NULL, &count), 0);
		if (count != 0 || warned != 1 || files() != 0)
			fail_msg("%zu: %u restored, %u warnings, %u files", i, count, warned, files());
	}
	/* One bad file does not keep the good ones from coming back; strange names are no sessions. */
	{
		pid_t pid = child();
		const struct session *session;
		struct session data = sample(pid);

		assert_result(session_open(table, &data, &session), 0);
		write_file("cccccccccccccccc.json", "{");
		write_file("short.json", "{}");
		write_file("dddddddddddddddd.json.tmp", "{}");
		again();
		assert_result(session_table_restore(table, on_warn, NULL, &count), 0);
		assert_int_equal(count, 1);
		assert_int_equal(files(), 1);
		end_child(pid);
	}
	/* A file that others may write is not believed. */
	write_file("eeeeeeeeeeeeeeee.json", "{}");
	{
		char path[256];

		snprintf(path, sizeof(path), "%s/eeeeeeeeeeeeeeee.json", dir);
		chmod(path, 0666);
	}
	warned = 0;
	assert_result(session_table_restore(table, on_warn, NULL, &count), 0);
	assert_int_equal(warned, 1);
}

static void a_disk_that_takes_nothing(void **state)
{
	pid_t pid = child();
	const struct session *session = NULL;
	struct session data = sample(pid);

	session_table_destroy(table);
	table = NULL;
	assert_result(session_table_create(event, dir, &hooks, &table), 0);
	rmdir(dir); /* under it: nothing can be made there any more */
	assert_true(session_open(table, &data, &session) < 0);
	assert_null(session);
	assert_int_equal(session_count(table), 0);
	assert_int_equal(session_count_user(table, "usr_alice"), 0);
	assert_int_equal(ended, 0); /* what never was does not end */
	mkdir(dir, 0700);
	end_child(pid);
}

static void names_of_processes_may_be_anything(void **state)
{
	int pipes[2];
	pid_t pid;
	uint64_t start = 0;
	char c;

	assert_result(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		int fd = open("/proc/self/comm", O_WRONLY);

		if (write(fd, ") Z 1 (", 7) != 7 || write(pipes[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(pipes[0], &c, 1), 1);
	assert_result(process_start(pid, &start), 0);
	assert_true(start > 0);
	end_child(pid);
	close(pipes[0]);
	close(pipes[1]);
}

static struct session full_sample(pid_t leader)
{
	static char tenant_id[] = "ten_acme", project_id[] = "prj_vision", provider[] = "idp_1",
		    grant_id[] = "grt_1", operator[] = "Olga Operator";
	struct session data = sample(leader);

	data.tenant_id = tenant_id;
	data.project_id = project_id;
	data.provider = provider;
	data.grant_id = grant_id;
	data.operator= operator;
	data.orders_known = 1800000123;
	data.valid_from = 1700000456;
	return data;
}

static void what_is_noted_down_is_found_again(void **state)
{
	pid_t pid = child(), plain = child();
	struct session data = full_sample(pid);
	const struct session *session;
	char id[SESSION_ID_CHARS + 1], other[SESSION_ID_CHARS + 1];
	uint32_t count;

	assert_result(session_open(table, &data, &session), 0);
	strcpy(id, session->id);
	assert_string_equal(session->operator, "Olga Operator");
	assert_int_equal(session->ending, 0);
	assert_result(session_mark_ending(table, id, 77, "sessions-valid-from-and-longer-than-that"), 0);
	assert_int_equal(strlen(session->ending_cause), sizeof(session->ending_cause) - 1); /* cut, and whole */
	assert_result(session_mark_ending(table, id, 4711, "user-suspended"), 0);
	assert_result(session_mark_hung_up(table, id), 0);
	session_mark_warned(table, id, true);
	data = sample(plain);
	assert_result(session_open(table, &data, &session), 0);
	strcpy(other, session->id);
	assert_string_equal(session->tenant_id, "");
	assert_string_equal(session->grant_id, "");
	again();
	assert_result(session_table_restore(table, on_warn, NULL, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(warned, 0);
	session = session_find(table, id);
	assert_non_null(session);
	assert_string_equal(session->tenant_id, "ten_acme");
	assert_string_equal(session->project_id, "prj_vision");
	assert_string_equal(session->provider, "idp_1");
	assert_string_equal(session->grant_id, "grt_1");
	assert_string_equal(session->operator, "Olga Operator");
	assert_int_equal(session->orders_known, 1800000123);
	assert_int_equal(session->valid_from, 1700000456);
	assert_int_equal(session->ending, 4711);
	assert_string_equal(session->ending_cause, "user-suspended");
	assert_true(session->hung_up && session->warned);
	session = session_find(table, other);
	assert_non_null(session);
	assert_string_equal(session->operator, "");
	assert_true(!session->hung_up && !session->warned && !session->ending && !session->left_behind);
	/* The right came back. */
	assert_int_equal(going_on, 0);
	assert_result(session_unmark_ending(table, id), 0);
	assert_int_equal(going_on, 1); /* and whoever lists sessions hears of it */
	session_mark_warned(table, id, false);
	again();
	assert_result(session_table_restore(table, on_warn, NULL, &count), 0);
	session = session_find(table, id);
	assert_true(!session->ending && !session->hung_up && !session->warned);
	assert_string_equal(session->ending_cause, "");
	end_child(pid);
	end_child(plain);
	run_until(2);
	assert_result(session_mark_ending(table, id, 1, "asked"), -ENOENT);
	assert_result(session_mark_hung_up(table, id), -ENOENT);
	assert_result(session_unmark_ending(table, id), -ENOENT);
	session_mark_warned(table, id, true);
	assert_int_equal(files(), 0);
}

static void marks_that_cannot_be_written(void **state)
{
	pid_t pid = child();
	struct session data = sample(pid);
	const struct session *session;
	char path[128];

	assert_result(session_open(table, &data, &session), 0);
	snprintf(path, sizeof(path), "%s/%s.json", dir, session->id);
	assert_result(unlink(path), 0);
	assert_result(rmdir(dir), 0);
	/* It is so all the same; only the next agent will not know. */
	assert_true(session_mark_ending(table, session->id, 5, "asked") < 0);
	assert_int_equal(session->ending, 5);
	assert_true(session_mark_hung_up(table, session->id) < 0);
	assert_true(session->hung_up);
	assert_result(mkdir(dir, 0700), 0);
	end_child(pid);
}

static void sessions_of_one_user_or_leader(void **state)
{
	static char edith[] = "usr_edith";
	pid_t one = child(), two = child();
	struct session data = sample(one);
	const struct session *session, *first, *second, *ediths;
	uint32_t cursor = 0;
	bool seen_first = false, seen_second = false;

	assert_result(session_open(table, &data, &first), 0);
	data.leader = two;
	assert_result(session_open(table, &data, &second), 0);
	data.user_id = edith;
	assert_result(session_open(table, &data, &ediths), 0);
	while ((session = session_next_of(table, "usr_alice", &cursor))) {
		seen_first |= session == first;
		seen_second |= session == second;
		assert_ptr_not_equal(session, ediths);
	}
	assert_true(seen_first && seen_second);
	cursor = 0;
	assert_ptr_equal(session_next_of(table, "usr_edith", &cursor), ediths);
	assert_null(session_next_of(table, "usr_edith", &cursor));
	cursor = 0;
	assert_null(session_next_of(table, "usr_nobody", &cursor));
	cursor = 0;
	assert_ptr_equal(session_next_led(table, one, &cursor), first);
	assert_null(session_next_led(table, one, &cursor));
	cursor = 0;
	assert_non_null(session_next_led(table, two, &cursor));
	assert_non_null(session_next_led(table, two, &cursor));
	assert_null(session_next_led(table, two, &cursor));
	end_child(two);
	run_until(2);
	cursor = 0;
	assert_null(session_next_led(table, two, &cursor));
	end_child(one);
}

/* As many as there are places; and no more, whoever asks. */
static void a_full_table(void **state)
{
	struct rlimit limit;
	pid_t pid = child();
	struct session data = sample(pid);
	const struct session *session = NULL;
	uint32_t count, most = 8192, cursor = 0;

	assert_result(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < most + 64)
		skip();
	for (uint32_t i = 0; i < most; i++)
		assert_result(session_open(table, &data, &session), 0);
	assert_result(session_open(table, &data, &session), -ENOSPC);
	assert_int_equal(session_count(table), most);
	assert_int_equal(session_count_user(table, "usr_alice"), most);
	again();
	assert_result(session_table_restore(table, on_warn, NULL, &count), 0);
	assert_int_equal(count, most);
	session = session_next(table, &cursor);
	assert_result(session_close(table, session->id), 0);
	assert_result(session_open(table, &data, &session), 0);
	end_child(pid);
	run_until(most + 1); /* the one that was closed, and all that had this leader */
	assert_int_equal(session_count(table), 0);
	assert_int_equal(files(), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_process_ends_the_session),
		TEST(processes_that_are_not_there),
		TEST(modes),
		TEST(a_restarted_agent_finds_them),
		TEST(a_pid_that_was_used_again),
		TEST(damaged_files_are_dropped),
		TEST(a_disk_that_takes_nothing),
		TEST(names_of_processes_may_be_anything),
		TEST(what_is_noted_down_is_found_again),
		TEST(marks_that_cannot_be_written),
		TEST(sessions_of_one_user_or_leader),
		TEST(a_full_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
