/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "fixture.h"
#include "server/server.h"
#include "server_fixture.h"
#include "sso/bindings.h"

static const char services[] = "services:\n"
			       "  - {name: hub, uid: 990, may: [verify, check, sessions, subscribe, emit, metrics]}\n"
			       "  - {name: mute, uid: 991, may: [metrics]}\n"
			       "  - {name: portal, uid: 993, may: [code]}\n";

/* in the child */
static struct server *running;
static sd_event *loop;
static int audit_fd;

static void reload(void *context)
{
	struct parts *parts = context;

	(void)parts;
	server_reload_done(running, true, NULL);
}

static void nothing(void *context)
{
	(void)context;
}

/* There is no helper; but for the sessions of some services it seems as if there were (server_fixture.h). */
struct later {
	struct later *next;
	struct session_table *table;
	char session[SESSION_ID_CHARS + 1];
	uint64_t tag;
	int result;
};

static struct later *pending;

static int on_later(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct later *later = userdata;

	(void)usec;
	if (later->result == 0)
		(void)session_close(later->table, later->session);
	if (later->tag)
		server_end_session_done(running, later->tag, later->result);
	sd_event_source_unref(source);
	for (struct later **at = &pending; *at; at = &(*at)->next)
		if (*at == later) {
			*at = later->next;
			break;
		}
	free(later);
	return 0;
}

static int end_later(struct session_table *table, const struct session *session, uint64_t tag, int result)
{
	struct later *later = calloc(1, sizeof(*later));
	sd_event_source *source;

	*later = (struct later){.next = pending, .table = table, .tag = tag, .result = result};
	pending = later;
	strcpy(later->session, session->id);
	return sd_event_add_time_relative(loop, &source, CLOCK_BOOTTIME, 50000, 1, on_later, later);
}

static int end_session(void *context, const struct session *session, enum end_cause cause, const char *detail,
		       uint64_t tag)
{
	struct session_table *table = ((struct parts *)context)->sessions;
	bool under_way = session->ending != 0;
	char id[SESSION_ID_CHARS + 1];

	strcpy(id, session->id);
	if (strcmp(session->service, "stuck") != 0 && strcmp(session->service, "brief") != 0 &&
	    strcmp(session->service, "sudden") != 0 && strcmp(session->service, "stubborn") != 0)
		return -ENOTCONN;
	(void)session_mark_ending(table, id, clock_boottime_usec(), end_cause_word(cause));
	dprintf(audit_fd, "ENDING %s %s%s%s\n", id, end_cause_word(cause), *detail ? ": " : "", detail);
	if (strcmp(session->service, "stubborn") == 0)
		(void)end_later(table, session, tag, -EBUSY);
	if (strcmp(session->service, "brief") == 0 && (!under_way || tag))
		(void)end_later(table, session, tag, 0);
	if (strcmp(session->service, "sudden") == 0) {
		(void)end_later(table, session, 0, 0);
		if (tag)
			server_end_session_done(running, tag, 0);
	}
	return under_way ? -EALREADY : 0;
}

static void forget_end(void *context, uint64_t tag)
{
	(void)context;
	dprintf(audit_fd, "FORGOTTEN\n");
	for (struct later *later = pending; later; later = later->next)
		if (later->tag == tag)
			later->tag = 0;
}

static void credentials_changed(void *context)
{
	(void)context;
	dprintf(audit_fd, "CREDENTIALS CHANGED\n");
}

static bool user_is_ending(void *context, const char *user_id, uint32_t uid)
{
	(void)context;
	(void)uid;
	return strcmp(user_id, "usr_moved") == 0;
}

static void write_audit(void *context, const struct audit_event *event, const char *fields, size_t length)
{
	(void)event;
	(void)!write(*(int *)context, fields, length);
}

/* Publishes an event for the person whenever the test says so. */
static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
	const struct user_record *alice;

	if (info->ssi_signo == SIGTERM)
		return sd_event_exit(sd_event_source_get_event(source), 0);
	alice = directory_user_by_login(userdata, "alice");
	for (unsigned i = 0; i < (info->ssi_signo == SIGUSR1 ? 1U : 5000U); i++)
		server_publish(running, &(struct server_event){.event = "user-changed",
							       .user = alice->login,
							       .user_id = alice->id,
							       .has_uid = true,
							       .uid = alice->uid,
							       .generation = 7});
	return 0;
}

