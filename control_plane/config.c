/* SPDX-License-Identifier: MIT */
#include "control_plane/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "ship/ship_yaml.h"
#include "yaml/settings.h"

#define PROXIES_MAX 64U
#define URL_MAX 255U
#define AUTHORITY_MAX 128U
#define DSN_MAX 1024U
#define TOKEN_SEC_LEAST 60U
#define TOKEN_SEC_MOST 86400U

/* "https://host" or "https://host:port": no path, so that everything after it is ours. */
static const char *url_fault(const char *url, bool *ret_plain)
{
	bool plain = text_starts(url, "http://");
	const char *rest = plain ? url + strlen("http://") : url + strlen("https://");
	size_t host;

	if (!plain && !text_starts(url, "https://"))
		return "it begins with https://";
	host = rest[0] == '[' ? strcspn(rest, "]") + 1 : strcspn(rest, ":");
	if (strlen(url) > URL_MAX || host == 0 ||
	    strspn(rest, "abcdefghijklmnopqrstuvwxyz0123456789.-:[]") < strlen(rest))
		return "it is a host in lower case and, where it is not 443, a port: nothing behind them";
	if (host < strlen(rest)) {
		uint32_t port;

		if (rest[host] != ':' || parse_u32(rest + host + 1, &port) < 0 || port == 0 || port > UINT16_MAX)
			return "what stands behind the host is a port";
	}
	*ret_plain = plain;
	return NULL;
}

static bool is_loopback_url(const char *url)
{
	static const char *const hosts[] = {"http://127.0.0.1", "http://[::1]", "http://localhost"};

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		if (text_starts(url, hosts[i]) && (url[strlen(hosts[i])] == '\0' || url[strlen(hosts[i])] == ':'))
			return true;
	return false;
}

static int set_url(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	const char *why = value->kind == YAML_TREE_SCALAR ? NULL : "write it as plain text";
	bool plain = false;

	if (!why)
		why = url_fault(value->text, &plain);
	if (!why && plain && !is_loopback_url(value->text))
		why = "http:// only for loopback: tokens and passwords go there";
	if (why)
		return settings_fault(settings, value, "not the address of a control plane", why);
	return settings_keep(settings, value->text, settings_target(settings, setting));
}

static int set_authority(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	if (value->kind != YAML_TREE_SCALAR || !value->text[0] || strlen(value->text) > AUTHORITY_MAX ||
	    strspn(value->text, "abcdefghijklmnopqrstuvwxyz0123456789.-") < strlen(value->text))
		return settings_fault(settings, value, "not a feed's authority",
				      "letters in lower case, digits, '.' and '-', at most 128");
	return settings_keep(settings, value->text, settings_target(settings, setting));
}

static int set_address(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	struct in6_addr address;

	if (value->kind != YAML_TREE_SCALAR || strchr(value->text, '%') || parse_address(value->text, &address) < 0)
		return settings_fault(settings, value, "not an address", "an IPv4 or IPv6 address, '::' for all");
	return settings_keep(settings, value->text, settings_target(settings, setting));
}

static int set_dsn(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	if (value->kind != YAML_TREE_SCALAR || !value->text[0] || strlen(value->text) > DSN_MAX)
		return settings_fault(settings, value, "not a connection string",
				      "as libpq takes it: dbname=… or postgresql://…");
	return settings_keep(settings, value->text, settings_target(settings, setting));
}

static int set_proxies(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	struct cidr_list *list = settings_target(settings, setting);
	struct cidr *blocks = arena_alloc(settings->arena, PROXIES_MAX * sizeof(*blocks));
	uint32_t count = 0;

	if (!blocks)
		return -ENOMEM;
	if (value->kind != YAML_TREE_SEQUENCE)
		return settings_fault(settings, value, "a list of addresses is expected here", "write [10.0.0.0/8, …]");
	for (const struct yaml_node *item = value->first; item; item = item->next) {
		if (item->kind != YAML_TREE_SCALAR || count == PROXIES_MAX ||
		    parse_cidr(item->text, &blocks[count]) < 0)
			return settings_fault(settings, item, "not an address block",
					      "for example 10.0.0.0/8; at most 64 of them");
		count++;
	}
	*list = (struct cidr_list){.items = blocks, .count = count};
	return 0;
}

