/* SPDX-License-Identifier: MIT
 *
 * tenantctl's command line: verbs, options, help and suggestions for what was misspelt.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ctl/ctl.h"

#define NAMES_MAX 64 /* options or verbs of one table that can be suggested */

enum shared_target { SHARED_JSON, SHARED_HELP, SHARED_FILE, SHARED_SOCKET };
static const struct {
	const char *name, *metavar, *help;
	enum shared_target target;
	unsigned needs; /* CTL_USES_… */
} shared_options[] = {
	{"file", "PATH", "the directory file (default " CTL_DEFAULT_DIRECTORY ")", SHARED_FILE, CTL_USES_FILE},
	{"socket", "PATH", "the agent's socket (default " CTL_DEFAULT_SOCKET ")", SHARED_SOCKET, CTL_USES_SOCKET},
	{"json", NULL, "one JSON value on stdout, for machines", SHARED_JSON, 0},
	{"help", NULL, "this help", SHARED_HELP, 0},
};

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

static int show_verbs(const char *prefix, const char *intro, const struct ctl_verb *verbs, size_t count)
{
	printf("usage: %s VERB [ARGUMENTS] [--json] [--help]\n\n%s\nVerbs:\n", prefix, intro);
	for (size_t i = 0; i < count; i++)
		printf("  %-16s %s\n", verbs[i].name, verbs[i].summary);
	printf("\n`%s VERB --help` says more about each.\n", prefix);
	return fflush(stdout) == 0 ? CTL_OK : CTL_BROKEN;
}

int ctl_dispatch(struct ctl *ctl, const char *prefix, const char *intro, const struct ctl_verb *verbs, size_t count,
		 int argc, char **argv)
{
	const char *names[NAMES_MAX], *near;
	size_t n = 0;

	while (argc > 0 && strcmp(argv[0], "--json") == 0) {
		ctl->json = true;
		argc--;
		argv++;
	}
	if (argc < 1)
		return ctl_fail(ctl, CTL_USAGE, "which verb? `%s --help` lists them", prefix);
	if (is_help(argv[0]))
		return show_verbs(prefix, intro, verbs, count);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(verbs[i].name, argv[0]) == 0)
			return verbs[i].run(ctl, argc, argv);
		if (n < NAMES_MAX)
			names[n++] = verbs[i].name;
	}
	near = text_suggest(argv[0], names, n);
	if (near)
		return ctl_fail(ctl, CTL_USAGE, "%s knows no verb \"%s\"; did you mean \"%s\"?", prefix, argv[0], near);
	return ctl_fail(ctl, CTL_USAGE, "%s knows no verb \"%s\"; `%s --help` lists them", prefix, argv[0], prefix);
}

static void show_option(const char *name, const char *metavar, const char *help)
{
	char left[64];

	snprintf(left, sizeof(left), "--%s%s%s", name, metavar ? " " : "", metavar ? metavar : "");
	printf("  %-26s %s\n", left, help);
}

static int show_help(const struct ctl_command *command)
{
	printf("usage: tenantctl %s%s%s\n\n%s", command->name, *command->usage ? " " : "", command->usage,
	       command->text);
	printf("\nOptions:\n");
	for (size_t i = 0; i < command->option_count; i++)
		show_option(command->options[i].name, command->options[i].metavar, command->options[i].help);
	for (size_t i = 0; i < ARRAY_LEN(shared_options); i++)
		if (!shared_options[i].needs || (command->uses & shared_options[i].needs))
			show_option(shared_options[i].name, shared_options[i].metavar, shared_options[i].help);
	return fflush(stdout) == 0 ? CTL_OK : CTL_BROKEN;
}

void ctl_list_finish(struct ctl_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free((char *)(uintptr_t)list->items[i]);
	free(list->items);
	*list = (struct ctl_list){0};
}

static int list_add(struct ctl_list *list, const char *text, size_t length)
{
	const char **items = reallocarray(list->items, list->count + 1, sizeof(*items));
	char *copy;

	if (!items)
		return -ENOMEM;
	list->items = items;
	copy = strndup(text, length);
	if (!copy)
		return -ENOMEM;
	items[list->count++] = copy;
	return 0;
}

static int list_add_all(struct ctl_list *list, const char *value)
{
	for (;;) {
		size_t length = strcspn(value, ",");
		int r = length > 0 ? list_add(list, value, length) : 0;

		if (r < 0 || !value[length])
			return r;
		value += length + 1;
	}
}

