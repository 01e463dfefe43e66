/* SPDX-License-Identifier: MIT
 *
 * CheckAccess and VerifyCredential over the socket, beside a bare epoll echo of the same bytes: a server that
 * reads a request and writes a reply of the same length as the agent's, and does nothing else.
 * One client: median round trip of rounds taken in turn, on one processor and on two (the scheduler's choice
 * between them would otherwise decide: a wake-up across processors costs more than either server).
 * 64 clients, which ask again as soon as they are answered: calls a second, placed in the same two ways.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "directory/yaml_load.h"
#include "gen_directory.h"
#include "measure.h"
#include "server/server.h"

#define PEOPLE 1000U
#define ROUNDS 60U
#define CALLS_PER_ROUND 400U
#define CLIENTS 64U
#define LOAD_MSEC 1000
#define LOADS 5U
#define MESSAGE_MAX 65536U

static char folder[64], agent_path[96], echo_path[96], sessions[96];

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "bench_socket: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void nothing(void *context)
{
	(void)context;
}

static void drop_event(void *context, const struct audit_event *event, const char *fields, size_t length)
{
	(void)context;
	(void)event;
	(void)fields;
	(void)length;
}

static void serve_agent(struct directory *directory, int ready)
{
	struct parts parts = {.directory = directory, .reload = nothing, .after_work = nothing};
	struct problem problem;
	struct config *config;
	struct server *server;
	struct audit *audit = NULL;
	sd_event *event = NULL;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (config_parse("agent.yaml", "", 0, &config, &problem) < 0 || sd_event_new(&event) < 0 ||
	    audit_create("bench", &audit) < 0 || login_book_create(audit, &parts.logins) < 0 ||
	    session_table_create(event, sessions, NULL, &parts.sessions) < 0)
		die("the agent's parts");
	audit_divert(audit, drop_event, NULL, NULL);
	parts.config = config;
	parts.audit = audit;
	if (server_create(event, &parts, &server) < 0 || server_listen_path(server, agent_path, SERVER_AGENT) < 0)
		die("server");
	(void)!write(ready, "", 1);
	server_run(server);
	_exit(0);
}

/* The floor. The first byte of a request says which of the replies is due: their lengths are the agent's. */
static void serve_echo(const char *reply, size_t length, int ready)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), epoll = epoll_create1(0);
	struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[64];
	static char data[MESSAGE_MAX];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	strncpy(address.sun_path, echo_path, sizeof(address.sun_path) - 1);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 128) < 0 ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0 || write(ready, "", 1) != 1)
		die("echo");
	for (;;) {
		int count = epoll_wait(epoll, events, 64, -1);

		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;
			ssize_t got;

			if (fd == listener) {
				fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
				event.data.fd = fd;
				if (fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
					die("accept");
				continue;
			}
			got = recv(fd, data, sizeof(data), 0);
			if (got <= 0 || send(fd, reply, length, MSG_NOSIGNAL) < 0)
				close(fd);
		}
	}
}

static int dial(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die(path);
	return fd;
}

/* Sends and reads one reply; its length with the NUL. */
static size_t exchange(int fd, const char *call, size_t length, char *reply)
{
	size_t got = 0;

	if (send(fd, call, length, MSG_NOSIGNAL) != (ssize_t)length)
		die("send");
	do {
		ssize_t more = recv(fd, reply + got, MESSAGE_MAX - got, 0);

		if (more <= 0)
			die("recv");
		got += (size_t)more;
	} while (reply[got - 1] != '\0');
	return got;
}

/* Both programs at the same places for both servers. With one processor everything is on it. */
static void place(pid_t pid, unsigned processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor % (unsigned)sysconf(_SC_NPROCESSORS_ONLN), &set);
	if (sched_setaffinity(pid, sizeof(set), &set) < 0)
		die("sched_setaffinity");
}

