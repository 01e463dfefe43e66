/* SPDX-License-Identifier: MIT */
#include "control_plane/cli/setup.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const struct verb verbs[] = {
	{"init", "[--url URL] [OPTIONS]", "set up everything: roles, database, keys, first operator", verb_init},
	{"migrate", "[--check]", "bring the database's schema up to date", verb_migrate},
	{"doctor", "[--json]", "look for what is wrong or weak", verb_doctor},
};
const struct verb_table setup_verbs = {.verbs = verbs, .count = ARRAY_LEN(verbs)};

void setup_say(const char *line)
{
	printf("%s\n", line);
	(void)fflush(stdout); /* children say things, too */
}

int setup_option(const char *verb, char **argv, int *i, const char *name, const char **ret)
{
	const char *word = argv[*i];
	size_t length = strlen(name);

	if (strncmp(word, name, length) != 0 || (word[length] != '\0' && word[length] != '='))
		return 0;
	if (word[length] == '=') {
		*ret = word + length + 1;
		return 1;
	}
	if (!argv[*i + 1]) {
		fprintf(stderr, "tenant-control %s: %s needs a value\n", verb, name);
		return CLI_USAGE;
	}
	*ret = argv[++*i];
	return 1;
}
