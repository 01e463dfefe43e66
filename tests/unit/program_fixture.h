/* SPDX-License-Identifier: MIT
 *
 * A built program, run as somebody at a shell would.
 */
#pragma once

#include <stddef.h>

/* Runs argv[0] in the folder (NULL: here) with that file as standard input (NULL: /dev/null). What it says, errors as
 * well, is in `out`, as much as fits. Its exit code; -1: a signal ended it. */
int program_run(char *const argv[], const char *folder, const char *input, char *out, size_t size);
/* The same with words that are parted by spaces, at most 22 of them. */
int program_run_words(char *program, const char *words, const char *folder, char *out, size_t size);
