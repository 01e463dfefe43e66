/* SPDX-License-Identifier: MIT
 *
 * Who sees which sessions and may end them, over a real socket: everybody their own, whoever holds session.manage those
 * of the project or tenant, root all. What somebody may not see answers as what is not there.
 */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"
#include "server_fixture.h"

#define ALICE 1879048210U  /* owner of acme/vision */
#define EDITH 1879048211U  /* editor there */
#define VICTOR 1879048212U /* viewer there */
#define ANN 1879048213U    /* annotator there */
#define SAM 1879048214U    /* owner of acme/speech */
#define ADAM 1879048215U   /* acme's admin */
#define GONE 1879048218U   /* owner of acme/vision, suspended */
#define BERT 1879113738U   /* owner of beta/radar */
#define OLGA 1879048220U   /* an operator of the platform */
#define STRANGER 4242U
#define DENIED "org.varlink.service.PermissionDenied"
#define INVALID "org.varlink.service.InvalidParameter"
#define NOT_FOUND "io.tenantd.Agent.NotFound"
#define BROKEN "io.tenantd.Agent.Broken"

static struct server_fixture fixture;
static pid_t leader;

static int start(void **state)
{
	(void)state;
	server_fixture_start(&fixture, fixture_yaml, "");
	leader = fork();
	if (leader == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return leader > 0 ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	kill(leader, SIGKILL);
	waitpid(leader, NULL, 0);
	server_fixture_stop(&fixture);
	return 0;
}

/* Opens a session and gives its id, which is good until so many more were opened. */
static const char *open_as(const char *user, const char *service)
{
	static char ids[16][32];
	static unsigned next;
	char parameters[256], *id = ids[next++ % 16];
	json_t *reply;

	snprintf(parameters, sizeof(parameters), "{\"user\":\"%s\",\"service\":\"%s\",\"leader\":%d}", user, service,
		 (int)leader);
	reply = call_as(&fixture, 0, "OpenSession", parameters);
	if (strcmp(member_text(reply, "decision.decision"), "allowed") != 0)
		fail_msg("%s: %s", user, json_dumps(reply, 0));
	snprintf(id, 32, "%s", member_text(reply, "session"));
	json_decref(reply);
	return id;
}

static void close_all(void)
{
	json_t *reply = call_as(&fixture, 0, "Sessions", "{}"), *item;
	size_t i;

	json_array_foreach(json_object_get(json_object_get(reply, "parameters"), "sessions"), i, item)
	{
		char parameters[64];

		snprintf(parameters, sizeof(parameters), "{\"session\":\"%s\"}",
			 json_string_value(json_object_get(item, "session")));
		expect_error(&fixture, 0, "CloseSession", parameters, "");
	}
	json_decref(reply);
}

static int clean(void **state)
{
	(void)state;
	close_all();
	return 0;
}

/* The logins of the sessions that the caller sees, in their order: "alice edith". */
static const char *seen(uint32_t uid, const char *parameters)
{
	static char text[512];
	json_t *reply = call_as(&fixture, uid, "Sessions", parameters), *list, *item;
	size_t i;

	list = json_object_get(json_object_get(reply, "parameters"), "sessions");
	if (!json_is_array(list))
		fail_msg("%s", json_dumps(reply, 0));
	text[0] = '\0';
	json_array_foreach(list, i, item)
	{
		strncat(text, i ? " " : "", sizeof(text) - strlen(text) - 1);
		strncat(text, json_string_value(json_object_get(item, "user")), sizeof(text) - strlen(text) - 1);
	}
	json_decref(reply);
	return text;
}

static void expect_ended(uint32_t uid, const char *method, const char *parameters, int asked, int gone)
{
	json_t *reply = call_as(&fixture, uid, method, parameters), *got = json_object_get(reply, "parameters");

	if (json_object_get(reply, "error") || json_integer_value(json_object_get(got, "asked")) != asked ||
	    json_integer_value(json_object_get(got, "gone")) != gone)
		fail_msg("%s(%s) by %u: %s", method, parameters, uid, json_dumps(reply, 0));
	json_decref(reply);
}

static const char *of(const char *session, const char *more)
{
	static char texts[4][256];
	static unsigned next;
	char *text = texts[next++ % 4];

	snprintf(text, sizeof(texts[0]), "{\"session\":\"%s\"%s}", session, more);
	return text;
}

static void each_sees_what_is_theirs_to_see(void **state)
{
	static const struct {
		uint32_t uid;
		const char *sees;
	} callers[] = {
		{0, "alice edith ann bert"},
		{SERVER_SERVICE_UID, "alice edith ann bert"},
		{SERVER_MUTE_UID, ""},      /* a service without the right */
		{ALICE, "alice edith ann"}, /* the project's owner */
		{ADAM, "alice edith ann"},  /* the tenant's admin, who has none of his own */
		{EDITH, "edith"},
		{ANN, "ann"},
		{VICTOR, ""},
		{SAM, ""},  /* owner of another project of the tenant */
		{GONE, ""}, /* an owner who is suspended owns nothing */
		{BERT, "bert"},
		{STRANGER, ""},
	};

	(void)state;
	open_as("alice", "stuck");
	open_as("edith", "stuck");
	open_as("ann", "stuck");
	open_as("bert", "stuck");
	for (size_t i = 0; i < sizeof(callers) / sizeof(callers[0]); i++)
		if (strcmp(seen(callers[i].uid, "{}"), callers[i].sees) != 0)
			fail_msg("uid %u sees \"%s\", not \"%s\"", callers[i].uid, seen(callers[i].uid, "{}"),
				 callers[i].sees);
}

static void lists_are_narrowed_by_names_and_ids(void **state)
{
	const char *id = open_as("alice", "stuck");

	(void)state;
	open_as("edith", "stuck");
	open_as("bert", "stuck");
	assert_string_equal(seen(0, "{\"user\":\"edith\"}"), "edith");
	assert_string_equal(seen(0, "{\"user\":\"usr_edith\"}"), "edith");
	assert_string_equal(seen(0, "{\"tenant\":\"acme\"}"), "alice edith");
	assert_string_equal(seen(0, "{\"tenant\":\"ten_beta\"}"), "bert");
	assert_string_equal(seen(0, "{\"project\":\"acme/vision\"}"), "alice edith");
	assert_string_equal(seen(0, "{\"project\":\"prj_radar\"}"), "bert");
	assert_string_equal(seen(0, "{\"project\":\"vision\"}"), ""); /* a slug alone names nothing */
	assert_string_equal(seen(0, "{\"project\":\"acme/vision\",\"user\":\"bert\"}"), "");
	assert_string_equal(seen(0, of(id, "")), "alice");
	assert_string_equal(seen(BERT, of(id, "")), "");
	assert_string_equal(seen(ALICE, "{\"tenant\":\"beta\"}"), "");
	assert_string_equal(seen(ALICE, "{\"project\":\"beta/radar\"}"), "");
	assert_string_equal(seen(ALICE, "{\"user\":null,\"project\":null}"), "alice edith");
}

static void a_session_says_what_it_is(void **state)
{
	json_t *reply, *session;

	(void)state;
	open_as("alice", "stuck");
	reply = call_as(&fixture, ALICE, "Sessions", "{}");
	session = json_array_get(json_object_get(json_object_get(reply, "parameters"), "sessions"), 0);
	assert_string_equal(json_string_value(json_object_get(session, "state")), "open");
	assert_null(json_object_get(session, "cause"));
	assert_string_equal(json_string_value(json_object_get(session, "user_id")), "usr_alice");
	assert_string_equal(json_string_value(json_object_get(session, "tenant_id")), "ten_acme");
	assert_string_equal(json_string_value(json_object_get(session, "project_id")), "prj_vision");
	assert_null(json_object_get(session, "operator"));
	assert_int_equal(json_integer_value(json_object_get(session, "leader")), leader);
	json_decref(reply);
}

/* For everybody who may not: somebody else's, another tenant's, one that there is not. Nobody learns which of them. */
static void what_is_not_theirs_is_not_there(void **state)
{
	const uint32_t callers[] = {EDITH, VICTOR, ANN, SAM, GONE, BERT, STRANGER, SERVER_SERVICE_UID, SERVER_MUTE_UID};
	const char *alices = open_as("alice", "stuck");
	char refused[3][512];

	(void)state;
	open_as("bert", "stuck");
	for (size_t i = 0; i < sizeof(callers) / sizeof(callers[0]); i++) {
		const char *parameters[] = {of(alices, ""), of("0000000000000000", ""), of("", "")};

		for (unsigned j = 0; j < 3; j++) {
			json_t *reply = call_as(&fixture, callers[i], "EndSession", parameters[j]);
			char *text = json_dumps(reply, JSON_SORT_KEYS);

			snprintf(refused[j], sizeof(refused[j]), "%s", text);
			free(text);
			json_decref(reply);
			assert_non_null(strstr(refused[j], NOT_FOUND));
			assert_string_equal(refused[j], refused[0]);
		}
	}
	assert_int_equal(audit_lines(&fixture, "ENDING"), 0);
	assert_true(audit_lines(&fixture, "not theirs, or none") >= 9);
	/* A viewer of the project, its owner in another tenant, and nobody: all hear the same of it. */
	expect_error(&fixture, VICTOR, "EndSessions", "{\"project\":\"acme/vision\"}", NOT_FOUND);
	expect_error(&fixture, BERT, "EndSessions", "{\"project\":\"acme/vision\"}", NOT_FOUND);
	expect_error(&fixture, BERT, "EndSessions", "{\"project\":\"acme/nothing\"}", NOT_FOUND);
	expect_error(&fixture, ALICE, "EndSessions", "{\"user\":\"bert\"}", NOT_FOUND);
	expect_error(&fixture, ALICE, "EndSessions", "{\"user\":\"nobody-here\"}", NOT_FOUND);
	expect_error(&fixture, ALICE, "EndSessions", "{\"user\":\"sam\"}",
		     NOT_FOUND); /* of her tenant, not her project */
	expect_error(&fixture, ADAM, "EndSessions", "{\"tenant\":\"beta\"}", NOT_FOUND);
	expect_error(&fixture, ADAM, "EndSessions", "{\"tenant\":\"gamma\"}", NOT_FOUND);
	expect_error(&fixture, SERVER_SERVICE_UID, "EndSessions", "{\"user\":\"alice\"}", NOT_FOUND);
	expect_error(&fixture, ADAM, "EndSessions", "{\"all\":true}", DENIED);
	expect_error(&fixture, SERVER_SERVICE_UID, "EndSessions", "{\"all\":true}", DENIED);
	assert_int_equal(audit_lines(&fixture, "ENDING"), 0);
	assert_string_equal(seen(0, "{}"), "alice bert");
}

static void those_who_may_end_it_do(void **state)
{
	const uint32_t may[] = {ALICE, ADAM, EDITH, 0};

	(void)state;
	for (size_t i = 0; i < sizeof(may) / sizeof(may[0]); i++)
		expect_ended(may[i], "EndSession", of(open_as("edith", i % 2 ? "sudden" : "brief"), ",\"wait\":5"), 1,
			     1);
	usleep(200000);
	assert_string_equal(seen(0, "{}"), "");
}

static void the_terminal_hears_who_and_why(void **state)
{
	char line[128];
	const char *id;

	(void)state;
	id = open_as("edith", "stuck");
	expect_ended(ALICE, "EndSession", of(id, ",\"reason\":\"the GPUs are needed\""), 1, 0);
	snprintf(line, sizeof(line), "ENDING %s asked: the GPUs are needed, by alice\n", id);
	assert_int_equal(audit_lines(&fixture, line), 1);
	id = open_as("edith", "stuck");
	expect_ended(0, "EndSession", of(id, ""), 1, 0);
	snprintf(line, sizeof(line), "ENDING %s asked: by root\n", id);
	assert_int_equal(audit_lines(&fixture, line), 1);
	id = open_as("edith", "stuck");
	expect_ended(EDITH, "EndSession", of(id, ",\"reason\":\"forgot it at work\""), 1, 0);
	snprintf(line, sizeof(line), "ENDING %s asked: forgot it at work\n", id);
	assert_int_equal(audit_lines(&fixture, line), 1);
	expect_error(&fixture, EDITH, "EndSession", of(id, ",\"reason\":\"two\\nlines\""), INVALID);
	expect_error(&fixture, EDITH, "EndSession", of(id, ",\"reason\":\"\\u001b]0;x\""), INVALID);
	expect_error(&fixture, EDITH, "EndSession", of(id, ",\"wait\":601"), INVALID);
}

static void the_state_is_told(void **state)
{
	const char *id = open_as("edith", "stuck");
	json_t *reply, *session;

	(void)state;
	expect_ended(EDITH, "EndSession", of(id, ""), 1, 0);
	reply = call_as(&fixture, EDITH, "Sessions", of(id, ""));
	session = json_array_get(json_object_get(json_object_get(reply, "parameters"), "sessions"), 0);
	assert_string_equal(json_string_value(json_object_get(session, "state")), "ending");
	assert_string_equal(json_string_value(json_object_get(session, "cause")), "asked");
	json_decref(reply);
}

static uint64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void one_can_wait_for_the_end(void **state)
{
	uint64_t before;

	(void)state;
	expect_ended(EDITH, "EndSession", of(open_as("edith", "brief"), ",\"wait\":10"), 1, 1);
	expect_ended(EDITH, "EndSession", of(open_as("edith", "brief"), ""), 1, 0);
	/* As long as was said, and then the truth. */
	before = milliseconds();
	expect_ended(EDITH, "EndSession", of(open_as("edith", "stuck"), ",\"wait\":1"), 1, 0);
	assert_in_range(milliseconds() - before, 900, 3000);
	/* One that is being ended already is waited for, too. */
	before = milliseconds();
	expect_ended(EDITH, "EndSessions", "{\"user\":\"edith\",\"wait\":1}",
		     1 + (strcmp(seen(EDITH, "{}"), "edith edith") == 0), 0);
	assert_in_range(milliseconds() - before, 900, 3000);
}

static void what_hinders_it_is_said(void **state)
{
	json_t *reply = call_as(&fixture, EDITH, "EndSession", of(open_as("edith", "stubborn"), ",\"wait\":10"));

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(json_object_get(reply, "parameters"), "gone")), 0);
	assert_string_equal(member_text(reply, "problem"), strerror(EBUSY));
	json_decref(reply);
	/* No helper at all: broken, and neither done nor denied. */
	expect_error(&fixture, EDITH, "EndSession", of(open_as("edith", "cron"), ",\"wait\":10"), BROKEN);
	expect_error(&fixture, EDITH, "EndSession", of(open_as("edith", "cron"), ""), BROKEN);
}

