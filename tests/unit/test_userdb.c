/* SPDX-License-Identifier: MIT
 *
 * io.systemd.UserDatabase over its socket: records, groups, memberships, lists, and what is not told.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"
#include "server_fixture.h"

#define ALICE 1879048210U
#define EDITH 1879048211U
#define USERDB "io.systemd.UserDatabase."
#define NONE USERDB "NoRecordFound"

/* olga looks in: viewer of vision, whose other members are one of each kind; and nothing of speech. */
static const char operators_yaml[] =
	"version: 1\n"
	"tenants:\n"
	"  - {id: ten_a, slug: acme, gid: 1879048192, ids: {first: 1879048192, count: 256, next: 1879048300}, roles: "
	"[{name: guest, kind: project, groups: none, actions: [dataset.read]}]}\n"
	"projects:\n"
	"  - {id: prj_vision, tenant: ten_a, slug: vision, gid: 1879048193}\n"
	"  - {id: prj_speech, tenant: ten_a, slug: speech, gid: 1879048197}\n"
	"users:\n"
	"  - {id: usr_victor, tenant: ten_a, login: victor, uid: 1879048210}\n"
	"  - {id: usr_gus, tenant: ten_a, login: gus, uid: 1879048211}\n"
	"  - {id: usr_olga, tenant: ten_a, login: olga, uid: 1879048212, kind: operator}\n"
	"members:\n"
	"  - {user: usr_victor, project: prj_vision, role: viewer}\n"
	"  - {user: usr_gus, project: prj_vision, role: guest}\n"
	"  - {user: usr_olga, project: prj_vision, role: viewer}\n"
	"grants:\n"
	"  - {id: grt_olga, tenant: ten_a, user: usr_olga, operator_id: opr_1, reason: r, not_after: "
	"2037-01-15T09:00:00Z}\n";

static struct server_fixture fixture, listed, visited;

static int start(void **state)
{
	(void)state;
	server_fixture_start(&fixture, fixture_yaml, "");
	server_fixture_start(&listed, fixture_yaml, "enumerate: true\n");
	server_fixture_start(&visited, operators_yaml, "enumerate: true\n");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	server_fixture_stop(&fixture);
	server_fixture_stop(&listed);
	server_fixture_stop(&visited);
	return 0;
}

static void records_are_found_by_name_and_number(void **state)
{
	json_t *reply =
		call_as(&fixture, EDITH, USERDB "GetUserRecord", "{\"userName\":\"alice\",\"service\":\"io.tenantd\"}");

	(void)state;
	assert_string_equal(member_text(reply, "record.userName"), "alice");
	assert_string_equal(member_text(reply, "record.service"), "io.tenantd");
	assert_string_equal(member_text(reply, "record.disposition"), "regular");
	assert_string_equal(member_text(reply, "record.homeDirectory"), "/home/alice");
	/* Others see that something is left out, and not what. */
	assert_null(json_object_get(json_object_get(json_object_get(reply, "parameters"), "record"), "privileged"));
	assert_true(json_boolean_value(json_object_get(json_object_get(reply, "parameters"), "incomplete")));
	json_decref(reply);
	reply = call_as(&fixture, ALICE, USERDB "GetUserRecord", "{\"uid\":1879048210,\"service\":\"io.tenantd\"}");
	assert_non_null(json_object_get(json_object_get(json_object_get(reply, "parameters"), "record"), "privileged"));
	json_decref(reply);
	/* A mail address is for its owner and root: NSS shows none. */
	reply = call_as(&fixture, EDITH, USERDB "GetUserRecord", "{\"uid\":1879113738,\"service\":\"io.tenantd\"}");
	assert_string_equal(member_text(reply, "record.userName"), "bert");
	assert_string_equal(member_text(reply, "record.emailAddress"), "");
	assert_true(json_boolean_value(json_object_get(json_object_get(reply, "parameters"), "incomplete")));
	json_decref(reply);
	for (unsigned i = 0; i < 2; i++) {
		reply = call_as(&fixture, i ? 0 : 1879113738U, USERDB "GetUserRecord",
				"{\"userName\":\"bert\",\"service\":\"io.tenantd\"}");
		assert_string_equal(member_text(reply, "record.emailAddress"), "bert@beta.example");
		assert_false(json_boolean_value(json_object_get(json_object_get(reply, "parameters"), "incomplete")));
		json_decref(reply);
	}

	expect_error(&fixture, 0, USERDB "GetUserRecord", "{\"userName\":\"root\",\"service\":\"io.tenantd\"}", NONE);
	expect_error(&fixture, 0, USERDB "GetUserRecord", "{\"uid\":0,\"service\":\"io.tenantd\"}", NONE);
	expect_error(&fixture, 0, USERDB "GetUserRecord",
		     "{\"uid\":1879048211,\"userName\":\"alice\",\"service\":\"io.tenantd\"}",
		     USERDB "ConflictingRecordFound");
	expect_error(&fixture, 0, USERDB "GetUserRecord", "{\"userName\":\"alice\",\"service\":\"io.other\"}",
		     USERDB "BadService");
	expect_error(&fixture, 0, USERDB "GetUserRecord", "{\"userName\":\"alice\"}",
		     "org.varlink.service.InvalidParameter");
}

