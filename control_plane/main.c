/* SPDX-License-Identifier: MIT
 *
 * tenant-control: the fleet's source of truth. One program: the server and the command line.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/secret.h"
#include "base/text.h"
#include "control_plane/cli/cli.h"

extern const struct verb_table serve_verbs, setup_verbs, feed_verbs, record_verbs, audit_verbs;

static const struct verb_table *const tables[] = {
	&serve_verbs, &setup_verbs, &record_verbs, &feed_verbs, &audit_verbs,
};

#define VERBS_MAX 64U

static void usage(FILE *out)
{
	fputs("tenant-control [--config FILE] VERB [ARGUMENTS]\n\n", out);
	for (size_t t = 0; t < ARRAY_LEN(tables); t++)
		for (size_t i = 0; i < tables[t]->count; i++)
			fprintf(out, "  %-12s %s\n", tables[t]->verbs[i].name, tables[t]->verbs[i].summary);
	fputs("\ntenant-control VERB --help says more; so does tenant-control(8).\n", out);
}

static const struct verb *find_verb(const char *name)
{
	for (size_t t = 0; t < ARRAY_LEN(tables); t++)
		for (size_t i = 0; i < tables[t]->count; i++)
			if (strcmp(tables[t]->verbs[i].name, name) == 0)
				return &tables[t]->verbs[i];
	return NULL;
}

static int unknown_verb(const char *name)
{
	const char *names[VERBS_MAX], *near;
	size_t count = 0;

	for (size_t t = 0; t < ARRAY_LEN(tables); t++)
		for (size_t i = 0; i < tables[t]->count && count < VERBS_MAX; i++)
			names[count++] = tables[t]->verbs[i].name;
	near = text_suggest(name, names, count);
	fprintf(stderr, "tenant-control: there is no verb '%s'%s%s%s\n", name, near ? "; did you mean '" : "",
		near ? near : "", near ? "'?" : "; see tenant-control --help");
	return CLI_USAGE;
}

int main(int argc, char **argv)
{
	const struct verb *verb;
	char *name;
	int first = 1;

	/* Options in front of the verb go behind it, where every verb looks for them. */
	while (first < argc && argv[first][0] == '-') {
		if (strcmp(argv[first], "--version") == 0) {
			printf("tenant-control %s\n", TENANTD_VERSION);
			return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
		}
		if (strcmp(argv[first], "--help") == 0) {
			usage(stdout);
			return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
		}
		first += strcmp(argv[first], "--config") == 0 ? 2 : 1;
	}
	if (first >= argc) {
		usage(stderr);
		return CLI_USAGE;
	}
	verb = find_verb(argv[first]);
	if (!verb)
		return unknown_verb(argv[first]);
	/* JSON from clients holds credentials, and the parser leaves copies in memory that it frees. */
	json_set_alloc_funcs(malloc, secret_free_block);
	log_init("tenant-control", LOG_NOTICE);
	secret_process_harden();
	/* "--config FILE serve" is "serve --config FILE". */
	name = argv[first];
	memmove(&argv[2], &argv[1], (size_t)(first - 1) * sizeof(*argv));
	argv[1] = name;
	return verb->run(argc - 1, argv + 1);
}
