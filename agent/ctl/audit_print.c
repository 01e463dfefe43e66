/* SPDX-License-Identifier: MIT
 *
 * Events as people and machines read them. The agent wrote only what is safe to show; that is not relied on.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/text.h"
#include "ctl/audit.h"
#include "json/json_read.h"

#define CELL_MAX 512U

char *audit_field(sd_journal *journal, const char *name)
{
	size_t length = 0, skip = strlen(name) + 1;
	const void *data;

	if (sd_journal_get_data(journal, name, &data, &length) < 0 || length < skip)
		return strdup("");
	return strndup((const char *)data + skip, length - skip);
}

/* At least so wide, and two blanks to the next one. */
static void print_cell(const char *text, int width)
{
	char shown[CELL_MAX];

	text_escape(text, strlen(text), shown, sizeof(shown));
	if (!text_is_printable(shown, strlen(shown)))
		(void)snprintf(shown, sizeof(shown), "?");
	printf("%-*s  ", width, *shown ? shown : "-");
}

static void print_field(sd_journal *journal, const char *name, int width)
{
	_cleanup_(freep) char *value = audit_field(journal, name);

	print_cell(value ? value : "", width);
}

static void print_pair(sd_journal *journal, const char *first, const char *second, const char *between, int width)
{
	_cleanup_(freep) char *one = audit_field(journal, first), *two = audit_field(journal, second);
	char text[CELL_MAX];

	if (!one || !two)
		return;
	(void)snprintf(text, sizeof(text), "%s%s%s", one, *two ? between : "", two);
	print_cell(text, width);
}

void audit_print_titles(void)
{
	printf("%-20s  %-19s  %-16s  %-20s  %-10s  %-15s  %-18s  %s\n", "TIME", "EVENT", "USER", "PROJECT", "SERVICE",
	       "FROM", "REASON", "DETAIL");
}

bool audit_print_line(sd_journal *journal)
{
	char when[TIME_TEXT_SIZE];
	uint64_t usec = 0;

	(void)sd_journal_get_realtime_usec(journal, &usec);
	print_cell(format_time((int64_t)(usec / USEC_PER_SEC), when), 20);
	print_field(journal, "TENANTD_EVENT", 19);
	print_pair(journal, "TENANT_USER", "TENANT_TARGET_USER", " > ", 16);
	print_pair(journal, "TENANT", "TENANT_PROJECT", "/", 20);
	print_field(journal, "TENANT_SERVICE", 10);
	print_field(journal, "TENANT_SOURCE", 15);
	print_field(journal, "TENANT_REASON", 18);
	print_pair(journal, "TENANT_CAUSE", "TENANT_DETAIL", ": ", 0);
	putchar('\n');
	return fflush(stdout) == 0;
}

/* What has no OCSF object: the root helper's refusals, which no JSON library writes. */
static json_t *object_of_fields(sd_journal *journal)
{
	json_t *object = json_object();
	const void *data;
	size_t length;

	SD_JOURNAL_FOREACH_DATA(journal, data, length)
	{
		const char *text = data, *value = memchr(text, '=', length);
		char name[64];

		if (!value || (size_t)(value - text) >= sizeof(name) || !text_is_printable(text, length) ||
		    (!text_starts(text, "TENANT") && !text_starts(text, "MESSAGE=")))
			continue;
		(void)snprintf(name, sizeof(name), "%.*s", (int)(value - text), text);
		value++;
		(void)json_object_set_new(object, name, json_stringn(value, length - (size_t)(value - text)));
	}
	return object;
}

bool audit_print_object(sd_journal *journal)
{
	_cleanup_(freep) char *text = audit_field(journal, "OCSF");
	_cleanup_(json_decrefp) json_t *object = NULL;
	struct problem problem = {0};

	if (!text)
		return false;
	if (!*text || json_read(text, strlen(text), &object, &problem) < 0)
		object = object_of_fields(journal);
	return object && json_dumpf(object, stdout, JSON_COMPACT | JSON_ENSURE_ASCII) == 0;
}
