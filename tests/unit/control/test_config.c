/* SPDX-License-Identifier: MIT
 *
 * What a configuration says, and what is refused: where, and with which advice.
 */
#include <stdlib.h>
#include <string.h>

#include "../unit.h"
#include "control_plane/config.h"

#define URL "url: https://control.example.org\n"

static struct config *parse(const char *text, struct problem *problem)
{
	struct config *config = NULL;

	*problem = (struct problem){0};
	if (config_parse("control.yaml", text, strlen(text), &config, problem) < 0)
		return NULL;
	return config;
}

static void has_defaults(void **state)
{
	struct problem problem;
	_cleanup_(config_freep) struct config *config = parse(URL, &problem);

	assert_non_null(config);
	assert_string_equal(config->url, "https://control.example.org");
	assert_string_equal(config->authority, "control.example.org");
	assert_string_equal(config->listen_address, "127.0.0.1");
	assert_int_equal(config->access_token_sec, 900);
	assert_int_equal(config->stale_sec, 300);
	assert_int_equal(config->impersonation_sec, 86400);
	assert_null(config->internal_secret_path);
	assert_null(config->tls_certificate);
}

static void takes_everything(void **state)
{
	struct problem problem;
	_cleanup_(config_freep) struct config *config =
		parse("url: https://control.example.org:8443\n"
		      "authority: feeds.example.org\n"
		      "log_level: debug\n"
		      "listen: {address: '::', port: 443}\n"
		      "tls: {certificate: /a/crt, key: /a/key}\n"
		      "trusted_proxies: [10.0.0.0/8, 2001:db8::/32]\n"
		      "database: {connection: dbname=x, connections: 9}\n"
		      "tokens: {access: 15min, host: 2min}\n"
		      "operators: {impersonation: 2h}\n"
		      "feed: {head: 5s, stale: 60s, keep_deltas: 2d}\n"
		      "limits: {workers: 3, streams: 4, per_source: 0, "
		      "per_principal: 7}\n"
		      "audit: {sinks: [{name: keeper, kind: file, path: /a/kept}]}\n"
		      "paths: {seal_key: /a/seal, internal_secret: /a/secret}\n",
		      &problem);

	assert_non_null(config);
	assert_string_equal(config->authority, "feeds.example.org");
	assert_int_equal(config->listen_port, 443);
	assert_string_equal(config->tls_key, "/a/key");
	assert_int_equal(config->trusted_proxies.count, 2);
	assert_string_equal(config->database, "dbname=x");
	assert_int_equal(config->database_connections, 9);
	assert_int_equal(config->host_token_sec, 120);
	assert_int_equal(config->impersonation_sec, 7200);
	assert_int_equal(config->head_sec, 5);
	assert_int_equal(config->keep_deltas_sec, 172800);
	assert_int_equal(config->workers, 3);
	assert_int_equal(config->rate_per_source, 0);
	assert_int_equal(config->sinks.count, 1);
	assert_string_equal(config->sinks.items[0].path, "/a/kept");
	assert_string_equal(config->internal_secret_path, "/a/secret");
}