static void groups_are_those_of_the_map(void **state)
{
	static const struct {
		const char *name;
		unsigned gid;
	} groups[] = {
		{"acme", 1879048192},
		{"beta", 1879113728},
		{"acme-vision", 1879048193},
		{"acme-vision-viewer", 1879048194},
		{"acme-vision-editor", 1879048195},
		{"acme-vision-owner", 1879048196},
		{"alice", ALICE},
		{"tenant-sudo", 0x7ffffffe},
	};
	char parameters[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		json_t *reply;

		snprintf(parameters, sizeof(parameters), "{\"groupName\":\"%s\",\"service\":\"io.tenantd\"}",
			 groups[i].name);
		reply = call_as(&fixture, 0, USERDB "GetGroupRecord", parameters);
		assert_int_equal(json_integer_value(json_object_get(
					 json_object_get(json_object_get(reply, "parameters"), "record"), "gid")),
				 groups[i].gid);
		json_decref(reply);
		snprintf(parameters, sizeof(parameters), "{\"gid\":%u,\"service\":\"io.tenantd\"}", groups[i].gid);
		reply = call_as(&fixture, 0, USERDB "GetGroupRecord", parameters);
		assert_string_equal(member_text(reply, "record.groupName"), groups[i].name);
		json_decref(reply);
	}
	expect_error(&fixture, 0, USERDB "GetGroupRecord",
		     "{\"groupName\":\"acme-nothing\",\"service\":\"io.tenantd\"}", NONE);
	expect_error(&fixture, 0, USERDB "GetGroupRecord", "{\"groupName\":\"acme-\",\"service\":\"io.tenantd\"}",
		     NONE);
	expect_error(&fixture, 0, USERDB "GetGroupRecord", "{\"groupName\":\"\",\"service\":\"io.tenantd\"}", NONE);
	expect_error(&fixture, 0, USERDB "GetGroupRecord", "{\"gid\":1879048900,\"service\":\"io.tenantd\"}", NONE);
	expect_error(&fixture, 0, USERDB "GetGroupRecord", "{\"gid\":1,\"service\":\"io.tenantd\"}", NONE);
}

/* All replies of a list as "user:group" or a name each, with a space after each. */
static void list(const struct server_fixture *server, const char *method, const char *parameters, char *out,
		 size_t size)
{
	int fd = client_connect(server->userdb_path, 0);
	char call[512];
	bool more = true;

	out[0] = '\0';
	snprintf(call, sizeof(call), "{\"method\":\"" USERDB "%s\",\"parameters\":%s,\"more\":true}", method,
		 parameters);
	client_call(fd, call);
	while (more) {
		json_t *reply = client_receive(fd, 5000);
		size_t length = strlen(out);

		assert_non_null(reply);
		more = json_boolean_value(json_object_get(reply, "continues"));
		if (json_object_get(reply, "error"))
			snprintf(out + length, size - length, "%s", json_string_value(json_object_get(reply, "error")));
		else if (strcmp(method, "GetMemberships") == 0)
			snprintf(out + length, size - length, "%s:%s ", member_text(reply, "userName"),
				 member_text(reply, "groupName"));
		else
			snprintf(out + length, size - length, "%s%s ", member_text(reply, "record.userName"),
				 member_text(reply, "record.groupName"));
		json_decref(reply);
	}
	close(fd);
}

