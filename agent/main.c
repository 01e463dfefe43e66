/* SPDX-License-Identifier: MIT
 *
 * tenantd: options, and what belongs to the process rather than to the agent.
 */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "base/log.h"
#include "base/secret.h"
#include "config.h"

#define EXIT_USAGE 2
#define LARGE_BLOCK (128 * 1024) /* from here on memory comes from mmap and goes back at once */

static const char usage[] =
	"Usage: tenantd [--config FILE] [--check-config]\n"
	"\n"
	"The agent of this host: it reads the directory of tenants, people, projects and keys, publishes people\n"
	"and groups for NSS, and answers PAM and local services on /run/tenantd/agent.sock.\n"
	"Normally systemd starts it: systemctl status tenantd; tenantctl status.\n"
	"\n"
	"  --config FILE    use FILE and FILE.d/*.yaml instead of " CONFIG_PATH "\n"
	"  --check-config   read the configuration, say what is wrong with it, and end (0: it is fine)\n"
	"  --version        print the version\n"
	"  --help           print this\n"
	"\n"
	"SIGHUP reads configuration and directory again (tenantctl reload also tells how it went);\n"
	"SIGTERM stops. People keep their names and groups, and sessions go on, while the agent is away.\n"
	"\n"
	"The directory file is checked with `tenantctl directory check`. Manual pages: tenantd(8),\n"
	"agent.yaml(5), directory.yaml(5), tenantctl(1).\n";

static int check_config(const char *path)
{
	_cleanup_(config_freep) struct config *config = NULL;
	struct problem problem = {0};
	char text[2048];
	int result = config_load(path ? path : CONFIG_PATH, path != NULL, &config, &problem);

	if (result < 0) {
		if (!problem.text[0])
			problem_set(&problem, -result, "%s", strerror(-result));
		fprintf(stderr, "%s\n", problem_render(&problem, text, sizeof(text)));
		return EXIT_FAILURE;
	}
	for (uint32_t i = 0; i < config->service_count; i++)
		if (config->services[i].uid == CONFIG_UID_NONE)
			fprintf(stderr, "warning: service '%s': there is no account '%s' in %s\n",
				config->services[i].name, config->services[i].user, config->passwd_path);
	return EXIT_SUCCESS;
}

static int run(const char *config_path)
{
	_cleanup_(agent_destroyp) struct agent *agent = NULL;
	struct problem problem = {0};
	int result;

	/* JSON from clients holds credentials, and the parser leaves copies in memory that it frees. */
	json_set_alloc_funcs(malloc, secret_free_block);
	mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
	mallopt(M_ARENA_MAX, 2); /* the loop's and the loader's */
	result = agent_create(config_path, &agent, &problem);
	if (result < 0) {
		if (!problem.text[0])
			problem_set(&problem, -result, "%s", strerror(-result));
		log_problem(LOG_ERR, "cannot start", &problem);
		return EXIT_FAILURE;
	}
	result = agent_run(agent);
	if (result < 0) {
		log_error("the event loop ended: %s", strerror(-result));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"check-config", no_argument, NULL, 'k'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const char *config_path = NULL;
	bool check = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			config_path = optarg;
			break;
		case 'k':
			check = true;
			break;
		case 'V':
			printf("tenantd %s\n", TENANTD_VERSION);
			return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
		case 'h':
			fputs(usage, stdout);
			return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
		default:
			fputs("See tenantd --help.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "tenantd takes no arguments: '%s'. See tenantd --help.\n", argv[optind]);
		return EXIT_USAGE;
	}
	if (check)
		return check_config(config_path);
	log_init("tenantd", LOG_INFO);
	secret_process_harden();
	return run(config_path);
}