static void many_are_ended_at_once(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		open_as("alice", "brief");
		open_as("edith", "sudden");
	}
	open_as("bert", "brief");
	expect_ended(ALICE, "EndSessions", "{\"project\":\"acme/vision\",\"wait\":10,\"reason\":\"upgrade\"}", 6, 6);
	assert_int_equal(audit_lines(&fixture, "TENANT_ACTION=session.end"), 1);
	usleep(200000);
	assert_string_equal(seen(0, "{}"), "bert");
	expect_ended(ALICE, "EndSessions", "{\"project\":\"acme/vision\"}", 0, 0); /* none left is no mistake */
	expect_ended(0, "EndSessions", "{\"user\":\"alice\"}", 0, 0);
	expect_ended(ADAM, "EndSessions", "{\"tenant\":\"acme\"}", 0, 0);
	expect_ended(ADAM, "EndSessions", "{\"user\":\"edith\"}", 0, 0);
	expect_ended(EDITH, "EndSessions", "{\"user\":\"edith\"}", 0, 0);
	expect_error(&fixture, 0, "EndSessions", "{\"user\":\"nobody-here\"}", NOT_FOUND);
	expect_error(&fixture, 0, "EndSessions", "{\"user\":\"bert\",\"project\":\"beta/rader\"}", NOT_FOUND);
	/* Two names together mean both. */
	expect_ended(0, "EndSessions", "{\"user\":\"bert\",\"tenant\":\"acme\"}", 0, 0);
	expect_ended(0, "EndSessions", "{\"all\":true,\"wait\":10}", 1, 1);
	assert_string_equal(seen(0, "{}"), "");
	expect_error(&fixture, 0, "EndSessions", "{}", INVALID); /* nothing said is not everything */
	expect_error(&fixture, 0, "EndSessions", "{\"all\":false}", INVALID);
	expect_error(&fixture, 0, "EndSessions", "{\"all\":true,\"user\":\"bert\"}", INVALID);
}