static double round_usec(int fd, const char *call, size_t length)
{
	static char reply[MESSAGE_MAX];
	uint64_t start = measure_nsec();

	for (unsigned i = 0; i < CALLS_PER_ROUND; i++)
		exchange(fd, call, length, reply);
	return (double)(measure_nsec() - start) / 1000.0 / CALLS_PER_ROUND;
}

/* All clients ask again as soon as they are answered. */
static double calls_per_second(const char *path, const char *call, size_t length)
{
	int epoll = epoll_create1(0), fds[CLIENTS];
	static char reply[MESSAGE_MAX];
	uint64_t start, done = 0;

	for (unsigned i = 0; i < CLIENTS; i++) {
		struct epoll_event event = {.events = EPOLLIN};

		fds[i] = dial(path);
		event.data.fd = fds[i];
		epoll_ctl(epoll, EPOLL_CTL_ADD, fds[i], &event);
	}
	start = measure_nsec();
	for (unsigned i = 0; i < CLIENTS; i++)
		if (send(fds[i], call, length, MSG_NOSIGNAL) < 0)
			die("send");
	while (measure_nsec() - start < LOAD_MSEC * 1000000ULL) {
		struct epoll_event events[CLIENTS];
		int count = epoll_wait(epoll, events, CLIENTS, 1000);

		for (int i = 0; i < count; i++) {
			if (recv(events[i].data.fd, reply, sizeof(reply), 0) <= 0)
				die("recv");
			done++;
			if (send(events[i].data.fd, call, length, MSG_NOSIGNAL) < 0)
				die("send");
		}
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		close(fds[i]);
	close(epoll);
	return (double)done * 1e9 / (double)(measure_nsec() - start);
}

static pid_t start(void (*serve)(void *), void *context, const int ready[2])
{
	pid_t child = fork();
	char byte;

	if (child < 0)
		die("fork");
	if (child == 0)
		serve(context);
	if (read(ready[0], &byte, 1) != 1)
		die("a server did not start");
	return child;
}

struct echo_job {
	const char *reply;
	size_t length;
	int ready;
};
static void run_echo(void *context)
{
	const struct echo_job *job = context;

	serve_echo(job->reply, job->length, job->ready);
}
struct agent_job {
	struct directory *directory;
	int ready;
};
static void run_agent(void *context)
{
	const struct agent_job *job = context;

	serve_agent(job->directory, job->ready);
}

struct servers {
	pid_t agent, echo;
	int agent_fd, echo_fd;
};

static void bench_round_trip(const char *name, const struct servers *servers, const char *call, size_t length,
			     size_t reply_length, unsigned processors)
{
	double agent[ROUNDS], floor[ROUNDS], ratio[ROUNDS];

	place(0, 0);
	place(servers->agent, processors - 1);
	place(servers->echo, processors - 1);
	for (unsigned i = 0; i < ROUNDS; i++) {
		floor[i] = round_usec(servers->echo_fd, call, length);
		agent[i] = round_usec(servers->agent_fd, call, length);
		ratio[i] = agent[i] / floor[i];
	}
	printf("| %s, round trip on %s (%zu + %zu bytes) | %.1f µs | echo %.1f µs | %.2f × | ≤ 1.6 × |\n", name,
	       processors == 1 ? "one processor" : "two", length, reply_length, measure_median(agent, ROUNDS),
	       measure_median(floor, ROUNDS), measure_median(ratio, ROUNDS));
}

static void bench_load(const char *name, const struct servers *servers, const char *call, size_t length,
		       unsigned processors)
{
	double load[LOADS], floor[LOADS], ratio[LOADS];

	place(0, 0);
	place(servers->agent, processors - 1);
	place(servers->echo, processors - 1);
	for (unsigned i = 0; i < LOADS; i++) {
		floor[i] = calls_per_second(echo_path, call, length);
		load[i] = calls_per_second(agent_path, call, length);
		ratio[i] = 100 * load[i] / floor[i];
	}
	printf("| %s, %u clients on %s | %.0f/s | echo %.0f/s | %.0f %% | ≥ 60 %% |\n", name, CLIENTS,
	       processors == 1 ? "one processor" : "two", measure_median(load, LOADS), measure_median(floor, LOADS),
	       measure_median(ratio, LOADS));
}

static void bench(const char *name, pid_t agent, const char *call, size_t length)
{
	static char reply[MESSAGE_MAX];
	struct servers servers = {.agent = agent, .agent_fd = dial(agent_path)};
	struct echo_job job = {.reply = reply};
	int ready[2];

	job.length = exchange(servers.agent_fd, call, length, reply);
	if (!strstr(reply, "\"decision\":\"allowed\"")) {
		fprintf(stderr, "bench_socket: %s was answered with %s\n", name, reply);
		exit(1);
	}
	if (pipe(ready) < 0)
		die("pipe");
	job.ready = ready[1];
	servers.echo = start(run_echo, &job, ready);
	servers.echo_fd = dial(echo_path);
	bench_round_trip(name, &servers, call, length, job.length, 1);
	bench_round_trip(name, &servers, call, length, job.length, 2);
	bench_load(name, &servers, call, length, 1);
	bench_load(name, &servers, call, length, 2);
	fflush(stdout);
	kill(servers.echo, SIGKILL);
	waitpid(servers.echo, NULL, 0);
	unlink(echo_path);
	close(servers.agent_fd);
	close(servers.echo_fd);
}

static struct directory *load(void)
{
	struct buffer yaml = BUFFER_INIT;
	struct problem problem = {0};
	struct unit *unit = NULL;
	struct directory *d = NULL;

	if (gen_directory(PEOPLE, &yaml) < 0 ||
	    directory_yaml_load_text("bench", yaml.data, yaml.length, &unit, &problem) < 0 ||
	    directory_build(&unit, 1, "bench", NULL, &d, &problem) < 0) {
		fprintf(stderr, "bench_socket: %s\n", problem.text);
		exit(1);
	}
	unit_unref(unit);
	buffer_finish(&yaml);
	return d;
}

int main(void)
{
	char key[API_KEY_TEXT_CHARS + 1], call[1024];
	struct agent_job job = {.directory = load()};
	int ready[2];
	pid_t agent;

	strcpy(folder, "/tmp/tenantd-bench-XXXXXX");
	if (!mkdtemp(folder) || pipe(ready) < 0)
		die("folder");
	snprintf(agent_path, sizeof(agent_path), "%s/agent", folder);
	snprintf(echo_path, sizeof(echo_path), "%s/echo", folder);
	snprintf(sessions, sizeof(sessions), "%s/sessions", folder);
	job.ready = ready[1];
	printf("| call | agent | floor | ratio | budget |\n|---|---|---|---|---|\n");
	fflush(stdout);
	agent = start(run_agent, &job, ready);

	snprintf(call, sizeof(call),
		 "{\"method\":\"io.tenantd.Agent.CheckAccess\",\"parameters\":{\"uid\":%u,\"project\":\"t0/p0\","
		 "\"action\":\"project.view\"}}",
		 gen_directory_uid(0));
	bench("CheckAccess", agent, call, strlen(call) + 1);
	gen_directory_key(0, key);
	snprintf(call, sizeof(call),
		 "{\"method\":\"io.tenantd.Agent.VerifyCredential\",\"parameters\":{\"credential\":\"%s\",\"project\":"
		 "\"t0/p0\","
		 "\"action\":\"project.view\"}}",
		 key);
	bench("VerifyCredential", agent, call, strlen(call) + 1);

	kill(agent, SIGKILL);
	waitpid(agent, NULL, 0);
	unlink(agent_path);
	rmdir(sessions);
	rmdir(folder);
	directory_unref(job.directory);
	return 0;
}
