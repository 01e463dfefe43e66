/* SPDX-License-Identifier: MIT
 *
 * Records for people: tables, and one member a line.
 */
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/text.h"
#include "control_plane/cli/records.h"

#define COLUMNS_MAX 12U
#define CELL_MAX 256U
#define GAP 2

static bool is_time(const char *name)
{
	size_t length = strlen(name);

	return strcmp(name, "at") == 0 || strcmp(name, "created") == 0 || strcmp(name, "last_seen") == 0 ||
	       strcmp(name, "not_before") == 0 || strcmp(name, "not_after") == 0 ||
	       strcmp(name, "sessions_valid_from") == 0 || (length > 3 && strcmp(name + length - 3, "_at") == 0);
}

/* What stands there, in one line and without anything that a terminal would obey. */
static void render(const char *name, const json_t *value, char *out, size_t size)
{
	char *text = NULL;

	out[0] = '\0';
	if (json_is_string(value)) {
		text_escape(json_string_value(value), json_string_length(value), out, size);
	} else if (json_is_number(value) && is_time(name)) {
		char time[TIME_TEXT_SIZE];

		snprintf(out, size, "%s", format_time((int64_t)json_number_value(value), time));
	} else if (value && !json_is_null(value)) {
		text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
		text_escape(text ? text : "", text ? strlen(text) : 0, out, size);
		free(text);
	}
}

void record_print_one(json_t *record)
{
	char cell[16 * CELL_MAX];
	const char *name;
	json_t *value;
	int width = 0;

	json_object_foreach(record, name, value) width = MAX_OF(width, (int)strlen(name));
	json_object_foreach(record, name, value)
	{
		render(name, value, cell, sizeof(cell));
		printf("%*s: %s\n", width, name, cell);
	}
}

static void print_row(const json_t *item, const char *const *columns, const int *widths)
{
	char cell[CELL_MAX];

	for (unsigned c = 0; c < COLUMNS_MAX && columns[c]; c++) {
		if (item)
			render(columns[c], json_object_get(item, columns[c]), cell, sizeof(cell));
		else
			snprintf(cell, sizeof(cell), "%s", columns[c]);
		printf(columns[c + 1] ? "%-*s" : "%.*s", columns[c + 1] ? widths[c] + GAP : (int)sizeof(cell), cell);
	}
	putchar('\n');
}

void record_print_list(const json_t *items, const char *const *columns)
{
	int widths[COLUMNS_MAX] = {0};
	char cell[CELL_MAX];
	const json_t *item;
	size_t i;

	for (unsigned c = 0; c < COLUMNS_MAX && columns[c]; c++) {
		widths[c] = (int)strlen(columns[c]);
		json_array_foreach(items, i, item)
		{
			render(columns[c], json_object_get(item, columns[c]), cell, sizeof(cell));
			widths[c] = MAX_OF(widths[c], (int)strlen(cell));
		}
	}
	print_row(NULL, columns, widths);
	json_array_foreach(items, i, item) print_row(item, columns, widths);
}

/* ---- help
 * ------------------------------------------------------------------------------------------------------------ */

static void print_arguments(const struct record_action *action)
{
	const char *at = action->arguments;

	while (*at) {
		size_t length = strcspn(at, " ");

		/* "ROLE=role" is ROLE to people; what is set by itself is not theirs to give. */
		if (*at != '+' && *at != '-')
			printf(" %.*s", (int)MIN_OF(strcspn(at, "="), length), at);
		at += length;
		at += strspn(at, " ");
	}
}

void record_print_help(const struct record_noun *noun)
{
	printf("tenant-control %s ACTION [ARGUMENTS] [--json] [--config FILE]\n\n%s\n", noun->name, noun->about);
	for (size_t i = 0; i < noun->action_count; i++) {
		const struct record_action *action = &noun->actions[i];

		printf("\n  %s %s", noun->name, action->name);
		print_arguments(action);
		printf("\n      %s\n", action->help);
		for (size_t o = 0; o < action->option_count; o++)
			printf("      %-16s %s\n", action->options[o].name, action->options[o].help);
	}
	puts("\nExit status: 0 done; 1 refused or failed; 2 wrong usage; 3 there is no such record.");
}
