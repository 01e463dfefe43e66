/* SPDX-License-Identifier: MIT
 *
 * tenantctl ssh-keys: what agent/ssh_keys tells sshd, with options. It may be sshd's AuthorizedKeysCommand, too, and
 * must never stand in the way of a local account: on any trouble it prints nothing and ends soon, with the exit code
 * that sshd then logs.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/text.h"
#include "ctl/agent_call.h"
#include "ctl/local_account.h"
#include "ctl/verbs.h"

#define DEADLINE_SECONDS 2

int ctl_ssh_keys(struct ctl *ctl, int argc, char **argv)
{
	static const struct ctl_command command = {
		.name = "ssh-keys",
		.usage = "USER",
		.text = "Prints USER's SSH keys as lines of authorized_keys. sshd has a faster program for that:\n"
			"\n"
			"  AuthorizedKeysCommand /usr/lib/tenantd/tenantd-ssh-keys %u\n"
			"  AuthorizedKeysCommandUser tenantd-keys\n"
			"\n"
			"Prints nothing, and exits 0, for whoever is not in the directory. Ends within two seconds.\n",
		.uses = CTL_USES_SOCKET,
		.min = 1,
		.max = 1,
	};
	_cleanup_(ctl_call_finish) struct ctl_call call = {0};
	const json_t *keys, *key;
	size_t i;
	int count, result = ctl_parse(ctl, &command, argc, argv, &count);

	if (result >= 0)
		return result;
	alarm(DEADLINE_SECONDS + 1); /* whatever happens, sshd does not wait longer */
	if (!text_is_login_name(argv[0]) || is_local_account(argv[0]))
		return CTL_OK;
	result = ctl_call_begin(&call, ctl, "SshKeys", false);
	if (result < 0) {
		call.timeout_usec = DEADLINE_SECONDS * 1000 * 1000ULL;
		json_put_string(&call.writer.json, "user", argv[0]);
		result = ctl_call_end(&call);
	}
	if (result >= 0)
		return result;
	if (ctl->json)
		return ctl_print_reply(call.reply.parameters);
	keys = json_object_get(call.reply.parameters, "keys");
	json_array_foreach(keys, i, key) if (puts(json_string_value(key)) == EOF) return CTL_BROKEN;
	return fflush(stdout) == 0 ? CTL_OK : CTL_BROKEN;
}
