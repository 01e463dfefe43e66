/* SPDX-License-Identifier: MIT */
#include "program_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"
#include "unit.h"

int program_run(char *const argv[], const char *folder, const char *input, char *out, size_t size)
{
	size_t length = 0;
	int fds[2], status;
	ssize_t got;
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		int in = open(input ? input : "/dev/null", O_RDONLY | O_CLOEXEC);

		if (in >= 0 && dup2(in, STDIN_FILENO) >= 0 && dup2(fds[1], STDOUT_FILENO) >= 0 &&
		    dup2(fds[1], STDERR_FILENO) >= 0 && (!folder || chdir(folder) == 0))
			execv(argv[0], argv);
		_exit(127);
	}
	assert_true(pid > 0);
	close(fds[1]);
	/* To its end: a program must not meet a pipe that nobody reads. */
	for (;;) {
		char rest[512];
		int fits = length + 1 < size;

		got = fits ? read(fds[0], out + length, size - 1 - length) : read(fds[0], rest, sizeof(rest));
		if (got <= 0)
			break;
		if (fits)
			length += (size_t)got;
	}
	out[length] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int program_run_words(char *program, const char *words, const char *folder, char *out, size_t size)
{
	char copy[1024], *argv[24] = {program}, *save = NULL;
	unsigned n = 1;

	(void)snprintf(copy, sizeof(copy), "%s", words);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		assert_true(n + 1 < ARRAY_LEN(argv));
		argv[n++] = word;
	}
	return program_run(argv, folder, NULL, out, size);
}
