/* SPDX-License-Identifier: MIT */
#include "control_plane/config.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "yaml/yaml_tree.h"

#define CONFIG_FILE_MAX (256U * 1024U)
#define DROP_INS_MAX 64U
#define OPTIONS_MAX 32U
#define PROXIES_MAX 64U
#define URL_MAX 255U
#define AUTHORITY_MAX 128U
#define DSN_MAX 1024U
#define TOKEN_SEC_LEAST 60U
#define TOKEN_SEC_MOST 86400U

struct loading {
	struct config *config;
	const char *file;
	struct problem *problem;
};

struct option {
	const char *name;
	int (*set)(struct loading *l, const struct option *option, const struct yaml_node *value);
	size_t offset;
	uint64_t least, most; /* of numbers and spans */
	const struct option *members;
	size_t count;
};

static int fault(struct loading *l, const struct yaml_node *node, const char *what, const char *remedy)
{
	problem_at(l->problem, l->file, node->line, node->column);
	problem_remedy(l->problem, "%s", remedy);
	return problem_set(l->problem, EINVAL, "%s", what);
}

static int set_mapping(struct loading *l, const struct option *option, const struct yaml_node *value)
{
	const char *names[OPTIONS_MAX], *near;

	if (value->kind != YAML_TREE_MAPPING)
		return fault(l, value, "a mapping of keys is expected here", "write `key: value` lines");
	for (const struct yaml_node *key = value->first; key; key = key->next) {
		const struct option *found = NULL;
		int result;

		for (size_t i = 0; i < option->count; i++) {
			names[i] = option->members[i].name;
			if (text_equal(key->text, names[i]))
				found = &option->members[i];
		}
		if (!found) {
			problem_at(l->problem, l->file, key->line, key->column);
			near = text_suggest(key->text, names, option->count);
			if (near)
				problem_remedy(l->problem, "did you mean '%s'?", near);
			else
				problem_remedy(l->problem, "the keys are listed in tenant-control.yaml(5)");
			return problem_set(l->problem, EINVAL, "unknown key '%s'", key->text);
		}
		result = found->set(l, found, key->value);
		if (result < 0)
			return result;
	}
	return 0;
}

static void *target(struct loading *l, const struct option *option)
{
	return (char *)l->config + option->offset;
}

static int keep_text(struct loading *l, const char *text, const char **ret)
{
	const char *copy = arena_strndup(&l->config->arena, text, strlen(text));

	if (!copy)
		return -ENOMEM;
	*ret = copy;
	return 0;
}

static int set_path(struct loading *l, const struct option *option, const struct yaml_node *value)
{
	if (value->kind != YAML_TREE_SCALAR || !text_is_safe_path(value->text))
		return fault(l, value, "an absolute path is expected here", "begin it with '/', without '..' or '//'");
	return keep_text(l, value->text, target(l, option));
}

static int set_number(struct loading *l, const struct option *option, const struct yaml_node *value)
{
	uint32_t number;
	char remedy[96];

	if (value->kind != YAML_TREE_SCALAR || !value->plain || parse_u32(value->text, &number) < 0)
		return fault(l, value, "a number is expected here", "write digits only");
	snprintf(remedy, sizeof(remedy), "at least %llu, at most %llu", (unsigned long long)option->least,
		 (unsigned long long)option->most);
	if (number < option->least || number > option->most)
		return fault(l, value, "the number is out of range", remedy);
	*(uint32_t *)target(l, option) = number;
	return 0;
}

static int set_port(struct loading *l, const struct option *option, const struct yaml_node *value)
{
	uint32_t number;

	if (value->kind != YAML_TREE_SCALAR || !value->plain || parse_u32(value->text, &number) < 0 || number == 0 ||
	    number > UINT16_MAX)
		return fault(l, value, "not a port", "1 to 65535");
	*(uint16_t *)target(l, option) = (uint16_t)number;
	return 0;
}

