/* SPDX-License-Identifier: MIT */
#include "arguments.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define TIMEOUT_MAX_SECONDS 300U

/* The value behind "NAME=", or NULL where the argument is another one. */
static const char *value_of(const char *argument, const char *name)
{
	size_t length = strlen(name);

	return strncmp(argument, name, length) == 0 && argument[length] == '=' ? argument + length + 1 : NULL;
}

static bool is_plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static const char *set_socket(const char *value, struct arguments *a)
{
	if (value[0] != '/' || strlen(value) >= sizeof(((struct sockaddr_un *)NULL)->sun_path) || !is_plain(value))
		return "is not the path of a socket";
	a->socket = value;
	return NULL;
}

static const char *set_timeout(const char *value, struct arguments *a)
{
	unsigned seconds = 0;
	const char *p;

	for (p = value; *p >= '0' && *p <= '9' && seconds <= TIMEOUT_MAX_SECONDS; p++)
		seconds = seconds * 10 + (unsigned)(*p - '0');
	if (p == value || *p || seconds == 0 || seconds > TIMEOUT_MAX_SECONDS)
		return "is not a number of seconds from 1 to 300";
	a->timeout_seconds = seconds;
	return NULL;
}

static const char *set_prompt(const char *value, struct arguments *a)
{
	size_t length = strlen(value);

	if (length == 0 || length > ARGUMENT_PROMPT_MAX || !is_plain(value))
		return "is not a line of 1 to 128 bytes";
	a->prompt = value;
	return NULL;
}

static const char *set_qr(const char *value, struct arguments *a)
{
	if (strcmp(value, "utf8") != 0 && strcmp(value, "ascii") != 0 && strcmp(value, "off") != 0)
		return "is none of utf8, ascii and off";
	a->qr = value;
	return NULL;
}

static const char *set_leader(const char *value, struct arguments *a)
{
	if (strcmp(value, "caller") == 0)
		a->leader = LEADER_CALLER;
	else if (strcmp(value, "none") == 0)
		a->leader = LEADER_NONE;
	else
		return "is neither caller nor none";
	return NULL;
}

/* Takes one argument; what is wrong with it, or NULL. */
static const char *take(const char *argument, struct arguments *a)
{
	static const struct {
		const char *name;
		const char *(*set)(const char *value, struct arguments *a);
	} settings[] = {
		{"socket", set_socket}, {"timeout", set_timeout}, {"prompt", set_prompt},
		{"leader", set_leader}, {"qr", set_qr},
	};
	static const struct {
		const char *name;
		size_t offset;
	} switches[] = {
		{"use_first_pass", offsetof(struct arguments, use_first_pass)},
		{"try_first_pass", offsetof(struct arguments, try_first_pass)},
		{"quiet", offsetof(struct arguments, quiet)},
		{"debug", offsetof(struct arguments, debug)},
	};
	size_t i;

	for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		const char *value = value_of(argument, settings[i].name);

		if (value)
			return settings[i].set(value, a);
	}
	for (i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
		if (strcmp(argument, switches[i].name) == 0) {
			*(bool *)((char *)a + switches[i].offset) = true;
			return NULL;
		}
	return "is not known";
}

/* The argument is the administrator's text, but it ends in logs: nothing but printable ASCII of it. */
static void describe(char problem[ARGUMENT_PROBLEM_MAX], const char *argument, const char *what)
{
	char shown[65];
	size_t i;

	for (i = 0; i < sizeof(shown) - 1 && argument[i]; i++) {
		shown[i] = '?';
		if (argument[i] >= 0x20 && argument[i] < 0x7f)
			shown[i] = argument[i];
	}
	shown[i] = '\0';
	snprintf(problem, ARGUMENT_PROBLEM_MAX, "argument \"%s\" %s", shown, what);
}

int arguments_parse(int argc, const char *const *argv, struct arguments *ret, char problem[ARGUMENT_PROBLEM_MAX])
{
	struct arguments a = {0};
	int i;

	for (i = 0; i < argc; i++) {
		const char *what = take(argv[i], &a);

		if (what) {
			describe(problem, argv[i], what);
			return -EINVAL;
		}
	}
	if (a.use_first_pass && a.try_first_pass) {
		describe(problem, "try_first_pass", "contradicts use_first_pass");
		return -EINVAL;
	}
	*ret = a;
	return 0;
}
