/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"

#define LINE_MAX_BYTES 2048
#define PROGRAM_MAX_BYTES 32

static struct {
	char program[PROGRAM_MAX_BYTES];
	int max_level; /* read by every thread, changed by one: atomically */
	bool journal;
} state = {.program = "tenantd", .max_level = LOG_INFO};

/* systemd says which stream it connected; a redirected stderr is another one. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM"); // NOLINT(concurrency-mt-unsafe): before any thread
	char mine[64];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	(void)snprintf(mine, sizeof(mine), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(mine, stream) == 0;
}

void log_init(const char *program, int max_level)
{
	(void)snprintf(state.program, sizeof(state.program), "%s", program);
	state.journal = stderr_is_journal();
	log_set_level(max_level);
}

void log_set_level(int max_level)
{
	__atomic_store_n(&state.max_level, max_level, __ATOMIC_RELAXED);
}

void log_line(int level, const char *format, ...)
{
	int saved = errno; /* %m in the format, and callers that look at errno afterwards */
	char text[LINE_MAX_BYTES], line[LINE_MAX_BYTES + PROGRAM_MAX_BYTES + 8];
	va_list ap;
	size_t head, length;
	int n;

	if (level > __atomic_load_n(&state.max_level, __ATOMIC_RELAXED))
		return;
	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (n < 0)
		return;
	if (state.journal)
		n = snprintf(line, sizeof(line), "<%d>", level & LOG_PRIMASK);
	else
		n = snprintf(line, sizeof(line), "%s: ", state.program);
	head = (size_t)n;
	/* One line whatever the text holds: a name with a newline must not write a line of its own. */
	(void)text_escape(text, strlen(text), line + head, sizeof(line) - head - 1);
	length = head + strlen(line + head);
	line[length++] = '\n';
	/* One write a line: lines of several threads do not mix. There is nobody to tell of a failure. */
	(void)fd_write_all(STDERR_FILENO, line, length);
	errno = saved;
}

void log_problem(int level, const char *what, const struct problem *problem)
{
	char text[PROBLEM_FILE_MAX + 2 * PROBLEM_TEXT_MAX + 64];

	log_line(level, "%s: %s", what, problem_render(problem, text, sizeof(text)));
}