static int set_span(struct loading *l, const struct option *option, const struct yaml_node *value)
{
	uint64_t seconds;
	char remedy[96];

	if (value->kind != YAML_TREE_SCALAR || parse_duration(value->text, &seconds) < 0)
		return fault(l, value, "a span of time is expected here", "for example 90s, 15min, 12h or 3d");
	snprintf(remedy, sizeof(remedy), "at least %llus, at most %llus", (unsigned long long)option->least,
		 (unsigned long long)option->most);
	if (seconds < option->least || seconds > option->most)
		return fault(l, value, "the span is out of range", remedy);
	*(uint32_t *)target(l, option) = (uint32_t)seconds;
	return 0;
}

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

static int set_url(struct loading *l, const struct option *option, const struct yaml_node *value)
{
	const char *why = value->kind == YAML_TREE_SCALAR ? NULL : "write it as plain text";
	bool plain = false;

	if (!why)
		why = url_fault(value->text, &plain);
	if (!why && plain && !is_loopback_url(value->text))
		why = "http:// only for loopback: tokens and passwords go there";
	if (why)
		return fault(l, value, "not the address of a control plane", why);
	return keep_text(l, value->text, target(l, option));
}

static int set_authority(struct loading *l, const struct option *option, const struct yaml_node *value)
{
	if (value->kind != YAML_TREE_SCALAR || !value->text[0] || strlen(value->text) > AUTHORITY_MAX ||
	    strspn(value->text, "abcdefghijklmnopqrstuvwxyz0123456789.-") < strlen(value->text))
		return fault(l, value, "not a feed's authority",
			     "letters in lower case, digits, '.' and '-', at most 128");
	return keep_text(l, value->text, target(l, option));
}

static int set_address(struct loading *l, const struct option *option, const struct yaml_node *value)
{
	struct in6_addr address;

	if (value->kind != YAML_TREE_SCALAR || strchr(value->text, '%') || parse_address(value->text, &address) < 0)
		return fault(l, value, "not an address", "an IPv4 or IPv6 address, '::' for all");
	return keep_text(l, value->text, target(l, option));
}

static int set_dsn(struct loading *l, const struct option *option, const struct yaml_node *value)
{
	if (value->kind != YAML_TREE_SCALAR || !value->text[0] || strlen(value->text) > DSN_MAX)
		return fault(l, value, "not a connection string", "as libpq takes it: dbname=… or postgresql://…");
	return keep_text(l, value->text, target(l, option));
}

static int set_proxies(struct loading *l, const struct option *option, const struct yaml_node *value)
{
	struct cidr_list *list = target(l, option);
	struct cidr *blocks = arena_alloc(&l->config->arena, PROXIES_MAX * sizeof(*blocks));
	uint32_t count = 0;

	if (!blocks)
		return -ENOMEM;
	if (value->kind != YAML_TREE_SEQUENCE)
		return fault(l, value, "a list of addresses is expected here", "write [10.0.0.0/8, …]");
	for (const struct yaml_node *item = value->first; item; item = item->next) {
		if (item->kind != YAML_TREE_SCALAR || count == PROXIES_MAX ||
		    parse_cidr(item->text, &blocks[count]) < 0)
			return fault(l, item, "not an address block", "for example 10.0.0.0/8; at most 64 of them");
		count++;
	}
	*list = (struct cidr_list){.items = blocks, .count = count};
	return 0;
}

static const struct {
	const char *name;
	int level;
} levels[] = {
	{"error", LOG_ERR}, {"warning", LOG_WARNING}, {"notice", LOG_NOTICE}, {"info", LOG_INFO}, {"debug", LOG_DEBUG}};

static int set_level(struct loading *l, const struct option *option, const struct yaml_node *value)
{
	for (size_t i = 0; value->kind == YAML_TREE_SCALAR && i < ARRAY_LEN(levels); i++) {
		if (text_equal(value->text, levels[i].name)) {
			*(int *)target(l, option) = levels[i].level;
			return 0;
		}
	}
	return fault(l, value, "not a log level", "error, warning, notice, info or debug");
}

#define AT(member) offsetof(struct config, member)
#define OPTION(name_, set_, member_)                                  \
	{                                                             \
		.name = (name_), .set = (set_), .offset = AT(member_) \
	}
