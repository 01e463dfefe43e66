/* SPDX-License-Identifier: MIT
 *
 * What went wrong, for a person: where, what, and how to mend it.
 *
 * Functions that judge input fill one of these beside their negative errno. It is a plain value
 * (no ownership); a function that succeeds leaves it untouched. Text never contains secrets or
 * control characters (problem_set escapes them).
 */
#pragma once

#include "base/macros.h"

#define PROBLEM_FILE_MAX 256
#define PROBLEM_TEXT_MAX 512

struct problem {
	char file[PROBLEM_FILE_MAX];   /* "" where there is none */
	unsigned line;                 /* 1-based; 0: unknown */
	unsigned column;               /* 1-based, in characters; 0: unknown */
	char text[PROBLEM_TEXT_MAX];   /* one sentence, no newline */
	char remedy[PROBLEM_TEXT_MAX]; /* what to do about it; may be "" */
};

/* Sets text (printf format); keeps file/line/column/remedy. Returns -error for `return`. `error` > 0. */
int problem_set(struct problem *problem, int error, const char *format, ...) _printf_(3, 4);
/* Sets the remedy. */
void problem_remedy(struct problem *problem, const char *format, ...) _printf_(2, 3);
/* Sets the place. `file` may be NULL (unchanged). */
void problem_at(struct problem *problem, const char *file, unsigned line, unsigned column);
/* Renders "file:line:column: text (remedy)" into `out` (always terminated); returns `out`. */
char *problem_render(const struct problem *problem, char *out, size_t size);