/* Of a list that the caller may end in part only, that part. */
static void others_are_left_alone(void **state)
{
	(void)state;
	open_as("edith", "brief");
	open_as("ann", "brief");
	expect_ended(EDITH, "EndSessions", "{\"project\":\"acme/vision\",\"wait\":5}", 1, 1);
	assert_string_equal(seen(0, "{}"), "ann");
	expect_error(&fixture, EDITH, "EndSessions", "{\"project\":\"acme/vision\"}", NOT_FOUND);
}

/* Whoever hangs up does not keep it from happening, and the next caller hears nothing of it. */
static void hanging_up_changes_nothing(void **state)
{
	const char *id = open_as("edith", "brief");
	int fd = client_connect(fixture.agent_path, EDITH);
	unsigned forgotten = audit_lines(&fixture, "FORGOTTEN");
	char call[256];

	(void)state;
	snprintf(call, sizeof(call), "{\"method\":\"io.tenantd.Agent.EndSession\",\"parameters\":%s}",
		 of(id, ",\"wait\":10"));
	client_call(fd, call);
	close(fd);
	for (unsigned i = 0; i < 100 && *seen(0, "{}"); i++)
		usleep(20000);
	assert_string_equal(seen(0, "{}"), "");
	assert_int_equal(audit_lines(&fixture, "FORGOTTEN") - forgotten, 1);
	/* Nor does anybody who gave up waiting leave something behind. */
	expect_ended(EDITH, "EndSession", of(open_as("edith", "stuck"), ",\"wait\":1"), 1, 0);
	assert_int_equal(audit_lines(&fixture, "FORGOTTEN") - forgotten, 2);
	expect_ended(EDITH, "EndSession", of(open_as("edith", "brief"), ",\"wait\":5"), 1, 1);
	assert_int_equal(audit_lines(&fixture, "FORGOTTEN") - forgotten, 2);
}