#define AT(member) offsetof(struct config, member)
static const struct setting listen_options[] = {
	SETTING("address", set_address, AT(listen_address)),
	SETTING("port", settings_port, AT(listen_port)),
};
static const struct setting tls_options[] = {
	SETTING("certificate", settings_path, AT(tls_certificate)),
	SETTING("key", settings_path, AT(tls_key)),
};
static const struct setting database_options[] = {
	SETTING("connection", set_dsn, AT(database)),
	SETTING_RANGE("connections", settings_number, AT(database_connections), 1, 1000),
};
static const struct setting token_options[] = {
	SETTING_RANGE("access", settings_span, AT(access_token_sec), TOKEN_SEC_LEAST, TOKEN_SEC_MOST),
	SETTING_RANGE("host", settings_span, AT(host_token_sec), TOKEN_SEC_LEAST, 3600),
};
static const struct setting operator_options[] = {
	SETTING_RANGE("impersonation", settings_span, AT(impersonation_sec), 60, 30 * 86400),
};
static const struct setting feed_options[] = {
	SETTING_RANGE("head", settings_span, AT(head_sec), 1, 3600),
	SETTING_RANGE("stale", settings_span, AT(stale_sec), 10, 12 * 3600),
	SETTING_RANGE("keep_deltas", settings_span, AT(keep_deltas_sec), 60, 365 * 86400),
};
static const struct setting limit_options[] = {
	SETTING_RANGE("workers", settings_number, AT(workers), 1, 256),
	SETTING_RANGE("streams", settings_number, AT(streams), 1, 200000),
	SETTING_RANGE("per_source", settings_number, AT(rate_per_source), 0, 1000000),
	SETTING_RANGE("per_principal", settings_number, AT(rate_per_principal), 0, 10000000),
};
static const struct setting audit_options[] = {
	SETTING("sinks", ship_settings_log, AT(sinks)),
};
static const struct setting path_options[] = {
	SETTING("seal_key", settings_path, AT(seal_key_path)),
	SETTING("internal_secret", settings_path, AT(internal_secret_path)),
};
static const struct setting top_options[] = {
	SETTING("url", set_url, AT(url)),
	SETTING("authority", set_authority, AT(authority)),
	SETTING("log_level", settings_log_level, AT(log_level)),
	SETTING("trusted_proxies", set_proxies, AT(trusted_proxies)),
	SETTING_GROUP("listen", listen_options),
	SETTING_GROUP("tls", tls_options),
	SETTING_GROUP("database", database_options),
	SETTING_GROUP("tokens", token_options),
	SETTING_GROUP("operators", operator_options),
	SETTING_GROUP("feed", feed_options),
	SETTING_GROUP("limits", limit_options),
	SETTING_GROUP("audit", audit_options),
	SETTING_GROUP("paths", path_options),
};
static const struct setting top = SETTING_GROUP("", top_options);

static int config_new(struct config **ret)
{
	struct config *config = calloc(1, sizeof(*config));

	if (!config)
		return -ENOMEM;
	arena_init(&config->arena);
	config->listen_address = "127.0.0.1";
	config->listen_port = 8443;
	config->database = "dbname=tenant-control";
	config->database_connections = 16;
	config->seal_key_path = "/etc/tenant-control/seal.key";
	config->access_token_sec = 900;
	config->host_token_sec = 300;
	config->impersonation_sec = 86400;
	config->head_sec = 15;
	config->stale_sec = 300;
	config->workers = 8;
	config->streams = 20000;
	config->rate_per_source = 300;
	config->rate_per_principal = 6000;
	config->keep_deltas_sec = 86400;
	config->log_level = LOG_INFO;
	*ret = config;
	return 0;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	arena_finish(&config->arena);
	free(config);
}

/* "900" or "15m", as containers give it; also what the files take. */
static int parse_lifetime(const char *text, uint32_t *ret)
{
	size_t length = strlen(text);
	uint64_t seconds;
	uint32_t number;
	char minutes[16];

	if (parse_u32(text, &number) == 0) {
		seconds = number;
	} else if (length > 1 && length < sizeof(minutes) && text[length - 1] == 'm') {
		memcpy(minutes, text, length - 1);
		minutes[length - 1] = '\0';
		if (parse_u32(minutes, &number) < 0)
			return -EINVAL;
		seconds = (uint64_t)number * 60;
	} else if (parse_duration(text, &seconds) < 0) {
		return -EINVAL;
	}
	if (seconds < TOKEN_SEC_LEAST || seconds > TOKEN_SEC_MOST)
		return -ERANGE;
	*ret = (uint32_t)seconds;
	return 0;
}