static void memberships_follow_the_roles(void **state)
{
	char text[8192];

	(void)state;
	list(&fixture, "GetMemberships", "{\"userName\":\"edith\",\"service\":\"io.tenantd\"}", text, sizeof(text));
	assert_string_equal(text, "edith:acme edith:acme-vision edith:acme-vision-viewer edith:acme-vision-editor "
				  "edith:tenant-users ");
	list(&fixture, "GetMemberships", "{\"userName\":\"alice\",\"service\":\"io.tenantd\"}", text, sizeof(text));
	assert_non_null(strstr(text, "alice:acme-vision-owner alice:tenant-sudo "));
	list(&fixture, "GetMemberships", "{\"groupName\":\"acme-vision-editor\",\"service\":\"io.tenantd\"}", text,
	     sizeof(text));
	assert_non_null(strstr(text, "alice:acme-vision-editor "));
	assert_non_null(strstr(text, "edith:acme-vision-editor "));
	assert_null(strstr(text, "victor:"));
	list(&fixture, "GetMemberships", "{\"groupName\":\"beta\",\"service\":\"io.tenantd\"}", text, sizeof(text));
	assert_string_equal(text, "bert:beta ");
	list(&fixture, "GetMemberships", "{\"groupName\":\"tenant-sudo\",\"service\":\"io.tenantd\"}", text,
	     sizeof(text));
	assert_non_null(strstr(text, "alice:tenant-sudo "));
	assert_null(strstr(text, "bert:"));
	list(&fixture, "GetMemberships",
	     "{\"userName\":\"edith\",\"groupName\":\"acme-vision-owner\",\"service\":\"io.tenantd\"}", text,
	     sizeof(text));
	assert_string_equal(text, NONE);
	list(&fixture, "GetMemberships", "{\"userName\":\"bert\",\"groupName\":\"beta\",\"service\":\"io.tenantd\"}",
	     text, sizeof(text));
	assert_string_equal(text, "bert:beta ");
	list(&fixture, "GetMemberships", "{\"groupName\":\"alice\",\"service\":\"io.tenantd\"}", text, sizeof(text));
	assert_string_equal(text, NONE);
	expect_error(&fixture, 0, USERDB "GetMemberships", "{\"userName\":\"alice\",\"service\":\"io.tenantd\"}",
		     "org.varlink.service.ExpectedMore");
	expect_error(&fixture, 0, USERDB "GetMemberships", "{\"userName\":\"root\",\"service\":\"io.tenantd\"}", NONE);
}

/* Neither by the person, nor by the group, nor in the list of all. */
static void operators_are_in_the_viewers_group_alone(void **state)
{
	static const struct {
		const char *group, *members;
	} expected[] = {
		{"acme", "victor:acme gus:acme "},
		{"acme-vision", "victor:acme-vision gus:acme-vision "},
		{"acme-vision-viewer", "victor:acme-vision-viewer olga:acme-vision-viewer "},
		{"acme-vision-editor", NONE},
		{"acme-vision-owner", NONE},
		{"acme-speech-viewer", NONE},
	};
	char text[4096], parameters[128];

	(void)state;
	list(&visited, "GetMemberships", "{\"userName\":\"olga\",\"service\":\"io.tenantd\"}", text, sizeof(text));
	assert_string_equal(text, "olga:acme-vision-viewer olga:tenant-users ");
	list(&visited, "GetMemberships", "{\"userName\":\"gus\",\"service\":\"io.tenantd\"}", text, sizeof(text));
	assert_string_equal(text, "gus:acme gus:acme-vision gus:tenant-users ");
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		snprintf(parameters, sizeof(parameters), "{\"groupName\":\"%s\",\"service\":\"io.tenantd\"}",
			 expected[i].group);
		list(&visited, "GetMemberships", parameters, text, sizeof(text));
		assert_string_equal(text, expected[i].members);
	}
	list(&visited, "GetMemberships",
	     "{\"userName\":\"olga\",\"groupName\":\"acme-vision\",\"service\":\"io.tenantd\"}", text, sizeof(text));
	assert_string_equal(text, NONE);
	list(&visited, "GetMemberships", "{\"service\":\"io.tenantd\"}", text, sizeof(text));
	assert_non_null(strstr(text, "olga:acme-vision-viewer "));
	assert_null(strstr(text, "olga:acme "));
	assert_null(strstr(text, "olga:acme-vision "));
}

static void lists_are_given_only_when_configured(void **state)
{
	char text[16384];

	(void)state;
	list(&fixture, "GetUserRecord", "{\"service\":\"io.tenantd\"}", text, sizeof(text));
	assert_string_equal(text, USERDB "EnumerationNotSupported");
	list(&fixture, "GetGroupRecord", "{\"service\":\"io.tenantd\"}", text, sizeof(text));
	assert_string_equal(text, USERDB "EnumerationNotSupported");
	list(&fixture, "GetMemberships", "{\"service\":\"io.tenantd\"}", text, sizeof(text));
	assert_string_equal(text, USERDB "EnumerationNotSupported");

	list(&listed, "GetUserRecord", "{\"service\":\"io.tenantd\"}", text, sizeof(text));
	assert_non_null(strstr(text, "alice "));
	assert_non_null(strstr(text, "bert "));
	list(&listed, "GetGroupRecord", "{\"service\":\"io.tenantd\"}", text, sizeof(text));
	assert_non_null(strstr(text, "tenant-sudo "));
	assert_non_null(strstr(text, "beta-radar-owner "));
	assert_non_null(strstr(text, "alice "));
	list(&listed, "GetMemberships", "{\"service\":\"io.tenantd\"}", text, sizeof(text));
	assert_non_null(strstr(text, "bert:beta-radar-owner "));
	assert_non_null(strstr(text, "edith:acme "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_found_by_name_and_number),
		cmocka_unit_test(groups_are_those_of_the_map),
		cmocka_unit_test(memberships_follow_the_roles),
		cmocka_unit_test(operators_are_in_the_viewers_group_alone),
		cmocka_unit_test(lists_are_given_only_when_configured),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