static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void serve(const struct server_fixture *fixture, struct directory *directory, const char *config, int ready)
{
	struct rlimit files = {16384, 16384};
	struct problem problem = {0};
	struct config *parsed;
	struct parts parts = {.directory = directory,
			      .state = AGENT_BROKEN,
			      .reload = reload,
			      .end_session = end_session,
			      .forget_end = forget_end,
			      .user_is_ending = user_is_ending,
			      .credentials_changed = credentials_changed,
			      .after_work = nothing};
	struct audit *audit;
	sd_event *event;
	const struct seal_key key = {.bytes = {1, 2, 3}};
	char text[2048], sessions[96], passwd[96], bound[96];
	FILE *file;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	block_signals();
	setrlimit(RLIMIT_NOFILE, &files);
	snprintf(passwd, sizeof(passwd), "%s/passwd", fixture->folder);
	file = fopen(passwd, "we");
	if (!file || fprintf(file, "tenantd-keys:x:%u:%u::/:/bin/false\n", SERVER_KEYS_UID, SERVER_KEYS_UID) < 0 ||
	    fclose(file) != 0)
		_exit(1);
	snprintf(text, sizeof(text), "%spaths: {passwd: %s}\n%s", services, passwd, config);
	snprintf(sessions, sizeof(sessions), "%s/sessions", fixture->folder);
	audit_fd = open(fixture->audit_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (config_parse("agent.yaml", text, strlen(text), &parsed, &problem) < 0) {
		fprintf(stderr, "%s\n", problem.text);
		_exit(1);
	}
	if (audit_fd < 0 || sd_event_new(&event) < 0 || audit_create("gpu-1", &audit) < 0 ||
	    login_book_create(audit, &parts.logins) < 0 ||
	    session_table_create(event, sessions, NULL, &parts.sessions) < 0)
		_exit(1);
	snprintf(bound, sizeof(bound), "%s/sso-bindings", fixture->folder);
	if (bindings_open(bound, &key, &parts.bindings, &problem) < 0 ||
	    bindings_add(parts.bindings, &(struct binding_entry){"ten_acme", "usr_edith", SERVER_ISSUER, "sub-e", 1}) <
		    0 ||
	    bindings_add(parts.bindings, &(struct binding_entry){"ten_acme", "usr_left", SERVER_ISSUER, "sub-l", 2}) <
		    0)
		_exit(1);
	audit_divert(audit, write_audit, &audit_fd, NULL);
	parts.config = parsed;
	parts.audit = audit;
	parts.context = &parts;
	if (directory) {
		parts.state = AGENT_READY;
		parts.loaded_at = 1;
	}
	loop = event;
	sd_event_add_signal(event, NULL, SIGTERM, on_signal, directory);
	sd_event_add_signal(event, NULL, SIGUSR1, on_signal, directory);
	sd_event_add_signal(event, NULL, SIGUSR2, on_signal, directory);
	if (server_create(event, &parts, &running) < 0 ||
	    server_listen_path(running, fixture->agent_path, SERVER_AGENT) < 0 ||
	    server_listen_path(running, fixture->userdb_path, SERVER_USERDB) < 0 || write(ready, "", 1) != 1)
		_exit(1);
	server_run(running);
	server_destroy(running);
	session_table_destroy(parts.sessions);
	login_book_destroy(parts.logins);
	bindings_close(parts.bindings);
	audit_destroy(audit);
	config_free(parsed);
	directory_unref(directory);
	sd_event_unref(event);
	/* Leaks are reported by the sanitizer at this exit. */
	exit(0);
}

void server_fixture_start(struct server_fixture *fixture, const char *yaml, const char *config)
{
	int ready[2];
	char byte;

	if (geteuid() != 0) {
		print_message("this test needs root: it connects as several users\n");
		skip();
	}
	strcpy(fixture->folder, "/tmp/tenantd-server-XXXXXX");
	assert_non_null(mkdtemp(fixture->folder));
	assert_int_equal(chmod(fixture->folder, 0755), 0);
	snprintf(fixture->agent_path, sizeof(fixture->agent_path), "%s/agent.sock", fixture->folder);
	snprintf(fixture->userdb_path, sizeof(fixture->userdb_path), "%s/userdb.sock", fixture->folder);
	snprintf(fixture->audit_path, sizeof(fixture->audit_path), "%s/audit", fixture->folder);
	assert_int_equal(pipe(ready), 0);
	fflush(NULL);
	fixture->child = fork();
	assert_true(fixture->child >= 0);
	if (fixture->child == 0) {
		close(ready[0]);
		serve(fixture, yaml ? fixture_load("gpu-1", yaml) : NULL, config, ready[1]);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
}

void server_fixture_stop(struct server_fixture *fixture)
{
	char sessions[96], passwd[96], bound[96];
	int status;

	kill(fixture->child, SIGTERM);
	assert_int_equal(waitpid(fixture->child, &status, 0), fixture->child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	unlink(fixture->audit_path);
	unlink(fixture->agent_path);
	unlink(fixture->userdb_path);
	snprintf(passwd, sizeof(passwd), "%s/passwd", fixture->folder);
	unlink(passwd);
	snprintf(bound, sizeof(bound), "%s/sso-bindings", fixture->folder);
	unlink(bound);
	snprintf(sessions, sizeof(sessions), "%s/sessions", fixture->folder);
	rmdir(sessions);
	rmdir(fixture->folder);
}

int client_connect(const char *path, uint32_t uid)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	assert_int_equal(seteuid(uid), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(seteuid(0), 0);
	return fd;
}

void client_send(int fd, const void *data, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);

		if (sent < 0)
			return; /* closed by the server: what it says is for the test to read */
		data = (const char *)data + sent;
		length -= (size_t)sent;
	}
}

void client_call(int fd, const char *json)
{
	client_send(fd, json, strlen(json) + 1);
}

json_t *client_receive(int fd, int milliseconds)
{
	static char text[1 << 20];
	size_t length = 0;

	for (;;) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		json_t *message;
		ssize_t got;

		if (poll(&wait, 1, milliseconds) == 0)
			fail_msg("nothing came within %d ms", milliseconds);
		got = recv(fd, text + length, 1, 0);
		if (got <= 0)
			return NULL;
		if (text[length++] != '\0') {
			assert_true(length < sizeof(text));
			continue;
		}
		message = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(message);
		return message;
	}
}