#define OPTION_RANGE(name_, set_, member_, least_, most_)                                                 \
	{                                                                                                 \
		.name = (name_), .set = (set_), .offset = AT(member_), .least = (least_), .most = (most_) \
	}
#define OPTION_GROUP(name_, members_)                                                                    \
	{                                                                                                \
		.name = (name_), .set = set_mapping, .members = (members_), .count = ARRAY_LEN(members_) \
	}

static const struct option listen_options[] = {
	OPTION("address", set_address, listen_address),
	OPTION("port", set_port, listen_port),
};
static const struct option tls_options[] = {
	OPTION("certificate", set_path, tls_certificate),
	OPTION("key", set_path, tls_key),
};
static const struct option database_options[] = {
	OPTION("connection", set_dsn, database),
	OPTION_RANGE("connections", set_number, database_connections, 1, 1000),
};
static const struct option token_options[] = {
	OPTION_RANGE("access", set_span, access_token_sec, TOKEN_SEC_LEAST, TOKEN_SEC_MOST),
	OPTION_RANGE("host", set_span, host_token_sec, TOKEN_SEC_LEAST, 3600),
};
static const struct option feed_options[] = {
	OPTION_RANGE("head", set_span, head_sec, 1, 3600),
	OPTION_RANGE("stale", set_span, stale_sec, 10, 12 * 3600),
	OPTION_RANGE("keep_deltas", set_span, keep_deltas_sec, 60, 365 * 86400),
};
static const struct option limit_options[] = {
	OPTION_RANGE("workers", set_number, workers, 1, 256),
	OPTION_RANGE("streams", set_number, streams, 1, 200000),
	OPTION_RANGE("per_source", set_number, rate_per_source, 0, 1000000),
	OPTION_RANGE("per_principal", set_number, rate_per_principal, 0, 10000000),
};
static const struct option path_options[] = {
	OPTION("seal_key", set_path, seal_key_path),
	OPTION("internal_secret", set_path, internal_secret_path),
};
static const struct option top_options[] = {
	OPTION("url", set_url, url),
	OPTION("authority", set_authority, authority),
	OPTION("log_level", set_level, log_level),
	OPTION("trusted_proxies", set_proxies, trusted_proxies),
	OPTION_GROUP("listen", listen_options),
	OPTION_GROUP("tls", tls_options),
	OPTION_GROUP("database", database_options),
	OPTION_GROUP("tokens", token_options),
	OPTION_GROUP("feed", feed_options),
	OPTION_GROUP("limits", limit_options),
	OPTION_GROUP("paths", path_options),
};
static const struct option top = OPTION_GROUP("", top_options);

static int merge_text(struct loading *l, const char *data, size_t length)
{
	struct yaml_node *root;
	int result = yaml_tree_read(&l->config->arena, l->file, data, length, &root, l->problem);

	if (result < 0 || !root)
		return result;
	return set_mapping(l, &top, root);
}

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

static int take_environment(struct loading *l)
{
	const char *lifetime = getenv("ACCESS_TOKEN_LIFETIME"), *dsn = getenv("DATABASE_URL");

	if (lifetime && lifetime[0] && parse_lifetime(lifetime, &l->config->access_token_sec) < 0) {
		problem_at(l->problem, "ACCESS_TOKEN_LIFETIME", 0, 0);
		problem_remedy(l->problem, "seconds, or a span like 15m: from 60 s to 24 h");
		return problem_set(l->problem, EINVAL, "not a lifetime of tokens");
	}
	if (!dsn || !dsn[0])
		return 0;
	if (strlen(dsn) > DSN_MAX) {
		problem_at(l->problem, "DATABASE_URL", 0, 0);
		return problem_set(l->problem, EINVAL, "too long for a connection string");
	}
	return keep_text(l, dsn, &l->config->database);
}

static int complain(struct loading *l, const char *what, const char *remedy)
{
	problem_at(l->problem, l->file, 0, 0);
	problem_remedy(l->problem, "%s", remedy);
	return problem_set(l->problem, EINVAL, "%s", what);
}

