/* SPDX-License-Identifier: MIT */
#include "unit.h"

#include "server_audit_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "spool/spool.h"

static struct config *config;
static sd_event *event;
static int clients[RIG_CLIENTS];
static unsigned client_count;
static uint64_t later; /* how far the clock was put forward */
static char sessions[96];
struct audit_hold_rig rig;

/* ---- the spool, and the clock ----------------------------------------------------------------------------- */

uint64_t __wrap_spool_last(const struct spool *spool);
uint64_t __wrap_spool_durable(const struct spool *spool);
void __wrap_spool_state(struct spool *spool, struct spool_state *ret);
uint64_t __real_clock_boottime_usec(void);
uint64_t __wrap_clock_boottime_usec(void);

uint64_t __wrap_spool_last(const struct spool *spool)
{
	assert_non_null(spool);
	return heard.count;
}

uint64_t __wrap_spool_durable(const struct spool *spool)
{
	assert_non_null(spool);
	return rig.durable;
}

void __wrap_spool_state(struct spool *spool, struct spool_state *ret)
{
	assert_non_null(spool);
	*ret = (struct spool_state){.chain = "0123456789abcdef",
				    .last = heard.count,
				    .durable = rig.durable,
				    .oldest = 1,
				    .bytes = 3 << 20,
				    .max_bytes = 1 << 30,
				    .dropped = 2,
				    .consumers = 1};
	strcpy(ret->consumer[0].name, "control-plane");
	ret->consumer[0].waiting = 17;
	strcpy(ret->problem, rig.spool_problem);
}

uint64_t __wrap_clock_boottime_usec(void)
{
	return __real_clock_boottime_usec() + later;
}

/* ---- the rig ---------------------------------------------------------------------------------------------- */

/* All that is written is kept: what it was is told by the audit itself. */
static int next_link(void *context, struct leaf_link *ret)
{
	(void)context;
	*ret = (struct leaf_link){
		.chain = "0123456789abcdef", .boot = "00112233445566778899aabbccddeeff", .sequence = heard.count + 1};
	return 0;
}

static int keep(void *context, const char *leaf, size_t leaf_length, const char *personal, size_t personal_length)
{
	return 0;
}

static void nothing(void *context)
{
	(void)context;
}

static void forget_end(void *context, uint64_t tag)
{
	(void)context;
	(void)tag;
}

static int begin(void **state, const char *yaml)
{
	struct problem problem = {0};

	if (geteuid() != 0) {
		print_message("this test needs root: only root may sign people in\n");
		skip();
	}
	assert_int_equal(setup(state), 0);
	assert_int_equal(config_parse("agent.yaml", yaml, strlen(yaml), &config, &problem), 0);
	assert_true(sd_event_new(&event) >= 0);
	rig.parts = (struct parts){.config = config,
				   .directory = d,
				   .logins = book,
				   .audit = audit,
				   .spool = (struct spool *)&rig.durable,
				   .state = AGENT_READY,
				   .forget_end = forget_end,
				   .after_work = nothing};
	strcpy(sessions, "/tmp/tenantd-test-XXXXXX");
	assert_non_null(mkdtemp(sessions));
	assert_int_equal(session_table_create(event, sessions, NULL, &rig.parts.sessions), 0);
	assert_int_equal(server_create(event, &rig.parts, &rig.server), 0);
	client_count = 0;
	audit_set_store(audit, &(struct audit_store){.next = next_link, .append = keep});
	rig.durable = heard.count;
	later = 0;
	rig.spool_problem[0] = '\0';
	return 0;
}

int rig_begin_drop(void **state)
{
	return begin(state, "limits: {connections: 2000}\n");
}

int rig_begin_refuse(void **state)
{
	return begin(state, "audit: {spool: {when_full: refuse}}\n");
}

int rig_end(void **state)
{
	for (unsigned i = 0; i < client_count; i++)
		if (clients[i] >= 0)
			close(clients[i]);
	server_destroy(rig.server);
	session_table_destroy(rig.parts.sessions);
	rmdir(sessions);
	sd_event_unref(event);
	config_free(config);
	return teardown(state);
}

void rig_work(void)
{
	for (int i = 0; i < 6; i++)
		assert_int_equal(server_step(rig.server, 0), 0);
	now = clock_boottime_usec();
}

int rig_client(void)
{
	int pair[2];

	assert_true(client_count < RIG_CLIENTS);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_true(fcntl(pair[1], F_SETFL, O_NONBLOCK) >= 0);
	assert_int_equal(server_add_connection(rig.server, pair[1], SERVER_AGENT), 0);
	clients[client_count++] = pair[0];
	return pair[0];
}

void rig_hang_up(int fd)
{
	for (unsigned i = 0; i < client_count; i++)
		if (clients[i] == fd)
			clients[i] = -1;
	close(fd);
}

void rig_expect_answer(int fd)
{
	assert_string_equal(error_of(client_take(fd)), "");
}

void rig_say(int fd, const char *text)
{
	client_call(fd, text);
	rig_work();
}

void rig_emit(int fd)
{
	char text[256];

	snprintf(text, sizeof(text), EMIT, "");
	rig_say(fd, text);
}

void rig_sync(void)
{
	rig.durable = heard.count;
	server_audit_durable(rig.server, rig.durable);
	rig_work();
}

void rig_pass(uint64_t usec)
{
	later += usec;
	rig_work();
}

void rig_answer_wrong(int fd)
{
	json_t *reply;
	char text[512];

	rig_say(fd, "{\"method\":\"io.tenantd.Agent.Login\",\"parameters\":{\"user\":\"alice\",\"service\":\"sshd\","
		    "\"source\":\"192.0.2.1\"}}");
	reply = client_take(fd);
	snprintf(text, sizeof(text),
		 "{\"method\":\"io.tenantd.Agent.Answer\",\"parameters\":{\"login\":\"%s\",\"text\":\"wrong\"}}",
		 member_text(reply, "login"));
	json_decref(reply);
	rig_say(fd, text);
	assert_false(client_has_news(fd));
}
