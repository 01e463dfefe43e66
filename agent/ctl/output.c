/* SPDX-License-Identifier: MIT
 *
 * What tenantctl prints: tables and sentences for people, one JSON value for machines.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ctl/ctl.h"
#include "json/json_write.h"

#define CELL_MAX 512

int ctl_print_json(struct buffer *json)
{
	const char *text = buffer_text(json);

	if (!text || fputs(text, stdout) == EOF || fputc('\n', stdout) == EOF || fflush(stdout) != 0)
		return CTL_BROKEN;
	return CTL_OK;
}

static int fail_json(int exit_code, const struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer buffer = BUFFER_INIT;
	struct json_writer w = json_writer(&buffer);

	json_begin(&w, NULL, '{');
	json_begin(&w, "error", '{');
	json_put_string(&w, "text", problem->text);
	json_put_string_if(&w, "remedy", problem->remedy);
	json_put_string_if(&w, "file", problem->file);
	if (problem->line)
		json_put_u64(&w, "line", problem->line);
	if (problem->column)
		json_put_u64(&w, "column", problem->column);
	json_put_i64(&w, "exit", exit_code);
	json_end(&w, '}');
	json_end(&w, '}');
	ctl_print_json(&buffer);
	return exit_code;
}

int ctl_fail_problem(const struct ctl *ctl, int exit_code, const struct problem *problem)
{
	char line[PROBLEM_FILE_MAX + 2 * PROBLEM_TEXT_MAX + 64];

	if (ctl->json)
		return fail_json(exit_code, problem);
	fprintf(stderr, "tenantctl: %s\n", problem_render(problem, line, sizeof(line)));
	return exit_code;
}

int ctl_fail(const struct ctl *ctl, int exit_code, const char *format, ...)
{
	struct problem problem = {0};
	char text[PROBLEM_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	problem_set(&problem, EINVAL, "%s", text);
	return ctl_fail_problem(ctl, exit_code, &problem);
}

void ctl_say(const struct ctl *ctl, const char *format, ...)
{
	va_list args;

	if (ctl->json)
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

void ctl_warn(const struct ctl *ctl, const char *format, ...)
{
	va_list args;

	if (ctl->json)
		return;
	fflush(stdout);
	fputs("tenantctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

void ctl_table_begin(struct ctl_table *table, unsigned columns, const char *const *titles)
{
	*table = (struct ctl_table){.columns = columns};
	for (unsigned i = 0; i < columns; i++)
		ctl_table_cell(table, titles[i]);
}

void ctl_table_cell(struct ctl_table *table, const char *text)
{
	char escaped[CELL_MAX];
	char *copy;

	if (table->count == table->capacity) {
		size_t capacity = table->capacity ? table->capacity * 2 : 64;
		char **cells = reallocarray(table->cells, capacity, sizeof(*cells));

		if (!cells) {
			table->failed = true;
			return;
		}
		table->cells = cells;
		table->capacity = capacity;
	}
	if (!text || !*text)
		text = "-";
	copy = strdup(text_escape(text, strlen(text), escaped, sizeof(escaped)));
	if (!copy) {
		table->failed = true;
		return;
	}
	table->cells[table->count++] = copy;
}

void ctl_table_cellf(struct ctl_table *table, const char *format, ...)
{
	char text[CELL_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	ctl_table_cell(table, text);
}

/* Characters, not bytes, so names with accents line up. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

void ctl_table_print(const struct ctl_table *table, FILE *out)
{
	size_t *widths = calloc(table->columns, sizeof(*widths));

	for (size_t i = 0; widths && i < table->count; i++)
		widths[i % table->columns] = MAX_OF(widths[i % table->columns], width_of(table->cells[i]));
	for (size_t i = 0; i < table->count; i++) {
		size_t column = i % table->columns;
		bool last = column + 1 == table->columns || i + 1 == table->count;

		fputs(table->cells[i], out);
		if (last)
			fputc('\n', out);
		else
			fprintf(out, "%*s", (int)((widths ? widths[column] : 0) - width_of(table->cells[i]) + 2), "");
	}
	free(widths);
}

void ctl_table_finish(struct ctl_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i]);
	free(table->cells);
	*table = (struct ctl_table){0};
}
