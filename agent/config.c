/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "accounts.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "yaml/yaml_tree.h"

#define CONFIG_FILE_MAX (256U * 1024U)
#define DROP_INS_MAX 64U
#define SERVICES_MAX 64U
#define CONNECTIONS_LEAST 64U
#define CONNECTIONS_MOST 65536U
#define HOST_NAME_MAX_BYTES 64U
#define KEYS_ACCOUNT "tenantd-keys"

struct loading {
	struct config *config;
	const char *file;
	struct problem *problem;
};

struct option {
	const char *name;
	int (*set)(struct loading *l, const struct option *option, const struct yaml_node *value);
	size_t offset;
	const struct option *members; /* of a mapping */
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
	const char *names[32];
	size_t i;

	if (value->kind != YAML_TREE_MAPPING)
		return fault(l, value, "a mapping of keys is expected here", "write `key: value` lines");
	for (const struct yaml_node *key = value->first; key; key = key->next) {
		const struct option *found = NULL;
		const char *near;
		int result;

		for (i = 0; i < option->count; i++) {
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
				problem_remedy(l->problem, "the keys are listed in agent.yaml(5)");
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

static int set_host_name(struct loading *l, const struct option *option, const struct yaml_node *value)
{
	const char *c;

	if (value->kind != YAML_TREE_SCALAR)
		return fault(l, value, "a host name is expected here", "write it as plain text");
	for (c = value->text; *c; c++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-", *c))
			break;
	if (*c || c == value->text || (size_t)(c - value->text) > HOST_NAME_MAX_BYTES)
		return fault(l, value, "not a host name", "letters, digits, '.' and '-', at most 64");
	return keep_text(l, value->text, target(l, option));
}

/* "sha256//<base64 of 32 bytes>", several with ';' between. */
static int set_pin(struct loading *l, const struct option *option, const struct yaml_node *value)
{
	const char *at = value->kind == YAML_TREE_SCALAR ? value->text : "";
	bool good = *at;

	while (good && *at) {
		size_t length = strcspn(at, ";"), decoded = 0;
		char part[64];
		uint8_t digest[SHA256_BYTES];

		good = length > 8 && length - 8 < sizeof(part) && strncmp(at, "sha256//", 8) == 0;
		if (good) {
			snprintf(part, sizeof(part), "%.*s", (int)length - 8, at + 8);
			good = base64_decode(part, digest, sizeof(digest), &decoded) == 0 && decoded == sizeof(digest);
		}
		at += length;
		if (*at == ';' && at[1])
			at++;
		else
			good = good && !*at;
	}
	if (!good)
		return fault(l, value, "not a pin", "write sha256// and the base64 of a public key's SHA-256");
	return keep_text(l, value->text, target(l, option));
}

static int set_proxy(struct loading *l, const struct option *option, const struct yaml_node *value)
{
	static const char *const schemes[] = {"http://", "https://"};

	if (value->kind == YAML_TREE_SCALAR && strpbrk(value->text, " \t\"'\\"))
		return fault(l, value, "not a proxy's URL", "write http://host:port");
	for (size_t i = 0; value->kind == YAML_TREE_SCALAR && i < ARRAY_LEN(schemes); i++)
		if (text_starts(value->text, schemes[i]) && value->text[strlen(schemes[i])])
			return keep_text(l, value->text, target(l, option));
	if (value->kind == YAML_TREE_SCALAR && text_equal(value->text, "none"))
		return keep_text(l, "", target(l, option));
	return fault(l, value, "not a proxy's URL", "write http://host:port, or none");
}

static int set_bool(struct loading *l, const struct option *option, const struct yaml_node *value)
{
	if (value->kind != YAML_TREE_SCALAR || !value->plain || parse_bool(value->text, target(l, option)) < 0)
		return fault(l, value, "true or false is expected here", "write true or false");
	return 0;
}

static int set_connections(struct loading *l, const struct option *option, const struct yaml_node *value)
{
	uint32_t number;

	if (value->kind != YAML_TREE_SCALAR || !value->plain || parse_u32(value->text, &number) < 0)
		return fault(l, value, "a number is expected here", "write digits only");
	if (number < CONNECTIONS_LEAST / 8 || number > CONNECTIONS_MOST)
		return fault(l, value, "the number is out of range", "at least 8, at most 65536");
	*(uint32_t *)target(l, option) = number;
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

static const char *const may_words[] = {"verify", "check", "sessions", "subscribe", "emit", "metrics", "ssh-keys"};

static int read_may(struct loading *l, const struct yaml_node *value, unsigned *ret)
{
	unsigned may = 0;

	if (value->kind != YAML_TREE_SEQUENCE || !value->first)
		return fault(l, value, "a list of rights is expected here",
			     "any of verify, check, sessions, subscribe, emit, metrics, ssh-keys");
	for (const struct yaml_node *item = value->first; item; item = item->next) {
		size_t i = 0;
		const char *near = NULL;

		if (item->kind != YAML_TREE_SCALAR)
			return fault(l, item, "a right is a word", "write a list of words");
		while (i < ARRAY_LEN(may_words) && !text_equal(item->text, may_words[i]))
			i++;
		if (i == ARRAY_LEN(may_words)) {
			near = text_suggest(item->text, may_words, ARRAY_LEN(may_words));
			problem_at(l->problem, l->file, item->line, item->column);
			if (near)
				problem_remedy(l->problem, "did you mean '%s'?", near);
			else
				problem_remedy(l->problem,
					       "any of verify, check, sessions, subscribe, emit, metrics, ssh-keys");
			return problem_set(l->problem, EINVAL, "unknown right '%s'", item->text);
		}
		if (may & 1U << i)
			return fault(l, item, "this right is listed twice", "keep one of the two");
		may |= 1U << i;
	}
	*ret = may;
	return 0;
}

static int read_service_key(struct loading *l, const struct yaml_node *key, struct config_service *service)
{
	static const char *const names[] = {"name", "user", "uid", "may"};
	const struct yaml_node *value = key->value;
	const char *near;

	if (text_equal(key->text, "name")) {
		if (value->kind != YAML_TREE_SCALAR || !text_is_word(value->text))
			return fault(l, value, "not a service name",
				     "letters, digits, '.', '_' and '-', a letter first");
		return keep_text(l, value->text, &service->name);
	}
	if (text_equal(key->text, "user")) {
		if (value->kind != YAML_TREE_SCALAR || !text_is_passwd_field(value->text) || !value->text[0] ||
		    strlen(value->text) > NAME_MAX_BYTES || text_equal(value->text, "root") ||
		    service->uid != CONFIG_UID_NONE)
			return fault(l, value, "not the name of a service account",
				     "give `user` or `uid`, and never root: it may everything anyway");
		return keep_text(l, value->text, &service->user);
	}
	if (text_equal(key->text, "uid")) {
		if (value->kind != YAML_TREE_SCALAR || !value->plain || service->user ||
		    parse_u32(value->text, &service->uid) < 0 || service->uid == 0 || service->uid == CONFIG_UID_NONE) {
			service->uid = CONFIG_UID_NONE;
			return fault(l, value, "not the uid of a service account",
				     "give `user` or `uid`, and never 0: root may everything anyway");
		}
		return 0;
	}
	if (text_equal(key->text, "may"))
		return read_may(l, value, &service->may);
	problem_at(l->problem, l->file, key->line, key->column);
	near = text_suggest(key->text, names, ARRAY_LEN(names));
	if (near)
		problem_remedy(l->problem, "did you mean '%s'?", near);
	else
		problem_remedy(l->problem, "a service has name, user or uid, and may");
	return problem_set(l->problem, EINVAL, "unknown key '%s'", key->text);
}

static int add_service(struct loading *l, const struct yaml_node *item)
{
	struct config_service service = {.uid = CONFIG_UID_NONE};
	struct config *config = l->config;
	struct config_service *grown;

	if (item->kind != YAML_TREE_MAPPING)
		return fault(l, item, "a service is a mapping",
			     "for example {name: hub, user: jupyterhub, may: [verify]}");
	for (const struct yaml_node *key = item->first; key; key = key->next) {
		int result = read_service_key(l, key, &service);
		if (result < 0)
			return result;
	}
	if (!service.name || !service.may || (!service.user && service.uid == CONFIG_UID_NONE))
		return fault(l, item, "the service is incomplete", "it needs name, user or uid, and may");
	for (uint32_t i = 0; i < config->service_count; i++) {
		if (text_equal(config->services[i].name, service.name)) {
			config->services[i] = service;
			return 0;
		}
	}
	if (config->service_count == SERVICES_MAX)
		return fault(l, item, "too many services", "at most 64 have a place");
	grown = arena_alloc(&config->arena, (config->service_count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	if (config->service_count)
		memcpy(grown, config->services, config->service_count * sizeof(*grown));
	grown[config->service_count++] = service;
	config->services = grown;
	return 0;
}

static int set_services(struct loading *l, const struct option *option, const struct yaml_node *value)
{
	if (value->kind != YAML_TREE_SEQUENCE)
		return fault(l, value, "a list of services is expected here", "begin each with '- name: …'");
	for (const struct yaml_node *item = value->first; item; item = item->next) {
		int result;

		for (const struct yaml_node *other = value->first; other != item; other = other->next) {
			const struct yaml_node *a = other->kind == YAML_TREE_MAPPING ? other->first : NULL;
			const struct yaml_node *b = item->kind == YAML_TREE_MAPPING ? item->first : NULL;

			while (a && !text_equal(a->text, "name"))
				a = a->next;
			while (b && !text_equal(b->text, "name"))
				b = b->next;
			if (a && b && a->value->text && text_equal(a->value->text, b->value->text))
				return fault(l, b, "a service of this name is in the file already", "merge the two");
		}
		result = add_service(l, item);
		if (result < 0)
			return result;
	}
	return 0;
}

#define AT(member) offsetof(struct config, member)

static const struct option path_options[] = {
	{"state", set_path, AT(state_dir), NULL, 0},
	{"run", set_path, AT(run_dir), NULL, 0},
	{"map", set_path, AT(map_path), NULL, 0},
	{"seal_key", set_path, AT(seal_key_path), NULL, 0},
	{"agent_socket", set_path, AT(agent_socket), NULL, 0},
	{"userdb_socket", set_path, AT(userdb_socket), NULL, 0},
	{"passwd", set_path, AT(passwd_path), NULL, 0},
};
static const struct option directory_options[] = {
	{"path", set_path, AT(directory_path), NULL, 0},
};
static const struct option control_options[] = {
	{"ca_file", set_path, AT(ca_file), NULL, 0},
	{"pin", set_pin, AT(pin), NULL, 0},
	{"proxy", set_proxy, AT(proxy), NULL, 0},
};
static const struct option feed_options[] = {
	{"import", set_path, AT(import_dir), NULL, 0},
};
static const struct option limit_options[] = {
	{"connections", set_connections, AT(connections), NULL, 0},
	{"connections_per_user", set_connections, AT(connections_per_user), NULL, 0},
};
static const struct option top_options[] = {
	{"host_name", set_host_name, AT(host_name), NULL, 0},
	{"log_level", set_level, AT(log_level), NULL, 0},
	{"enumerate", set_bool, AT(enumerate), NULL, 0},
	{"subids", set_bool, AT(subids), NULL, 0},
	{"directory", set_mapping, 0, directory_options, ARRAY_LEN(directory_options)},
	{"control_plane", set_mapping, 0, control_options, ARRAY_LEN(control_options)},
	{"feeds", set_mapping, 0, feed_options, ARRAY_LEN(feed_options)},
	{"services", set_services, 0, NULL, 0},
	{"limits", set_mapping, 0, limit_options, ARRAY_LEN(limit_options)},
	{"paths", set_mapping, 0, path_options, ARRAY_LEN(path_options)},
};
static const struct option top = {"", set_mapping, 0, top_options, ARRAY_LEN(top_options)};

static void add_fingerprint(struct config *config, uint64_t part)
{
	uint64_t both[2] = {config->fingerprint, part};

	config->fingerprint = hash_bytes(both, sizeof(both));
}

static int merge_text(struct loading *l, const char *data, size_t length)
{
	struct yaml_node *root;
	int result = yaml_tree_read(&l->config->arena, l->file, data, length, &root, l->problem);

	add_fingerprint(l->config, hash_text(l->file));
	add_fingerprint(l->config, hash_bytes(data, length));
	if (result < 0 || !root)
		return result;
	return set_mapping(l, &top, root);
}

static int config_new(struct config **ret)
{
	struct config *config = calloc(1, sizeof(*config));
	struct utsname names;

	if (!config)
		return -ENOMEM;
	arena_init(&config->arena);
	config->directory_path = "/etc/tenantd/directory.yaml";
	config->state_dir = "/var/lib/tenantd";
	config->run_dir = "/run/tenantd";
	config->map_path = "/run/tenantd/nss.map";
	config->seal_key_path = "/etc/tenantd/seal.key";
	config->agent_socket = "/run/tenantd/agent.sock";
	config->userdb_socket = "/run/systemd/userdb/io.tenantd";
	config->passwd_path = "/etc/passwd";
	config->import_dir = "/etc/tenantd/feeds";
	config->log_level = LOG_INFO;
	config->connections = 4096;
	config->connections_per_user = 128;
	config->keys_uid = CONFIG_UID_NONE;
	config->host_name = "localhost";
	if (uname(&names) == 0 && names.nodename[0])
		config->host_name = arena_strndup(&config->arena, names.nodename, strlen(names.nodename));
	if (!config->host_name) {
		config_free(config);
		return -ENOMEM;
	}
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

static int finish(struct loading *l)
{
	struct config *config = l->config;

	if (config->connections < CONNECTIONS_LEAST) {
		problem_at(l->problem, l->file, 0, 0);
		problem_remedy(l->problem, "give limits.connections at least %u", CONNECTIONS_LEAST);
		return problem_set(l->problem, EINVAL, "too few connections");
	}
	/* An account that does not exist gets nothing: the service may be installed later. */
	for (uint32_t i = 0; i < config->service_count; i++) {
		if (config->services[i].user)
			(void)account_uid(config->passwd_path, config->services[i].user, &config->services[i].uid);
		add_fingerprint(config, config->services[i].uid);
	}
	(void)account_uid(config->passwd_path, KEYS_ACCOUNT, &config->keys_uid);
	add_fingerprint(config, config->keys_uid);
	return 0;
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

unsigned config_may(const struct config *config, uint32_t uid, const char **ret_name)
{
	unsigned may = 0;

	if (uid == CONFIG_UID_NONE)
		return 0;
	for (uint32_t i = 0; i < config->service_count; i++) {
		if (config->services[i].uid != uid)
			continue;
		may |= config->services[i].may;
		if (ret_name)
			*ret_name = config->services[i].name;
	}
	return may;
}