static void a_long_list_comes_in_pieces(void **state)
{
	int fd = client_connect(fixture.agent_path, SERVER_SERVICE_UID);
	unsigned count = 0, replies = 0;
	bool more = true;

	(void)state;
	for (unsigned i = 0; i < 400; i++)
		open_as(i % 2 ? "edith" : "bert", "cron");
	client_call(fd, "{\"method\":\"io.tenantd.Agent.Sessions\",\"more\":true,\"parameters\":{\"user\":\"bert\"}}");
	while (more) {
		json_t *reply = client_receive(fd, 5000);

		more = json_is_true(json_object_get(reply, "continues"));
		count += (unsigned)json_array_size(json_object_get(json_object_get(reply, "parameters"), "sessions"));
		replies++;
		json_decref(reply);
	}
	assert_int_equal(count, 200);
	assert_true(replies > 1);
	/* The connection goes on as before. */
	client_call(fd, "{\"method\":\"io.tenantd.Agent.Status\"}");
	assert_string_equal(error_of(client_receive(fd, 5000)), "");
	/* In one reply there is no room for it. */
	client_call(fd, "{\"method\":\"io.tenantd.Agent.Sessions\"}");
	assert_string_equal(error_of(client_receive(fd, 5000)), "io.tenantd.Agent.TooMany");
	close(fd);
}

