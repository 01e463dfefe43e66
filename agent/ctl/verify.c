/* SPDX-License-Identifier: MIT
 *
 * tenantctl verify: whose key is this? The key comes from standard input or a hidden prompt, never from
 * the command line, which everybody on the host can read.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>

#include "base/secret.h"
#include "ctl/agent_call.h"
#include "ctl/verbs.h"

#define CREDENTIAL_MAX 16384

static struct termios before;

static void restore(int signal_number)
{
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	if (signal_number) {
		signal(signal_number, SIG_DFL);
		raise(signal_number);
	}
}

/* One line, without its end. 0; -EINVAL: nothing; -E2BIG; or -errno. */
static int read_line(char *out, size_t size)
{
	size_t length = 0;
	char *end;

	for (;;) {
		ssize_t got = read(STDIN_FILENO, out + length, size - 1 - length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		length += (size_t)got;
		end = memchr(out, '\n', length);
		if (end || got == 0)
			break;
		if (length == size - 1)
			return -E2BIG;
	}
	if (end)
		length = (size_t)(end - out);
	if (length > 0 && out[length - 1] == '\r')
		length--;
	out[length] = '\0';
	return length > 0 && !memchr(out, '\0', length) ? 0 : -EINVAL;
}

static int read_credential(char *out, size_t size)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct termios hidden;
	int result;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &before) < 0)
		return read_line(out, size);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		signal(signals[i], restore);
	hidden = before;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	fputs("API key: ", stderr);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	result = read_line(out, size);
	restore(0);
	fputc('\n', stderr);
	return result;
}

static void put_if(struct ctl_call *call, const char *key, const char *value)
{
	json_put_string_if(&call->writer.json, key, value);
}

static void say(const struct ctl *ctl, const json_t *parameters)
{
	const json_t *principal = json_object_get(parameters, "principal"), *action;
	const char *warning = ctl_text(parameters, "warning");
	size_t i;

	if (!principal || ctl->json)
		return;
	printf("whose:    %s (%s), uid %lld, of %s\n", ctl_text(principal, "user"), ctl_text(principal, "kind"),
	       (long long)ctl_number(principal, "uid"), ctl_text(principal, "tenant"));
	printf("key:      %s\n", ctl_text(parameters, "key_id"));
	if (json_object_get(principal, "project"))
		printf("project:  %s, as %s\n", ctl_text(principal, "project"), ctl_text(principal, "role"));
	if (json_array_size(json_object_get(parameters, "actions"))) {
		printf("may:     ");
		json_array_foreach(json_object_get(parameters, "actions"), i, action)
			printf(" %s", json_string_value(action));
		putchar('\n');
	}
	if (warning[0])
		printf("warning:  %s\n", warning);
}

int ctl_verify(struct ctl *ctl, int argc, char **argv)
{
	const char *project = NULL, *action = NULL, *service = NULL, *source = NULL;
	const struct ctl_option options[] = {
		{.name = "project", .metavar = "PROJECT", .help = "may it be used in this project?", .value = &project},
		{.name = "action", .metavar = "ACTION", .help = "and for this action?", .value = &action},
		{.name = "service", .metavar = "NAME", .help = "and for this service?", .value = &service},
		{.name = "source", .metavar = "ADDRESS", .help = "and from this address?", .value = &source},
	};
	const struct ctl_command command = {
		.name = "verify",
		.usage = "[OPTIONS] < key",
		.text = "Whose API key is this, and what may it do? The key is read from standard input, or asked for\n"
			"without showing it. Root, services named in agent.yaml, and anybody about their own keys.\n"
			"Exit code: 0 good (and allowed); 1 not; 3 nobody could decide.\n",
		.uses = CTL_USES_SOCKET,
		.options = options,
		.option_count = ARRAY_LEN(options),
	};
	_cleanup_(ctl_call_finish) struct ctl_call call = {0};
	char credential[CREDENTIAL_MAX];
	int count, code, result = ctl_parse(ctl, &command, argc, argv, &count);

	if (result >= 0)
		return result;
	result = read_credential(credential, sizeof(credential));
	if (result < 0) {
		secret_wipe(credential, sizeof(credential));
		return ctl_fail(ctl, CTL_USAGE, "no key on standard input");
	}
	result = ctl_call_begin(&call, ctl, "VerifyCredential", false);
	if (result < 0) {
		varlink_client_outgoing(call.client)->wipe = true;
		json_put_string(&call.writer.json, "credential", credential);
		put_if(&call, "project", project);
		put_if(&call, "action", action);
		put_if(&call, "service", service);
		put_if(&call, "source", source);
		result = ctl_call_end(&call);
	}
	secret_wipe(credential, sizeof(credential));
	if (result >= 0)
		return result;
	code = ctl_decision(ctl, call.reply.parameters);
	say(ctl, call.reply.parameters);
	if (ctl->json && ctl_print_reply(call.reply.parameters) != CTL_OK)
		return CTL_BROKEN;
	return code;
}
