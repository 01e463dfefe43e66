/* SPDX-License-Identifier: MIT
 *
 * tenant-control serve, and `routes`, which lists what it answers.
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "control_plane/api/routes.h"
#include "control_plane/cli/cli.h"
#include "control_plane/feed/publisher.h"
#include "control_plane/http/server.h"
#include "json/json_write.h"

#define DRAIN_USEC (8 * USEC_PER_SEC) /* then streams are cut; systemd's limit and the are above it */
#define DRAIN_LEAST_USEC (200 * USEC_PER_MSEC)
#define TICK_MSEC 1000
#define DRAIN_TICK_MSEC 50
#define STUCK_USEC (120 * USEC_PER_SEC)
#define ARENAS 4

static int wait_for_signal(const sigset_t *set, long msec)
{
	struct timespec span = {.tv_sec = msec / 1000, .tv_nsec = msec % 1000 * 1000000L};

	return sigtimedwait(set, NULL, &span);
}

static void reload(struct server *server)
{
	struct problem problem = {0};

	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)clock_boottime_usec());
	if (server_reload(server, &problem) < 0)
		log_problem(LOG_ERR, "the certificate stays as it was", &problem);
	else
		log_notice("the certificate was read again");
	sd_notify(0, "READY=1");
}

/* Streams are told to go elsewhere; requests end; then the door is shut. */
static void drain(struct cli *cli, struct server *server, const sigset_t *set)
{
	uint64_t begun = clock_boottime_usec();

	log_notice("draining");
	sd_notify(0, "STOPPING=1");
	cli->app.draining = true;
	publisher_drain(cli->app.publisher);
	for (;;) {
		uint64_t since = clock_boottime_usec() - begun;

		if (since >= DRAIN_USEC || (since >= DRAIN_LEAST_USEC && server_busy(server) == 0))
			break;
		(void)wait_for_signal(set, DRAIN_TICK_MSEC);
	}
	server_quiesce(server);
}

static void watch(struct cli *cli, struct server *server, const sigset_t *set)
{
	for (;;) {
		int number = wait_for_signal(set, TICK_MSEC);

		if (number == SIGTERM || number == SIGINT)
			break;
		if (number == SIGHUP)
			reload(server);
		/* A worker that hangs is what a watchdog is for: then systemd hears nothing from us. */
		if (server_longest_usec(server) < STUCK_USEC)
			sd_notify(0, "WATCHDOG=1");
	}
	drain(cli, server, set);
}

static void raise_descriptors(const struct config *config)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < config->streams)
		log_warning("%llu open files allowed: fewer than %u streams have room (LimitNOFILE=)",
			    (unsigned long long)limit.rlim_cur, config->streams);
}

static int serve(const struct cli_options *options)
{
	struct server *server = NULL;
	struct problem problem = {0};
	struct cli cli;
	sigset_t set;
	int result;

	/* Before there are threads: they all leave signals to this one. */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	mallopt(M_ARENA_MAX, ARENAS);
	result = cli_open(options, true, &cli);
	if (result)
		return result;
	log_set_level(cli.config->log_level);
	raise_descriptors(cli.config);
	if (server_start(&cli.app, &server, &problem) < 0) {
		log_problem(LOG_ERR, "cannot serve", &problem);
		cli_close(&cli);
		return CLI_FAILED;
	}
	log_notice("serving %s on %s, port %u", cli.config->url, cli.config->listen_address, cli.config->listen_port);
	sd_notify(0, "READY=1");
	watch(&cli, server, &set);
	server_stop(server);
	cli_close(&cli);
	log_notice("stopped");
	return CLI_OK;
}

static int check_config(const struct cli_options *options)
{
	struct problem problem = {0};
	struct config *config;
	struct app app = {0};

	if (config_load(options->config_path ? options->config_path : CONTROL_CONFIG_PATH, true, &config, &problem) <
		    0 ||
	    app_read_keys(config, &app, &problem) < 0)
		return cli_fail("configuration", &problem);
	printf("the configuration is good: %s on %s, port %u%s\n", config->url, config->listen_address,
	       config->listen_port, config->tls_certificate ? "" : " (plain HTTP)");
	secret_wipe(&app.seal_key, sizeof(app.seal_key));
	config_free(config);
	return CLI_OK;
}

static int serve_verb(int argc, char **argv)
{
	static const char *const known[] = {"--check-config", "--config", "--help"};
	struct cli_options options;
	bool check = false;
	int result = cli_options(&argc, argv, &options);

	if (result)
		return result;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--check-config") != 0)
			return cli_unknown("serve", argv[i], known, ARRAY_LEN(known));
		check = true;
	}
	if (options.help) {
		puts("tenant-control serve [--config FILE] [--check-config]\n\n"
		     "Serves the API and the feeds until SIGTERM; SIGHUP reads the certificate again.");
		return CLI_OK;
	}
	return check ? check_config(&options) : serve(&options);
}

static const char *access_word(enum route_access access)
{
	static const char *const words[] = {
		[ROUTE_PUBLIC] = "public",   [ROUTE_SELF] = "self",         [ROUTE_TENANT] = "tenant",
		[ROUTE_PROJECT] = "project", [ROUTE_OPERATOR] = "operator", [ROUTE_SERVICE] = "service",
		[ROUTE_HOST] = "host",       [ROUTE_INTERNAL] = "internal",
	};

	return words[access];
}

static void write_route(struct json_writer *w, const struct route *route)
{
	json_begin(w, NULL, '{');
	json_put_string(w, "method", http_method_name(route->method));
	json_put_string(w, "path", route->pattern);
	json_put_string(w, "access", access_word(route->access));
	json_put_string(w, "action", route->action);
	json_put_bool(w, "writes", route->flags & ROUTE_WRITES);
	json_end(w, '}');
}

static int routes_verb(int argc, char **argv)
{
	_cleanup_(buffer_finish) struct buffer out = BUFFER_INIT;
	struct json_writer w = json_writer(&out);
	struct problem problem = {0};
	struct cli_options options;
	int result = cli_options(&argc, argv, &options);

	if (result)
		return result;
	if (argc > 1)
		return cli_unknown("routes", argv[1], NULL, 0);
	if (options.help) {
		puts("tenant-control routes [--json]\n\nLists every route, who may take it and the action that it "
		     "needs.");
		return CLI_OK;
	}
	if (routes_check(api_routes, api_route_tables, &problem) < 0)
		return cli_fail("routes", &problem);
	json_begin(&w, NULL, '[');
	for (size_t t = 0; t < api_route_tables; t++) {
		for (size_t i = 0; i < api_routes[t]->count; i++) {
			const struct route *route = &api_routes[t]->routes[i];

			write_route(&w, route);
			if (!options.json)
				printf("%-6s %-60s %-8s %s\n", http_method_name(route->method), route->pattern,
				       access_word(route->access), route->action);
		}
	}
	json_end(&w, ']');
	if (options.json && !out.failed)
		puts(buffer_text(&out));
	return fflush(stdout) == 0 && !out.failed ? CLI_OK : CLI_FAILED;
}

static const struct verb verbs[] = {
	{"serve", "[--check-config]", "serve the API and the feeds", serve_verb},
	{"routes", "[--json]", "list the API's routes", routes_verb},
};
extern const struct verb_table serve_verbs;
const struct verb_table serve_verbs = {verbs, ARRAY_LEN(verbs)};