/* The leaders' order in time is that of opening only from one second to the next. */
static void a_new_session_may_take_the_oldests_place(void **state)
{
	static const char limited[] =
		"name: Acme Robotics\n    policy: {sessions: {max_per_user: 1, over: end-oldest}}\n";
	const char *name = strstr(fixture_yaml, "name: Acme Robotics\n");
	const struct server_fixture before = fixture;
	char *yaml, line[64];
	const char *first;
	json_t *reply;

	(void)state;
	assert_true(asprintf(&yaml, "%.*s%s%s", (int)(name - fixture_yaml), fixture_yaml, limited,
			     name + strlen("name: Acme Robotics\n")) > 0);
	server_fixture_start(&fixture, yaml, "");
	free(yaml);
	first = open_as("edith", "stuck");
	open_as("edith", "stuck");
	snprintf(line, sizeof(line), "ENDING %s too-many", first);
	assert_int_equal(audit_lines(&fixture, line), 1);
	assert_string_equal(seen(EDITH, "{}"), "edith edith"); /* the first is on its way */
	/* The one that is ending counts no more; becoming somebody else never did. */
	open_as("edith", "systemd-user");
	assert_int_equal(audit_lines(&fixture, "ENDING"), 1);
	/* Whom nobody can end keeps the place, and the new one hears so. */
	open_as("ann", "cron");
	reply = call_as(&fixture, 0, "OpenSession", "{\"user\":\"ann\",\"service\":\"stuck\"}");
	assert_string_equal(member_text(reply, "decision.decision"), "denied");
	assert_string_equal(member_text(reply, "decision.reason"), "too-many-sessions");
	assert_string_equal(member_text(reply, "session"), "");
	json_decref(reply);
	close_all();
	server_fixture_stop(&fixture);
	fixture = before;
}

