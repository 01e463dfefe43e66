/* SPDX-License-Identifier: MIT
 *
 * Passwords never come from the command line, which everybody on the machine can read: from a file, or from a terminal
 * without being shown.
 */
#pragma once

#include "base/problem.h"
#include "base/secret.h"

#define PASSWORD_MAX 1024

/* `file`: NULL asks the terminal, twice; "-": standard input. One line; for secret_free. -errno with the problem. */
int password_read(const char *file, const char *whose, char **ret, struct problem *problem);
