/* SPDX-License-Identifier: MIT
 *
 * Diagnostics of programs (never of libraries): one line on stderr, with the syslog level prefix
 * that the journal reads when stderr is the journal (JOURNAL_STREAM), else "program: text".
 * A function either logs or returns an error, never both. No secrets.
 */
#pragma once

#include <syslog.h>

#include "base/macros.h"
#include "base/problem.h"

void log_init(const char *program, int max_level); /* LOG_ERR … LOG_DEBUG */
void log_set_level(int max_level);
void log_line(int level, const char *format, ...) _printf_(2, 3);
void log_problem(int level, const char *what, const struct problem *problem);

#define log_error(...) log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_line(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