bool client_has_news(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	return poll(&wait, 1, 0) > 0;
}

json_t *client_take(int fd)
{
	json_t *reply;

	assert_true(client_has_news(fd));
	reply = client_receive(fd, 1000);
	assert_non_null(reply);
	return reply;
}

json_t *call_as(const struct server_fixture *fixture, uint32_t uid, const char *method, const char *parameters)
{
	bool userdb = strncmp(method, "io.systemd.", 11) == 0;
	int fd = client_connect(userdb ? fixture->userdb_path : fixture->agent_path, uid);
	char *text;
	json_t *reply;

	assert_true(asprintf(&text, "{\"method\":\"%s%s\",\"parameters\":%s}",
			     strchr(method, '.') ? "" : "io.tenantd.Agent.", method, parameters) > 0);
	client_call(fd, text);
	reply = client_receive(fd, 5000);
	assert_non_null(reply);
	free(text);
	close(fd);
	return reply;
}

const char *error_of(json_t *reply)
{
	static char error[256];
	const char *text = json_string_value(json_object_get(reply, "error"));

	snprintf(error, sizeof(error), "%s", text ? text : "");
	json_decref(reply);
	return error;
}

void expect_error(const struct server_fixture *fixture, uint32_t uid, const char *method, const char *parameters,
		  const char *error)
{
	const char *got = error_of(call_as(fixture, uid, method, parameters));

	if (strcmp(got, error) != 0)
		fail_msg("%s(%s) by uid %u: \"%s\", not \"%s\"", method, parameters, uid, got, error);
}

const char *member_text(const json_t *reply, const char *path)
{
	const json_t *value = json_object_get(reply, "parameters");
	char copy[128], *rest = copy;

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *key; value && (key = strsep(&rest, "."));)
		value = json_object_get(value, key);
	return json_string_value(value) ? json_string_value(value) : "";
}

unsigned audit_lines(const struct server_fixture *fixture, const char *text)
{
	FILE *file = fopen(fixture->audit_path, "re");
	char *line = NULL;
	size_t size = 0;
	unsigned count = 0;

	assert_non_null(file);
	while (getline(&line, &size, file) > 0)
		count += strstr(line, text) != NULL;
	free(line);
	fclose(file);
	return count;
}
