/* SPDX-License-Identifier: MIT
 *
 * A real socket server in a child process, with the fixture's directory behind it, and a client that can
 * be anybody: the test runs as root and connects with another effective uid, which is what the kernel tells.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SERVER_SERVICE_UID 990U /* service "hub": verify, check, sessions, subscribe, emit, metrics */
#define SERVER_MUTE_UID 991U    /* service "mute": metrics alone */
#define SERVER_PORTAL_UID 993U  /* service "portal": code alone */
#define SERVER_KEYS_UID 992U    /* tenantd-keys, by the fixture's own passwd file */

/* Bound at first sign-ins there: an identity of edith's, and one of "usr_left", who is gone. */
#define SERVER_ISSUER "https://login.example"

/* How the root helper's part goes, by the session's service: "stuck": ending begins, and is never heard of again;
 * "brief": gone after a moment; "sudden": heard of as gone before the wish to end it
 * returns; "stubborn": heard of after a moment,
 * as busy; any other: there is no helper. The audit file gets a line "ENDING <session> <cause>: <detail>" for each.
 * And "FORGOTTEN" where
 * nobody waits any more, and "CREDENTIALS CHANGED". What runs as the user "moved" is being ended for ever. */
struct server_fixture {
	char folder[64], agent_path[96], userdb_path[96], audit_path[96];
	pid_t child;
};

/* `yaml` NULL: the server has no directory. `config` is agent.yaml's text after the services ("" for none). */
void server_fixture_start(struct server_fixture *fixture, const char *yaml, const char *config);
void server_fixture_stop(struct server_fixture *fixture);

/* Connects as `uid`. */
int client_connect(const char *path, uint32_t uid);
void client_send(int fd, const void *data, size_t length);
void client_call(int fd, const char *json); /* sends it with its NUL */
/* The next message; NULL when the server closed. Fails the test when nothing comes within the time. */
json_t *client_receive(int fd, int milliseconds);
bool client_has_news(int fd);
json_t *client_take(int fd); /* what is there already, or the test fails */

/* One call on a connection of its own: the whole reply. `parameters` is JSON text. */
json_t *call_as(const struct server_fixture *fixture, uint32_t uid, const char *method, const char *parameters);
/* The error's name, "" for success; frees the reply. */
const char *error_of(json_t *reply);
/* Calls and expects this error ("" for success). */
void expect_error(const struct server_fixture *fixture, uint32_t uid, const char *method, const char *parameters,
		  const char *error);
/* A member by path "a.b" of the parameters, as text; "" where there is none. */
const char *member_text(const json_t *reply, const char *path);
/* Lines of the audit so far that have this text. */
unsigned audit_lines(const struct server_fixture *fixture, const char *text);