/* olga and oscar look in; oscar's grant is over. */
static char *with_operators(void)
{
	static const char users[] =
		"  - {id: usr_olga, tenant: ten_acme, login: olga, uid: 1879048220, kind: operator}\n"
		"  - {id: usr_oscar, tenant: ten_acme, login: oscar, uid: 1879048221, kind: operator}\n";
	static const char members[] = "  - {user: usr_olga, project: prj_vision, role: viewer}\n"
				      "  - {user: usr_oscar, project: prj_vision, role: viewer}\n";
	static const char grants[] =
		"grants:\n"
		"  - {id: grt_a, tenant: ten_acme, user: usr_olga, operator_id: opr_7, operator_name: "
		"olga@platform.example, "
		"reason: ticket 4711, not_before: 2020-01-01T00:00:00Z, not_after: 2099-01-01T00:00:00Z}\n"
		"  - {id: grt_b, tenant: ten_acme, user: usr_oscar, operator_id: opr_8, operator_name: "
		"oscar@platform.example, "
		"reason: ticket 4712, not_before: 2020-01-01T00:00:00Z, not_after: 2020-01-02T00:00:00Z}\n";
	const char *at_members = strstr(fixture_yaml, "members:\n"), *at_hosts = strstr(fixture_yaml, "hosts:\n");
	char *yaml;

	assert_true(asprintf(&yaml, "%.*s%s%.*s%s%s%s", (int)(at_members - fixture_yaml), fixture_yaml, users,
			     (int)(at_hosts - at_members), at_members, members, at_hosts, grants) > 0);
	return yaml;
}

