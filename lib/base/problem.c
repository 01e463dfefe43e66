/* SPDX-License-Identifier: MIT */
#include "base/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static void _printf_(3, 0) set_text(char *out, size_t size, const char *format, va_list ap)
{
	char plain[2 * PROBLEM_TEXT_MAX];
	int n = vsnprintf(plain, sizeof(plain), format, ap);

	if (n < 0)
		plain[0] = '\0';
	text_hide_keys(plain);
	(void)text_escape(plain, strlen(plain), out, size);
}

int problem_set(struct problem *problem, int error, const char *format, ...)
{
	va_list ap;

	if (problem) {
		va_start(ap, format);
		set_text(problem->text, sizeof(problem->text), format, ap);
		va_end(ap);
	}
	return -error;
}

void problem_remedy(struct problem *problem, const char *format, ...)
{
	va_list ap;

	if (!problem)
		return;
	va_start(ap, format);
	set_text(problem->remedy, sizeof(problem->remedy), format, ap);
	va_end(ap);
}

void problem_at(struct problem *problem, const char *file, unsigned line, unsigned column)
{
	if (!problem)
		return;
	if (file)
		(void)text_escape(file, strlen(file), problem->file, sizeof(problem->file));
	problem->line = line;
	problem->column = column;
}

char *problem_render(const struct problem *problem, char *out, size_t size)
{
	char place[PROBLEM_FILE_MAX + 32] = "";

	if (problem->line > 0 && problem->column > 0)
		(void)snprintf(place, sizeof(place), "%s%s%u:%u: ", problem->file, problem->file[0] ? ":" : "line ",
			       problem->line, problem->column);
	else if (problem->line > 0)
		(void)snprintf(place, sizeof(place), "%s%s%u: ", problem->file, problem->file[0] ? ":" : "line ",
			       problem->line);
	else if (problem->file[0])
		(void)snprintf(place, sizeof(place), "%s: ", problem->file);
	if (problem->remedy[0])
		(void)snprintf(out, size, "%s%s (%s)", place, problem->text, problem->remedy);
	else
		(void)snprintf(out, size, "%s%s", place, problem->text);
	return out;
}
