/* SPDX-License-Identifier: MIT
 *
 * A real server on a socket pair. The first byte chooses who calls, on which socket, and in pieces of which size the
 * rest arrives. Every reply must be a whole Varlink message, and the server must let go of the connection.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "directory/yaml_load.h"
#include "fuzz.h"
#include "server/internal.h"

static const char yaml[] =
	"version: 1\n"
	"tenants:\n"
	"  - {id: ten_a, slug: a, name: A, gid: 1879048192, ids: {first: 1879048192, count: 65536, next: 1879048300}}\n"
	"projects:\n"
	"  - {id: prj_v, tenant: ten_a, slug: v, gid: 1879048193}\n"
	"users:\n"
	"  - {id: usr_a, tenant: ten_a, login: alice, uid: 1879048210}\n"
	"  - {id: usr_b, tenant: ten_a, login: bob, uid: 1879048211}\n"
	"members:\n"
	"  - {user: usr_a, project: prj_v, role: owner}\n"
	"hosts:\n"
	"  - {name: '*', serves: [{project: prj_v, sudo: [owner]}]}\n";

static const char settings[] =
	"host_name: fuzz\nenumerate: true\nservices: [{name: s, uid: 990, may: [check, emit]}]\n";
static const uint32_t uids[] = {0, 990, 1879048210, 4242};

static struct server *server;
static struct parts parts;

static void nothing(void *context)
{
	(void)context;
}

static int no_helper(void *context, const struct session *session, enum end_cause cause, const char *detail,
		     uint64_t tag)
{
	(void)context;
	(void)session;
	(void)cause;
	(void)detail;
	(void)tag;
	return -ENOENT;
}

static void forget_end(void *context, uint64_t tag)
{
	(void)context;
	(void)tag;
}

static void no_journal(void *context, const struct audit_event *event, const char *fields, size_t length)
{
	(void)context;
	(void)event;
	(void)fields;
	(void)length;
}

static void start(void)
{
	static char sessions[] = "/tmp/tenantd-fuzz-XXXXXX";
	struct problem problem = {0};
	struct unit *unit = NULL;
	struct config *config = NULL;
	struct audit *audit = NULL;
	sd_event *event = NULL;

	FUZZ_CHECK(mkdtemp(sessions) && rmdir(sessions) == 0);
	FUZZ_CHECK(config_parse("agent.yaml", settings, strlen(settings), &config, &problem) == 0);
	FUZZ_CHECK(directory_yaml_load_text("d.yaml", yaml, strlen(yaml), &unit, &problem) == 0);
	FUZZ_CHECK(directory_build(&unit, 1, "fuzz", NULL, &parts.directory, &problem) == 0);
	unit_unref(unit);
	FUZZ_CHECK(sd_event_new(&event) >= 0 && audit_create("fuzz", &audit) == 0);
	audit_divert(audit, no_journal, NULL, NULL);
	FUZZ_CHECK(login_book_create(audit, &parts.logins) == 0);
	FUZZ_CHECK(session_table_create(event, sessions, NULL, &parts.sessions) >= 0);
	parts.config = config;
	parts.audit = audit;
	parts.state = AGENT_READY;
	parts.reload = nothing;
	parts.after_work = nothing;
	parts.end_session = no_helper;
	parts.forget_end = forget_end;
	FUZZ_CHECK(server_create(event, &parts, &server) == 0);
	rmdir(sessions);
}

/* Takes what is there; every piece up to a NUL is one reply. */
static void read_replies(int fd, struct buffer *rest)
{
	char data[65536];
	ssize_t got;

	while ((got = recv(fd, data, sizeof(data), MSG_DONTWAIT)) > 0) {
		size_t length, scanned = 0;

		FUZZ_CHECK(buffer_add(rest, data, (size_t)got) == 0);
		while (varlink_frame_next(rest, &scanned, &length) == 1) {
			struct varlink_reply reply = {0};
			struct problem problem = {0};

			FUZZ_CHECK(varlink_reply_read(rest->data, length, &reply, &problem) == 0);
			varlink_reply_finish(&reply);
			buffer_consume(rest, length + 1);
			scanned = 0;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(buffer_finish) struct buffer rest = BUFFER_INIT;
	size_t sent = 0, piece;
	int fds[2];

	if (!server)
		start();
	if (size < 1)
		return 0;
	piece = (size_t)1 << (data[0] >> 3 & 15);
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
	FUZZ_CHECK(server_add_connection(server, fds[1], data[0] & 4 ? SERVER_USERDB : SERVER_AGENT) == 0);
	server->connections->peer.uid = uids[data[0] & 3];
	for (sent = 1; sent < size;) {
		size_t more = MIN_OF(piece, size - sent);
		ssize_t n = send(fds[0], data + sent, more, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			sent += (size_t)n;
		else if (errno != EAGAIN)
			break;
		server_step(server, 0);
		read_replies(fds[0], &rest);
		if (n < 0 && server->connections && server->connections->hold != HOLD_NONE)
			break; /* it waits for something that does not come here */
	}
	for (unsigned i = 0; i < 8 || server->queue; i++) {
		server_step(server, 0);
		read_replies(fds[0], &rest);
	}
	close(fds[0]);
	for (unsigned i = 0; server->connections && i < 100; i++)
		server_step(server, 0);
	FUZZ_CHECK(!server->connections && server->counts.connections == 0 && server->timers.count == 0);
	FUZZ_CHECK(rest.length == 0);
	/* Sessions that were opened in the name of this process do not pile up. */
	for (uint32_t cursor = 0; session_count(parts.sessions) > 8; cursor = 0) {
		char id[SESSION_ID_CHARS + 1];

		memcpy(id, session_next(parts.sessions, &cursor)->id, sizeof(id));
		FUZZ_CHECK(session_close(parts.sessions, id) == 0);
	}
	return 0;
}
