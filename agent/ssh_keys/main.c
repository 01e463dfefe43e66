/* SPDX-License-Identifier: MIT
 *
 * tenantd-ssh-keys: sshd's AuthorizedKeysCommand, `tenantctl ssh-keys` and nothing else. sshd runs it twice for each
 * sign-in by SSH key, and loading the forty libraries of tenantctl (libcurl's, mostly) took twice eight milliseconds of
 * the person's time: this program needs jansson alone.
 *
 * It must never stand in the way of a local account: on any trouble it prints nothing and ends soon, with tenantctl's
 * exit codes, which sshd logs.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "ctl/local_account.h"
#include "varlink/varlink_client.h"

#define SOCKET "/run/tenantd/agent.sock"
#define DEADLINE_SECONDS 2
#define DEADLINE_USEC (DEADLINE_SECONDS * 1000 * 1000ULL)

enum { FINE = 0, DENIED = 1, USAGE = 2, BROKEN = 3 };

static int print_keys(const struct varlink_reply *reply)
{
	const json_t *key;
	size_t i;

	if (reply->error) {
		fprintf(stderr, "tenantd-ssh-keys: the agent answered with %s\n", reply->error);
		return text_equal(reply->error, VARLINK_ERROR_PERMISSION_DENIED) ? DENIED : BROKEN;
	}
	json_array_foreach(json_object_get(reply->parameters, "keys"), i, key)
	{
		const char *line = json_string_value(key);

		if (line && puts(line) == EOF)
			return BROKEN;
	}
	return fflush(stdout) == 0 ? FINE : BROKEN;
}

static int ask(const char *user)
{
	_cleanup_(varlink_client_destroyp) struct varlink_client *client = NULL;
	struct varlink_reply reply = {0};
	struct varlink_writer writer;
	int result;

	result = varlink_client_connect(SOCKET, DEADLINE_USEC, &client);
	if (result == 0) {
		varlink_call_begin(&writer, varlink_client_outgoing(client), "io.tenantd.Agent.SshKeys", false, false);
		json_put_string(&writer.json, "user", user);
		result = varlink_end(&writer, false);
	}
	if (result >= 0)
		result = varlink_client_exchange(client, DEADLINE_USEC, &reply);
	if (result < 0) {
		fprintf(stderr, "tenantd-ssh-keys: the agent does not answer: %s\n", strerror(-result));
		return BROKEN;
	}
	result = print_keys(&reply);
	varlink_reply_finish(&reply);
	return result;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fputs("usage: tenantd-ssh-keys USER\n", stderr);
		return USAGE;
	}
	alarm(DEADLINE_SECONDS + 1); /* whatever happens, sshd does not wait longer */
	if (!text_is_login_name(argv[1]) || is_local_account(argv[1]))
		return FINE;
	return ask(argv[1]);
}