static void refuses(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *what; /* in the text or the remedy */
	} cases[] = {
		{"", 0, "`url` is missing"},
		{"url: ftp://x\n", 1, "https://"},
		{"url: http://control.example.org\n", 1, "only for loopback"},
		{"url: http://127.0.0.1.example.org\n", 1, "only for loopback"},
		{"url: http://localhost.example.org\n", 1, "only for loopback"},
		{"url: https://\n", 1, "a host"},
		{"url: https://a/b\n", 1, "nothing behind"},
		{"url: https://a/\n", 1, "nothing behind"},
		{"url: https://a:0\n", 1, "port"},
		{"url: https://a:70000\n", 1, "port"},
		{"url: https://u@a\n", 1, "a host"},
		{"url: [a]\n", 1, "plain text"},
		{URL "urll: x\n", 2, "did you mean 'url'"},
		{URL "databse: {}\n", 2, "did you mean 'database'"},
		{URL "nothing_like_it: 1\n", 2, "tenant-control.yaml(5)"},
		{URL URL, 2, ""},
		{URL "tokens: {acces: 1h}\n", 2, "did you mean 'access'"},
		{URL "tokens: {access: 5s}\n", 2, "at least 1 minute"},
		{URL "tokens: {access: 2d}\n", 2, "at most 1 day"},
		{URL "tokens: {access: 900}\n", 2, "90s, 5min"},
		{URL "tokens: 900\n", 2, "mapping"},
		{URL "operators: {impersonation: 31d}\n", 2, "at most 30 days"},
		{URL "operators: {impersonation: 0s}\n", 2, "at least 1 minute"},
		{URL "operators: {impersonaton: 2h}\n", 2, "did you mean 'impersonation'"},
		{URL "listen: {port: 0}\n", 2, "1 to 65535"},
		{URL "listen: {port: 65536}\n", 2, "1 to 65535"},
		{URL "listen: {port: '443'}\n", 2, "1 to 65535"},
		{URL "listen: {address: localhost}\n", 2, "IPv4 or IPv6"},
		{URL "listen: {address: fe80::1%eth0}\n", 2, "IPv4 or IPv6"},
		{URL "listen: {address: 0.0.0.0}\n", 0, "open to the network"},
		{URL "listen: {address: '::'}\n", 0, "open to the network"},
		{URL "tls: {certificate: /a}\n", 0, "certificate and key"},
		{URL "tls: {certificate: a, key: /b}\n", 2, "absolute path"},
		{URL "tls: {certificate: /a/../b, key: /b}\n", 2, "absolute path"},
		{URL "trusted_proxies: 10.0.0.0/8\n", 2, "list"},
		{URL "trusted_proxies: [10.0.0.1/8]\n", 2, "address block"},
		{URL "database: {connection: ''}\n", 2, "connection string"},
		{URL "database: {connections: 0}\n", 2, "at least 1"},
		{URL "limits: {workers: 257}\n", 2, "at most 256"},
		{URL "database: {connections: 8}\n", 0, "above limits.workers"},
		{URL "limits: {workers: 16}\n", 0, "above limits.workers"},
		{URL "limits: {streams: many}\n", 2, "digits only"},
		{URL "feed: {head: 200s}\n", 0, "twice feed.head"},
		{URL "authority: Feeds.Example.org\n", 2, "lower case"},
		{URL "authority: a/b\n", 2, "lower case"},
		{URL "log_level: loud\n", 2, "error, warning"},
		{URL "url: &a x\n", 2, ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct problem problem;
		_cleanup_(config_freep) struct config *config = parse(cases[i].text, &problem);

		if (config || problem.line != cases[i].line ||
		    (!strstr(problem.text, cases[i].what) && !strstr(problem.remedy, cases[i].what)))
			fail_msg("case %zu: line %u: %s (%s)", i, problem.line, problem.text, problem.remedy);
	}
}

static void a_balancer_may_stand_in_front(void **state)
{
	struct problem problem;
	_cleanup_(config_freep) struct config *config =
		parse(URL "listen: {address: 0.0.0.0}\ntrusted_proxies: [10.0.0.0/8]\n", &problem);

	assert_non_null(config);
}

static uint32_t lifetime(const char *text)
{
	struct problem problem;
	_cleanup_(config_freep) struct config *config = NULL;

	setenv("ACCESS_TOKEN_LIFETIME", text, 1);
	config = parse(URL "tokens: {access: 1h}\n", &problem);
	unsetenv("ACCESS_TOKEN_LIFETIME");
	return config ? config->access_token_sec : 0;
}

static void the_environment_stands_above(void **state)
{
	struct problem problem;

	assert_int_equal(lifetime("900"), 900);
	assert_int_equal(lifetime("15m"), 900);
	assert_int_equal(lifetime("15min"), 900);
	assert_int_equal(lifetime("2h"), 7200);
	assert_int_equal(lifetime(""), 3600);
	assert_int_equal(lifetime("59"), 0);
	assert_int_equal(lifetime("86401"), 0);
	assert_int_equal(lifetime("-900"), 0);
	assert_int_equal(lifetime("900 "), 0);
	assert_int_equal(lifetime("m"), 0);
	assert_int_equal(lifetime("99999999999m"), 0);
	assert_int_equal(lifetime("71582789m"), 0); /* 2^32 s and 44 */
	setenv("DATABASE_URL", "postgresql://db.example.org/x", 1);
	{
		_cleanup_(config_freep) struct config *config =
			parse(URL "database: {connection: dbname=y}\n", &problem);

		assert_string_equal(config->database, "postgresql://db.example.org/x");
	}
	unsetenv("DATABASE_URL");
}

static void a_missing_file_is_named(void **state)
{
	struct config *config = NULL;
	struct problem problem = {0};

	assert_int_not_equal(config_load("/nonexistent/control.yaml", true, &config, &problem), 0);
	assert_string_equal(problem.file, "/nonexistent/control.yaml");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_defaults),
		cmocka_unit_test(takes_everything),
		cmocka_unit_test(refuses),
		cmocka_unit_test(a_balancer_may_stand_in_front),
		cmocka_unit_test(the_environment_stands_above),
		cmocka_unit_test(a_missing_file_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
