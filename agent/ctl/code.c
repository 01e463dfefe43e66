/* SPDX-License-Identifier: MIT
 *
 * tenantctl code: a one-time sign-in code.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/parse.h"
#include "ctl/agent_call.h"
#include "ctl/verbs.h"

int ctl_code(struct ctl *ctl, int argc, char **argv)
{
	const char *user = NULL, *service = NULL;
	const struct ctl_option options[] = {
		{.name = "user",
		 .metavar = "USER",
		 .help = "for somebody else (root, and services with the right `code`)",
		 .value = &user},
		{.name = "service",
		 .metavar = "NAME",
		 .help = "good at this PAM service alone, for example jupyterhub",
		 .value = &service},
	};
	const struct ctl_command command = {
		.name = "code",
		.usage = "[--user USER] [--service NAME]",
		.text = "A code that signs you in once, on this host, within two minutes: for programs that ask for a\n"
			"password and can show nothing, such as JupyterHub. Type it as the password. It takes the "
			"place\n"
			"of an earlier one. You get it from within a session that did not begin with a code; sudo "
			"takes\n"
			"none.\n"
			"Exit code: 0 here it is; 1 denied; 3 nobody could decide.\n"
			"\n"
			"  tenantctl code --service jupyterhub\n",
		.uses = CTL_USES_SOCKET,
		.options = options,
		.option_count = ARRAY_LEN(options),
	};
	_cleanup_(ctl_call_finish) struct ctl_call call = {0};
	char span[48];
	const json_t *p;
	int count, result = ctl_parse(ctl, &command, argc, argv, &count);

	if (result < 0)
		result = ctl_call_begin(&call, ctl, "Code", false);
	if (result >= 0)
		return result;
	json_put_string_if(&call.writer.json, "user", user);
	json_put_string_if(&call.writer.json, "service", service);
	result = ctl_call_end(&call);
	if (result >= 0)
		return result;
	p = call.reply.parameters;
	if (!json_object_get(p, "code")) {
		int code = ctl_decision(ctl, p);

		return ctl->json && ctl_print_reply(p) != CTL_OK ? CTL_BROKEN : code;
	}
	if (ctl->json)
		return ctl_print_reply(p);
	/* The code alone on standard output, so that it can be piped; the rest is for people. */
	printf("%s\n", ctl_text(p, "code"));
	if (fflush(stdout) != 0)
		return CTL_BROKEN;
	ctl_warn(ctl, "signs %s in once%s%s, within %s", ctl_text(p, "user"), service ? " at " : "",
		 service ? service : "", format_span((uint64_t)ctl_number(p, "expires_in"), span, sizeof(span)));
	return CTL_OK;
}
