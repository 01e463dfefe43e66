/* SPDX-License-Identifier: MIT
 *
 * What doctor found: one finding for each thing that it looked at, in order.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"

enum finding { FINDING_OK, FINDING_WARNING, FINDING_PROBLEM };
struct finding_entry {
	enum finding finding;
	const char *check; /* static: "sshd" */
	char text[512], remedy[512];
};
struct findings {
	struct finding_entry *entries;
	size_t count, capacity;
	enum finding worst;
	bool failed; /* out of memory */
};
void findings_finish(struct findings *findings);
/* `remedy` NULL: nothing is to be done. Control characters of both are escaped. */
void findings_add(struct findings *findings, enum finding finding, const char *check, const char *remedy,
		  const char *format, ...) _printf_(5, 6);
const char *finding_word(enum finding finding); /* "ok" */