static bool listens_on_loopback(const struct config *config)
{
	struct in6_addr address;
	struct cidr four, six;

	return parse_address(config->listen_address, &address) == 0 && parse_cidr("127.0.0.0/8", &four) == 0 &&
	       parse_cidr("::1/128", &six) == 0 && (cidr_contains(&four, &address) || cidr_contains(&six, &address));
}

static int finish(struct loading *l)
{
	struct config *config = l->config;
	const char *host;

	if (take_environment(l) < 0)
		return -EINVAL;
	if (!config->url)
		return complain(l, "`url` is missing",
				"say how hosts reach this control plane: url: https://control.example.org");
	if (!config->tls_certificate != !config->tls_key)
		return complain(l, "`tls` is incomplete", "give certificate and key");
	if (!config->tls_certificate && !listens_on_loopback(config) && config->trusted_proxies.count == 0)
		return complain(l, "plain HTTP would be open to the network",
				"give tls, listen on loopback, or name the balancers in trusted_proxies");
	if (config->stale_sec < 2 * config->head_sec)
		return complain(l, "a head would be stale before the next one comes",
				"feed.stale is at least twice feed.head");
	if (config->authority)
		return 0;
	host = strstr(config->url, "//") + 2;
	config->authority = arena_strndup(&config->arena, host, host[0] == '[' ? strlen(host) : strcspn(host, ":"));
	return config->authority ? 0 : -ENOMEM;
}

int config_parse(const char *file, const char *data, size_t length, struct config **ret, struct problem *problem)
{
	_cleanup_(config_freep) struct config *config = NULL;
	struct loading l = {.file = file, .problem = problem};
	int result = config_new(&config);

	if (result < 0)
		return result;
	l.config = config;
	result = merge_text(&l, data, length);
	if (result >= 0)
		result = finish(&l);
	if (result < 0)
		return result;
	*ret = TAKE_PTR(config);
	return 0;
}

/* Reads one file and merges it. `optional`: its absence is fine. */
static int merge_file(struct loading *l, const char *path, bool optional)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	struct stat st;
	int result;

	l->file = path;
	result = file_read(AT_FDCWD, path, CONFIG_FILE_MAX, FILE_TRUST_OWNER, geteuid(), &text, &st);
	if (result == -ENOENT && optional)
		return 0;
	if (result == -EPERM) {
		problem_at(l->problem, path, 0, 0);
		problem_remedy(l->problem, "it must belong to root and be writable by root alone");
		return problem_set(l->problem, EPERM, "the file cannot be trusted");
	}
	if (result < 0) {
		problem_at(l->problem, path, 0, 0);
		return problem_set(l->problem, -result, "%s", strerror(-result));
	}
	return merge_text(l, text.data ? text.data : "", text.length);
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

static int merge_drop_ins(struct loading *l, const char *path)
{
	char folder[512], file[1024];
	struct dirent **names = NULL;
	int count, result = 0;

	snprintf(folder, sizeof(folder), "%s.d", path);
	count = scandir(folder, &names, is_drop_in, by_name);
	if (count < 0 && errno == ENOENT)
		return 0;
	if (count < 0 || (unsigned)count > DROP_INS_MAX) {
		problem_at(l->problem, folder, 0, 0);
		result = count < 0 ? problem_set(l->problem, errno, "%s", strerror(errno))
				   : problem_set(l->problem, EINVAL, "more than %u files", DROP_INS_MAX);
	}
	for (int i = 0; i < count; i++) {
		if (result == 0 &&
		    (size_t)snprintf(file, sizeof(file), "%s/%s", folder, names[i]->d_name) < sizeof(file))
			result = merge_file(l, file, false);
		free(names[i]);
	}
	free(names);
	return result;
}

int config_load(const char *path, bool must_exist, struct config **ret, struct problem *problem)
{
	_cleanup_(config_freep) struct config *config = NULL;
	struct loading l = {.file = path, .problem = problem};
	int result = config_new(&config);

	if (result < 0)
		return result;
	l.config = config;
	result = merge_file(&l, path, !must_exist);
	if (result >= 0)
		result = merge_drop_ins(&l, path);
	l.file = path;
	if (result >= 0)
		result = finish(&l);
	if (result < 0)
		return result;
	*ret = TAKE_PTR(config);
	return 0;
}