struct found_option {
	const struct ctl_option *own;
	int shared; /* index into shared_options, -1: none */
	bool takes_value;
};

/* 0: found; -1: there is no such option. */
static int find_option(const struct ctl_command *command, const char *name, size_t length, struct found_option *ret)
{
	for (size_t i = 0; i < command->option_count; i++)
		if (strlen(command->options[i].name) == length && memcmp(command->options[i].name, name, length) == 0) {
			*ret = (struct found_option){&command->options[i], -1, command->options[i].metavar};
			return 0;
		}
	for (size_t i = 0; i < ARRAY_LEN(shared_options); i++) {
		if (shared_options[i].needs && !(command->uses & shared_options[i].needs))
			continue;
		if (strlen(shared_options[i].name) == length && memcmp(shared_options[i].name, name, length) == 0) {
			*ret = (struct found_option){NULL, (int)i, shared_options[i].metavar};
			return 0;
		}
	}
	return -1;
}

static int unknown_option(const struct ctl *ctl, const struct ctl_command *command, const char *word)
{
	const char *names[NAMES_MAX], *near;
	char name[64];
	size_t n = 0;

	for (size_t i = 0; i < command->option_count && n < NAMES_MAX; i++)
		names[n++] = command->options[i].name;
	for (size_t i = 0; i < ARRAY_LEN(shared_options) && n < NAMES_MAX; i++)
		if (!shared_options[i].needs || (command->uses & shared_options[i].needs))
			names[n++] = shared_options[i].name;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
	near = text_suggest(name, names, n);
	if (near)
		return ctl_fail(ctl, CTL_USAGE, "unknown option --%s; did you mean --%s?", name, near);
	return ctl_fail(ctl, CTL_USAGE, "unknown option --%s; see `tenantctl %s --help`", name, command->name);
}

static void set_shared(struct ctl *ctl, int which, const char *value)
{
	switch (shared_options[which].target) {
	case SHARED_JSON:
		ctl->json = true;
		break;
	case SHARED_FILE:
		ctl->file = value;
		break;
	case SHARED_SOCKET:
		ctl->socket = value;
		break;
	case SHARED_HELP:
		break;
	}
}

int ctl_parse(struct ctl *ctl, const struct ctl_command *command, int argc, char **argv, int *ret_count)
{
	int count = 0;
	bool ended = false;

	/* Help and --json first, so that every complaint below already comes in the right form. */
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return show_help(command);
		if (strcmp(argv[i], "--json") == 0)
			ctl->json = true;
	}
	for (int i = 1; i < argc; i++) {
		char *word = argv[i];
		struct found_option found;
		const char *value = NULL;
		size_t length;

		if (ended || word[0] != '-' || word[1] == '\0') {
			argv[count++] = word;
			continue;
		}
		if (strcmp(word, "--") == 0) {
			ended = true;
			continue;
		}
		if (word[1] != '-')
			return ctl_fail(ctl, CTL_USAGE, "unknown option %s: options start with two dashes", word);
		length = strcspn(word + 2, "=");
		if (find_option(command, word + 2, length, &found) < 0)
			return unknown_option(ctl, command, word);
		if (word[2 + length] == '=')
			value = word + 2 + length + 1;
		if (!found.takes_value && value)
			return ctl_fail(ctl, CTL_USAGE, "--%.*s takes no value", (int)length, word + 2);
		if (found.takes_value && !value) {
			if (i + 1 >= argc)
				return ctl_fail(ctl, CTL_USAGE, "%s needs a value", word);
			value = argv[++i];
		}
		if (!found.own)
			set_shared(ctl, found.shared, value);
		else if (found.own->flag)
			*found.own->flag = true;
		else if (found.own->value)
			*found.own->value = value;
		else if (list_add_all(found.own->list, value) < 0)
			return ctl_fail(ctl, CTL_BROKEN, "out of memory");
	}
	if (count < command->min)
		return ctl_fail(ctl, CTL_USAGE, "too few arguments; usage: tenantctl %s %s", command->name,
				command->usage);
	if (command->max >= 0 && count > command->max)
		return ctl_fail(ctl, CTL_USAGE, "too many arguments (\"%s\"); usage: tenantctl %s %s",
				argv[command->max], command->name, command->usage);
	*ret_count = count;
	return -1;
}
