/* SPDX-License-Identifier: MIT */
#include "pam_host.h"

#include <dlfcn.h>
#include <errno.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"

struct pam_people pam_people = {.alice = true, .caller = 0};

_public_ uid_t getuid(void)
{
	return pam_people.caller;
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the names in pwd.h are reserved ones */
_public_ int getpwnam_r(const char *name, struct passwd *record, char *buffer, size_t size, struct passwd **ret)
{
	static const struct {
		const char *name;
		uid_t uid;
		size_t need;
	} people[] = {
		{"root", 0, 64},
		{"local", 1000, 64},
		{"alice", 0x70000005, 64},
		{"lowest", 0x70000000, 64},
		{"highest", 0x7ffffffe, 64},
		{"below", 0x6fffffff, 64},
		{"above", 0x7fffffff, 64},
		{"long", 0x70000006, 5000},
	};

	*ret = NULL;
	if (strcmp(name, "failing") == 0)
		return EIO;
	if (strcmp(name, "absent") == 0)
		return ENOENT;
	if (strcmp(name, "alice") == 0 && !pam_people.alice)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(people); i++) {
		if (strcmp(people[i].name, name) != 0)
			continue;
		if (size < people[i].need)
			return ERANGE;
		memset(record, 0, sizeof(*record));
		(void)snprintf(buffer, size, "%s", name);
		record->pw_name = buffer;
		record->pw_uid = people[i].uid;
		record->pw_gid = people[i].uid;
		*ret = record;
		return 0;
	}
	return 0;
}

static void say(struct pam_host *host, char kind, const char *text)
{
	size_t length = strlen(host->said);

	(void)snprintf(host->said + length, sizeof(host->said) - length, "%c%s\n", kind, text);
}

static int converse(int count, const struct pam_message **messages, struct pam_response **ret, void *context)
{
	struct pam_response *responses = calloc((size_t)count, sizeof(*responses));
	struct pam_host *host = context;
	const char *answer;

	if (!responses)
		return PAM_BUF_ERR;
	for (int i = 0; i < count; i++)
		switch (messages[i]->msg_style) {
		case PAM_PROMPT_ECHO_OFF:
		case PAM_PROMPT_ECHO_ON:
			(void)snprintf(host->prompt, sizeof(host->prompt), "%s", messages[i]->msg);
			host->style = messages[i]->msg_style;
			answer = host->prompts < PAM_HOST_ANSWERS ? host->answers[host->prompts] : NULL;
			host->prompts++;
			if (!answer)
				answer = host->always;
			if (host->hidden_only && messages[i]->msg_style == PAM_PROMPT_ECHO_ON)
				answer = NULL;
			if (!answer) {
				free(responses);
				return PAM_CONV_ERR;
			}
			responses[i].resp = strdup(answer);
			break;
		default:
			if (host->fail_messages) {
				free(responses);
				return PAM_CONV_ERR;
			}
			say(host, messages[i]->msg_style == PAM_ERROR_MSG ? 'E' : 'I', messages[i]->msg);
		}
	*ret = responses;
	return PAM_SUCCESS;
}

static struct pam_host *delayed;

static void delay(int status, unsigned usec, void *context)
{
	if (delayed && usec > delayed->delay_usec)
		delayed->delay_usec = usec;
}

static _Noreturn void die(const char *what)
{
	(void)fprintf(stderr, "pam host: %s\n", what);
	abort();
}

static void must(bool condition, const char *what)
{
	if (!condition)
		die(what);
}

void pam_host_init(struct pam_host *host)
{
	char self[400], library[512], *slash;
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	memset(host, 0, sizeof(*host));
	must(length > 0, "/proc/self/exe");
	self[length] = '\0';
	/* <build>/tests/unit/<test> → <build> */
	for (int i = 0; i < 3; i++) {
		slash = strrchr(self, '/');
		if (!slash)
			die("build folder");
		*slash = '\0';
	}
	(void)snprintf(host->module, sizeof(host->module), "%s/pam_tenant.so", self);
	(void)snprintf(library, sizeof(library), "%s/libtenant.so.1", self);
	/* Loaded by path first, it is what the module's NEEDED entry means, whatever this host has installed. */
	must(dlopen(library, RTLD_NOW | RTLD_GLOBAL) != NULL, library);
	(void)snprintf(host->folder, sizeof(host->folder), "/tmp/pam-host-XXXXXX");
	must(mkdtemp(host->folder) != NULL, "mkdtemp");
}

static void service_path(const struct pam_host *host, const char *service, char *out, size_t size)
{
	(void)snprintf(out, size, "%s/%s", host->folder, service);
}

void pam_host_finish(struct pam_host *host)
{
	static const char *const services[] = {"test",   "su",   "su-l",           "sudo",
					       "sudo-i", "sshd", "jupyterhub-lab", "other"};
	char path[128];

	for (size_t i = 0; i < ARRAY_LEN(services); i++) {
		service_path(host, services[i], path, sizeof(path));
		(void)unlink(path);
	}
	must(rmdir(host->folder) == 0, "a service that pam_host_finish does not know");
}

pam_handle_t *pam_host_start(struct pam_host *host, const char *service, const char *user)
{
	static const char *const stages[] = {"auth", "account", "session", "password"};
	const struct pam_conv conversation = {.conv = converse, .appdata_ptr = host};
	pam_handle_t *pamh = NULL;
	char path[128];
	FILE *file;

	service_path(host, service, path, sizeof(path));
	file = fopen(path, "we");
	must(file != NULL, path);
	if (host->earlier_module)
		(void)fprintf(file, "auth optional pam_exec.so quiet expose_authtok /bin/true\n");
	for (size_t i = 0; i < ARRAY_LEN(stages); i++)
		(void)fprintf(file, "%s required %s %s\n", stages[i], host->module, host->arguments);
	must(fclose(file) == 0, path);
	must(pam_start_confdir(service, user, &conversation, host->folder, &pamh) == PAM_SUCCESS, "pam_start_confdir");
	host->prompts = 0;
	host->prompt[0] = '\0';
	host->said[0] = '\0';
	host->delay_usec = 0;
	delayed = host;
	must(pam_set_item(pamh, PAM_FAIL_DELAY, (const void *)(uintptr_t)delay) == PAM_SUCCESS, "PAM_FAIL_DELAY");
	return pamh;
}