static void an_operator_is_seen_and_sees_nobody(void **state)
{
	const struct server_fixture before = fixture;
	char *yaml = with_operators();
	json_t *reply, *session, *environment;
	const char *theirs, *alices;

	(void)state;
	server_fixture_start(&fixture, yaml, "");
	free(yaml);
	reply = call_as(&fixture, OLGA, "WhoAmI", "{}");
	assert_string_equal(member_text(reply, "principal.kind"), "operator");
	assert_string_equal(member_text(reply, "principal.operator"), "olga@platform.example");
	assert_string_equal(member_text(reply, "principal.grant"), "grt_a");
	json_decref(reply);

	reply = call_as(&fixture, 0, "OpenSession", "{\"user\":\"olga\",\"service\":\"stuck\"}");
	assert_string_equal(member_text(reply, "decision.decision"), "allowed");
	environment = json_object_get(json_object_get(reply, "parameters"), "environment");
	assert_string_equal(json_string_value(json_array_get(environment, json_array_size(environment) - 1)),
			    "TENANT_GRANT=grt_a");
	json_decref(reply);
	alices = open_as("alice", "stuck");
	assert_string_equal(seen(OLGA, "{}"), "olga");
	assert_string_equal(seen(ALICE, "{}"), "olga alice"); /* the project's owner sees who looks in */
	reply = call_as(&fixture, ALICE, "Sessions", "{\"user\":\"olga\"}");
	session = json_array_get(json_object_get(json_object_get(reply, "parameters"), "sessions"), 0);
	assert_string_equal(json_string_value(json_object_get(session, "operator")), "olga@platform.example");
	assert_string_equal(json_string_value(json_object_get(session, "grant")), "grt_a");
	assert_string_equal(json_string_value(json_object_get(session, "grant_reason")), "ticket 4711");
	theirs = of(json_string_value(json_object_get(session, "session")), "");
	expect_error(&fixture, OLGA, "EndSession", of(alices, ""), NOT_FOUND);
	expect_error(&fixture, OLGA, "EndSessions", "{\"project\":\"acme/vision\",\"user\":\"alice\"}", NOT_FOUND);
	expect_ended(ALICE, "EndSession", theirs, 1, 0); /* and ends it */
	json_decref(reply);

	/* Without a grant in force the account is nobody. */
	reply = call_as(&fixture, 0, "OpenSession", "{\"user\":\"oscar\",\"service\":\"cron\"}");
	assert_string_equal(member_text(reply, "decision.reason"), "grant-ended");
	assert_string_equal(member_text(reply, "session"), "");
	json_decref(reply);
	close_all();
	server_fixture_stop(&fixture);
	fixture = before;
}

/* Nobody said no to them: what PAM hears is that it could not be decided. */
static void nobody_falls_into_their_own_purge(void **state)
{
	json_t *reply = call_as(&fixture, 0, "OpenSession", "{\"user\":\"moved\",\"service\":\"cron\"}");

	(void)state;
	assert_string_equal(member_text(reply, "decision.decision"), "broken");
	assert_non_null(strstr(member_text(reply, "decision.message"), "is being ended"));
	assert_string_equal(member_text(reply, "session"), "");
	json_decref(reply);
	assert_string_equal(seen(0, "{\"user\":\"moved\"}"), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(each_sees_what_is_theirs_to_see, clean),
		cmocka_unit_test_teardown(lists_are_narrowed_by_names_and_ids, clean),
		cmocka_unit_test_teardown(a_session_says_what_it_is, clean),
		cmocka_unit_test_teardown(what_is_not_theirs_is_not_there, clean),
		cmocka_unit_test_teardown(many_are_ended_at_once, clean),
		cmocka_unit_test_teardown(those_who_may_end_it_do, clean),
		cmocka_unit_test_teardown(the_terminal_hears_who_and_why, clean),
		cmocka_unit_test_teardown(the_state_is_told, clean),
		cmocka_unit_test_teardown(one_can_wait_for_the_end, clean),
		cmocka_unit_test_teardown(what_hinders_it_is_said, clean),
		cmocka_unit_test_teardown(others_are_left_alone, clean),
		cmocka_unit_test_teardown(hanging_up_changes_nothing, clean),
		cmocka_unit_test_teardown(a_new_session_may_take_the_oldests_place, clean),
		cmocka_unit_test_teardown(an_operator_is_seen_and_sees_nobody, clean),
		cmocka_unit_test_teardown(nobody_falls_into_their_own_purge, clean),
		cmocka_unit_test(a_long_list_comes_in_pieces),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
