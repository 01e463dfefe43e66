/* SPDX-License-Identifier: MIT */
#include "ctl/findings.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void findings_finish(struct findings *findings)
{
	free(findings->entries);
	*findings = (struct findings){0};
}

void findings_add(struct findings *findings, enum finding finding, const char *check, const char *remedy,
		  const char *format, ...)
{
	struct finding_entry *entry;
	char text[sizeof(entry->text)];
	va_list args;

	findings->worst = MAX_OF(findings->worst, finding);
	if (findings->count == findings->capacity) {
		size_t capacity = findings->capacity ? findings->capacity * 2 : 32;
		struct finding_entry *entries = reallocarray(findings->entries, capacity, sizeof(*entries));

		if (!entries) {
			findings->failed = true;
			return;
		}
		findings->entries = entries;
		findings->capacity = capacity;
	}
	entry = &findings->entries[findings->count++];
	entry->finding = finding;
	entry->check = check;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	text_escape(text, strlen(text), entry->text, sizeof(entry->text));
	text_escape(remedy ? remedy : "", remedy ? strlen(remedy) : 0, entry->remedy, sizeof(entry->remedy));
}

const char *finding_word(enum finding finding)
{
	static const char *const words[] = {
		[FINDING_OK] = "ok", [FINDING_WARNING] = "warning", [FINDING_PROBLEM] = "problem"};

	return words[finding];
}
