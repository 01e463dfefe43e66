/* SPDX-License-Identifier: MIT */
#include "control_plane/cli/password.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>

static struct termios before;
static int terminal = -1;

static void restore(int signal_number)
{
	(void)tcsetattr(terminal, TCSAFLUSH, &before);
	if (signal_number) {
		(void)signal(signal_number, SIG_DFL);
		(void)raise(signal_number);
	}
}

/* One line, without its end, into `out`. -EINVAL: nothing, or a NUL; -E2BIG. */
static int read_line(int fd, char out[PASSWORD_MAX])
{
	size_t length = 0;
	char *end = NULL;

	while (!end) {
		ssize_t got = read(fd, out + length, PASSWORD_MAX - 1 - length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		length += (size_t)got;
		end = memchr(out, '\n', length);
		if (!end && length == PASSWORD_MAX - 1)
			return -E2BIG;
	}
	if (end)
		length = (size_t)(end - out);
	if (length > 0 && out[length - 1] == '\r')
		length--;
	out[length] = '\0';
	return length > 0 && !memchr(out, '\0', length) ? 0 : -EINVAL;
}

static int ask(const char *prompt, char out[PASSWORD_MAX])
{
	int result;

	(void)fputs(prompt, stderr);
	result = read_line(terminal, out);
	(void)fputc('\n', stderr);
	return result;
}

static int ask_twice(const char *whose, char first[PASSWORD_MAX], struct problem *problem)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	char prompt[256], second[PASSWORD_MAX];
	struct termios hidden;
	int result;

	terminal = STDIN_FILENO;
	if (tcgetattr(terminal, &before) < 0) {
		problem_remedy(problem, "name a file that holds it: --password-file");
		return problem_set(problem, ENOTTY, "there is no terminal to ask for a password");
	}
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		(void)signal(signals[i], restore);
	hidden = before;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	(void)tcsetattr(terminal, TCSAFLUSH, &hidden);
	(void)snprintf(prompt, sizeof(prompt), "Password of %s: ", whose);
	result = ask(prompt, first);
	if (result == 0)
		result = ask("The same again: ", second);
	restore(0);
	if (result == 0 && strcmp(first, second) != 0)
		result = problem_set(problem, EINVAL, "the two passwords differ");
	else if (result < 0)
		result = problem_set(problem, -result, "no password was given");
	secret_wipe(second, sizeof(second));
	return result;
}

int password_read(const char *file, const char *whose, char **ret, struct problem *problem)
{
	char line[PASSWORD_MAX];
	int result, fd;

	if (!file) {
		result = ask_twice(whose, line, problem);
	} else {
		bool standard = strcmp(file, "-") == 0;

		fd = standard ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		result = fd < 0 ? -errno : read_line(fd, line);
		if (!standard)
			closep(&fd);
		if (result < 0)
			(void)problem_set(problem, -result, "%s: no password in its first line (%s)", file,
					  strerror(-result));
	}
	if (result == 0) {
		*ret = secret_dup(line, strlen(line));
		result = *ret ? 0 : problem_set(problem, ENOMEM, "out of memory");
	}
	secret_wipe(line, sizeof(line));
	return result;
}