static int take_environment(struct settings *settings)
{
	struct config *config = settings->config;
	const char *lifetime = getenv("ACCESS_TOKEN_LIFETIME"), *dsn = getenv("DATABASE_URL");

	if (lifetime && lifetime[0] && parse_lifetime(lifetime, &config->access_token_sec) < 0) {
		problem_at(settings->problem, "ACCESS_TOKEN_LIFETIME", 0, 0);
		problem_remedy(settings->problem, "seconds, or a span like 15m: from 60 s to 24 h");
		return problem_set(settings->problem, EINVAL, "not a lifetime of tokens");
	}
	if (!dsn || !dsn[0])
		return 0;
	if (strlen(dsn) > DSN_MAX) {
		problem_at(settings->problem, "DATABASE_URL", 0, 0);
		return problem_set(settings->problem, EINVAL, "too long for a connection string");
	}
	return settings_keep(settings, dsn, &config->database);
}

static int complain(struct settings *settings, const char *what, const char *remedy)
{
	problem_at(settings->problem, settings->file, 0, 0);
	problem_remedy(settings->problem, "%s", remedy);
	return problem_set(settings->problem, EINVAL, "%s", what);
}

static bool listens_on_loopback(const struct config *config)
{
	struct in6_addr address;
	struct cidr four, six;

	return parse_address(config->listen_address, &address) == 0 && parse_cidr("127.0.0.0/8", &four) == 0 &&
	       parse_cidr("::1/128", &six) == 0 && (cidr_contains(&four, &address) || cidr_contains(&six, &address));
}

static int finish(struct settings *settings)
{
	struct config *config = settings->config;
	const char *host;

	if (take_environment(settings) < 0)
		return -EINVAL;
	if (!config->url)
		return complain(settings, "`url` is missing",
				"say how hosts reach this control plane: url: https://control.example.org");
	if (!config->tls_certificate != !config->tls_key)
		return complain(settings, "`tls` is incomplete", "give certificate and key");
	if (!config->tls_certificate && !listens_on_loopback(config) && config->trusted_proxies.count == 0)
		return complain(settings, "plain HTTP would be open to the network",
				"give tls, listen on loopback, or name the balancers in trusted_proxies");
	if (config->stale_sec < 2 * config->head_sec)
		return complain(settings, "a head would be stale before the next one comes",
				"feed.stale is at least twice feed.head");
	if (config->database_connections <= config->workers)
		return complain(settings, "there are not more database connections than workers",
				"database.connections is above limits.workers: what is refused is written down on a "
				"second connection");
	if (config->authority)
		return 0;
	host = strstr(config->url, "//") + 2;
	config->authority = arena_strndup(&config->arena, host, host[0] == '[' ? strlen(host) : strcspn(host, ":"));
	return config->authority ? 0 : -ENOMEM;
}

/* From `text` or, where it is NULL, from the file and its drop-ins. */
static int config_read(const char *file, const char *text, size_t length, bool must_exist, struct config **ret,
		       struct problem *problem)
{
	_cleanup_(config_freep) struct config *config = NULL;
	struct settings settings;
	int result = config_new(&config);

	if (result < 0)
		return result;
	settings = (struct settings){
		.config = config,
		.arena = &config->arena,
		.manual = "tenant-control.yaml(5)",
		.file = file,
		.problem = problem,
	};
	result = text ? settings_read_text(&settings, &top, text, length)
		      : settings_read(&settings, &top, file, must_exist);
	if (result >= 0)
		result = finish(&settings);
	if (result < 0)
		return result;
	*ret = TAKE_PTR(config);
	return 0;
}

int config_parse(const char *file, const char *data, size_t length, struct config **ret, struct problem *problem)
{
	return config_read(file, data ? data : "", length, true, ret, problem);
}

int config_load(const char *path, bool must_exist, struct config **ret, struct problem *problem)
{
	return config_read(path, NULL, 0, must_exist, ret, problem);
}
