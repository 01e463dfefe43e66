/* SPDX-License-Identifier: MIT */
#include "settings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/parse.h"
#include "base/text.h"

#define FILE_MAX (256U * 1024U)
#define DROP_INS_MAX 64U
#define MEMBERS_MAX 32U

int settings_fault(struct settings *settings, const struct yaml_node *node, const char *what, const char *remedy)
{
	problem_at(settings->problem, settings->file, node->line, node->column);
	problem_remedy(settings->problem, "%s", remedy);
	return problem_set(settings->problem, EINVAL, "%s", what);
}

int settings_mapping(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	const char *names[MEMBERS_MAX];
	size_t i;

	if (value->kind != YAML_TREE_MAPPING)
		return settings_fault(settings, value, "a mapping of keys is expected here",
				      "write `key: value` lines");
	for (const struct yaml_node *key = value->first; key; key = key->next) {
		const struct setting *found = NULL;
		const char *near;
		int result;

		for (i = 0; i < setting->count; i++) {
			names[i] = setting->members[i].name;
			if (text_equal(key->text, names[i]))
				found = &setting->members[i];
		}
		if (!found) {
			problem_at(settings->problem, settings->file, key->line, key->column);
			near = text_suggest(key->text, names, setting->count);
			if (near)
				problem_remedy(settings->problem, "did you mean '%s'?", near);
			else
				problem_remedy(settings->problem, "the keys are listed in %s", settings->manual);
			return problem_set(settings->problem, EINVAL, "unknown key '%s'", key->text);
		}
		result = found->set(settings, found, key->value);
		if (result < 0)
			return result;
	}
	return 0;
}

void *settings_target(const struct settings *settings, const struct setting *setting)
{
	return (char *)settings->config + setting->offset;
}

int settings_keep(struct settings *settings, const char *text, const char **ret)
{
	const char *copy = arena_strndup(settings->arena, text, strlen(text));

	if (!copy)
		return -ENOMEM;
	*ret = copy;
	return 0;
}

int settings_path(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	if (value->kind != YAML_TREE_SCALAR || !text_is_safe_path(value->text))
		return settings_fault(settings, value, "an absolute path is expected here",
				      "begin it with '/', without '..' or '//'");
	return settings_keep(settings, value->text, settings_target(settings, setting));
}

int settings_number(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	uint32_t number;
	char remedy[96];

	if (value->kind != YAML_TREE_SCALAR || !value->plain || parse_u32(value->text, &number) < 0)
		return settings_fault(settings, value, "a number is expected here", "write digits only");
	snprintf(remedy, sizeof(remedy), "at least %llu, at most %llu", (unsigned long long)setting->least,
		 (unsigned long long)setting->most);
	if (number < setting->least || number > setting->most)
		return settings_fault(settings, value, "the number is out of range", remedy);
	*(uint32_t *)settings_target(settings, setting) = number;
	return 0;
}

int settings_span(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	char least[48], most[48], remedy[128];
	uint64_t seconds;

	if (value->kind != YAML_TREE_SCALAR || !value->plain || parse_duration(value->text, &seconds) < 0)
		return settings_fault(settings, value, "a span of time is expected here", "write 90s, 5min or 1h");
	snprintf(remedy, sizeof(remedy), "at least %s, at most %s", format_span(setting->least, least, sizeof(least)),
		 format_span(setting->most, most, sizeof(most)));
	if (seconds < setting->least || seconds > setting->most)
		return settings_fault(settings, value, "the span is out of range", remedy);
	*(uint32_t *)settings_target(settings, setting) = (uint32_t)seconds;
	return 0;
}

int settings_port(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	uint32_t number;

	if (value->kind != YAML_TREE_SCALAR || !value->plain || parse_u32(value->text, &number) < 0 || number == 0 ||
	    number > UINT16_MAX)
		return settings_fault(settings, value, "not a port", "1 to 65535");
	*(uint16_t *)settings_target(settings, setting) = (uint16_t)number;
	return 0;
}

static const struct {
	const char *name;
	int level;
} levels[] = {
	{"error", LOG_ERR}, {"warning", LOG_WARNING}, {"notice", LOG_NOTICE}, {"info", LOG_INFO}, {"debug", LOG_DEBUG}};

int settings_log_level(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	for (size_t i = 0; value->kind == YAML_TREE_SCALAR && i < ARRAY_LEN(levels); i++) {
		if (text_equal(value->text, levels[i].name)) {
			*(int *)settings_target(settings, setting) = levels[i].level;
			return 0;
		}
	}
	return settings_fault(settings, value, "not a log level", "error, warning, notice, info or debug");
}

int settings_read_text(struct settings *settings, const struct setting *top, const char *data, size_t length)
{
	struct yaml_node *root;
	int result = yaml_tree_read(settings->arena, settings->file, data, length, &root, settings->problem);

	if (settings->seen)
		settings->seen(settings->config, settings->file, data, length);
	if (result < 0 || !root)
		return result;
	return settings_mapping(settings, top, root);
}

/* Reads one file and merges it. `optional`: its absence is fine. */
static int merge_file(struct settings *settings, const struct setting *top, const char *path, bool optional)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	struct stat st;
	int result;

	settings->file = path;
	result = file_read(AT_FDCWD, path, FILE_MAX, FILE_TRUST_OWNER, geteuid(), &text, &st);
	if (result == -ENOENT && optional)
		return 0;
	if (result == -EPERM) {
		problem_at(settings->problem, path, 0, 0);
		problem_remedy(settings->problem, "it must belong to root and be writable by root alone");
		return problem_set(settings->problem, EPERM, "the file cannot be trusted");
	}
	if (result < 0) {
		problem_at(settings->problem, path, 0, 0);
		return problem_set(settings->problem, -result, "%s", strerror(-result));
	}
	return settings_read_text(settings, top, text.data ? text.data : "", text.length);
}

static int is_drop_in(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > 5 && memcmp(entry->d_name + length - 5, ".yaml", 5) == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int merge_drop_ins(struct settings *settings, const struct setting *top, const char *path)
{
	char folder[512], file[1024];
	struct dirent **names = NULL;
	int count, result = 0;

	snprintf(folder, sizeof(folder), "%s.d", path);
	count = scandir(folder, &names, is_drop_in, by_name);
	if (count < 0 && errno == ENOENT)
		return 0;
	if (count < 0 || (unsigned)count > DROP_INS_MAX) {
		problem_at(settings->problem, folder, 0, 0);
		result = count < 0 ? problem_set(settings->problem, errno, "%s", strerror(errno))
				   : problem_set(settings->problem, EINVAL, "more than %u files", DROP_INS_MAX);
	}
	for (int i = 0; i < count; i++) {
		if (result == 0 &&
		    (size_t)snprintf(file, sizeof(file), "%s/%s", folder, names[i]->d_name) < sizeof(file))
			result = merge_file(settings, top, file, false);
		free(names[i]);
	}
	free(names);
	return result;
}

int settings_read(struct settings *settings, const struct setting *top, const char *path, bool must_exist)
{
	int result = merge_file(settings, top, path, !must_exist);

	if (result >= 0)
		result = merge_drop_ins(settings, top, path);
	settings->file = path;
	return result;
}
