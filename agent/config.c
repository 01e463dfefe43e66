/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "accounts.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "records/hours.h"
#include "yaml/settings.h"

#define SERVICES_MAX 64U
#define CONNECTIONS_LEAST 64U
#define FEED_RECORDS_LEAST 1000U
#define FEED_RECORDS_MOST 5000000U /* the format's own limit */
#define FEED_RECORDS_DEFAULT 4000000U
#define CONNECTIONS_MOST 65536U
#define HOST_NAME_MAX_BYTES 64U
#define SSO_TIMEOUT_SEC 300U
#define SSO_WAITING_DEFAULT 1000U
#define SSO_WAITING_MOST 2000U /* what the agent's thread for them has room for (agent/sso/sso.h) */
#define CODE_LIFETIME_SEC 120U
#define HOURS_MOST 100U
#define SESSIONS_MOST 8192U /* what the table has room for (agent/session/session.c) */
#define SESSION_SPAN_MOST (365U * 86400)
#define KEYS_ACCOUNT "tenantd-keys"

static int set_host_name(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	const char *c;

	if (value->kind != YAML_TREE_SCALAR)
		return settings_fault(settings, value, "a host name is expected here", "write it as plain text");
	for (c = value->text; *c; c++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-", *c))
			break;
	if (*c || c == value->text || (size_t)(c - value->text) > HOST_NAME_MAX_BYTES)
		return settings_fault(settings, value, "not a host name", "letters, digits, '.' and '-', at most 64");
	return settings_keep(settings, value->text, settings_target(settings, setting));
}

/* "sha256//<base64 of 32 bytes>", several with ';' between. */
static int set_pin(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
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
		return settings_fault(settings, value, "not a pin",
				      "write sha256// and the base64 of a public key's SHA-256");
	return settings_keep(settings, value->text, settings_target(settings, setting));
}

static int set_proxy(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	static const char *const schemes[] = {"http://", "https://"};

	if (value->kind == YAML_TREE_SCALAR && strpbrk(value->text, " \t\"'\\"))
		return settings_fault(settings, value, "not a proxy's URL", "write http://host:port");
	for (size_t i = 0; value->kind == YAML_TREE_SCALAR && i < ARRAY_LEN(schemes); i++)
		if (text_starts(value->text, schemes[i]) && value->text[strlen(schemes[i])])
			return settings_keep(settings, value->text, settings_target(settings, setting));
	if (value->kind == YAML_TREE_SCALAR && text_equal(value->text, "none"))
		return settings_keep(settings, "", settings_target(settings, setting));
	return settings_fault(settings, value, "not a proxy's URL", "write http://host:port, or none");
}

static int set_bool(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	if (value->kind != YAML_TREE_SCALAR || !value->plain ||
	    parse_bool(value->text, settings_target(settings, setting)) < 0)
		return settings_fault(settings, value, "true or false is expected here", "write true or false");
	return 0;
}

static int set_qr(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	static const char *const words[] = {[QR_UTF8] = "utf8", [QR_ASCII] = "ascii", [QR_OFF] = "off"};

	for (size_t i = 0; value->kind == YAML_TREE_SCALAR && i < ARRAY_LEN(words); i++) {
		if (text_equal(value->text, words[i])) {
			*(enum config_qr *)settings_target(settings, setting) = (enum config_qr)i;
			return 0;
		}
	}
	return settings_fault(settings, value, "not a way to draw a QR code", "utf8, ascii or off");
}

static int set_over(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	static const char *const words[] = {[SESSION_OVER_DENY] = "deny", [SESSION_OVER_END_OLDEST] = "end-oldest"};

	for (size_t i = 0; value->kind == YAML_TREE_SCALAR && i < ARRAY_LEN(words); i++) {
		if (text_equal(value->text, words[i])) {
			*(enum session_over *)settings_target(settings, setting) = (enum session_over)i;
			return 0;
		}
	}
	return settings_fault(settings, value, "not what one session too many can mean", "deny or end-oldest");
}

static int set_hours(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	static const char *const remedy = "write a list such as [mon-fri 08:00-18:00], in UTC";
	struct string_list *list = settings_target(settings, setting);
	struct string_list read = {0};
	struct hours hours;
	uint32_t count = 0;

	if (value->kind != YAML_TREE_SEQUENCE)
		return settings_fault(settings, value, "a list of hours is expected here", remedy);
	for (const struct yaml_node *item = value->first; item; item = item->next)
		count++;
	if (count > HOURS_MOST)
		return settings_fault(settings, value, "too many hours", "at most 100 lines have a place");
	read.items = arena_alloc(settings->arena, (count + 1U) * sizeof(*read.items));
	if (!read.items)
		return -ENOMEM;
	for (const struct yaml_node *item = value->first; item; item = item->next) {
		int result;

		if (item->kind != YAML_TREE_SCALAR || hours_parse(item->text, &hours) < 0)
			return settings_fault(settings, item, "not hours", remedy);
		result = settings_keep(settings, item->text, &read.items[read.count]);
		if (result < 0)
			return result;
		read.count++;
	}
	*list = read;
	return 0;
}

static const char *const may_words[] = {"verify", "check",   "sessions", "subscribe",
					"emit",   "metrics", "ssh-keys", "code"};

static int read_may(struct settings *settings, const struct yaml_node *value, unsigned *ret)
{
	unsigned may = 0;

	if (value->kind != YAML_TREE_SEQUENCE || !value->first)
		return settings_fault(settings, value, "a list of rights is expected here",
				      "any of verify, check, sessions, subscribe, emit, metrics, ssh-keys, code");
	for (const struct yaml_node *item = value->first; item; item = item->next) {
		size_t i = 0;
		const char *near = NULL;

		if (item->kind != YAML_TREE_SCALAR)
			return settings_fault(settings, item, "a right is a word", "write a list of words");
		while (i < ARRAY_LEN(may_words) && !text_equal(item->text, may_words[i]))
			i++;
		if (i == ARRAY_LEN(may_words)) {
			near = text_suggest(item->text, may_words, ARRAY_LEN(may_words));
			problem_at(settings->problem, settings->file, item->line, item->column);
			if (near)
				problem_remedy(settings->problem, "did you mean '%s'?", near);
			else
				problem_remedy(
					settings->problem,
					"any of verify, check, sessions, subscribe, emit, metrics, ssh-keys, code");
			return problem_set(settings->problem, EINVAL, "unknown right '%s'", item->text);
		}
		if (may & 1U << i)
			return settings_fault(settings, item, "this right is listed twice", "keep one of the two");
		may |= 1U << i;
	}
	*ret = may;
	return 0;
}

static int read_service_key(struct settings *settings, const struct yaml_node *key, struct config_service *service)
{
	static const char *const names[] = {"name", "user", "uid", "may"};
	const struct yaml_node *value = key->value;
	const char *near;

	if (text_equal(key->text, "name")) {
		if (value->kind != YAML_TREE_SCALAR || !text_is_word(value->text))
			return settings_fault(settings, value, "not a service name",
					      "letters, digits, '.', '_' and '-', a letter first");
		return settings_keep(settings, value->text, &service->name);
	}
	if (text_equal(key->text, "user")) {
		if (value->kind != YAML_TREE_SCALAR || !text_is_passwd_field(value->text) || !value->text[0] ||
		    strlen(value->text) > NAME_MAX_BYTES || text_equal(value->text, "root") ||
		    service->uid != CONFIG_UID_NONE)
			return settings_fault(settings, value, "not the name of a service account",
					      "give `user` or `uid`, and never root: it may everything anyway");
		return settings_keep(settings, value->text, &service->user);
	}
	if (text_equal(key->text, "uid")) {
		if (value->kind != YAML_TREE_SCALAR || !value->plain || service->user ||
		    parse_u32(value->text, &service->uid) < 0 || service->uid == 0 || service->uid == CONFIG_UID_NONE) {
			service->uid = CONFIG_UID_NONE;
			return settings_fault(settings, value, "not the uid of a service account",
					      "give `user` or `uid`, and never 0: root may everything anyway");
		}
		return 0;
	}
	if (text_equal(key->text, "may"))
		return read_may(settings, value, &service->may);
	problem_at(settings->problem, settings->file, key->line, key->column);
	near = text_suggest(key->text, names, ARRAY_LEN(names));
	if (near)
		problem_remedy(settings->problem, "did you mean '%s'?", near);
	else
		problem_remedy(settings->problem, "a service has name, user or uid, and may");
	return problem_set(settings->problem, EINVAL, "unknown key '%s'", key->text);
}

static int add_service(struct settings *settings, const struct yaml_node *item)
{
	struct config_service service = {.uid = CONFIG_UID_NONE};
	struct config *config = settings->config;
	struct config_service *grown;

	if (item->kind != YAML_TREE_MAPPING)
		return settings_fault(settings, item, "a service is a mapping",
				      "for example {name: hub, user: jupyterhub, may: [verify]}");
	for (const struct yaml_node *key = item->first; key; key = key->next) {
		int result = read_service_key(settings, key, &service);
		if (result < 0)
			return result;
	}
	if (!service.name || !service.may || (!service.user && service.uid == CONFIG_UID_NONE))
		return settings_fault(settings, item, "the service is incomplete",
				      "it needs name, user or uid, and may");
	for (uint32_t i = 0; i < config->service_count; i++) {
		if (text_equal(config->services[i].name, service.name)) {
			config->services[i] = service;
			return 0;
		}
	}
	if (config->service_count == SERVICES_MAX)
		return settings_fault(settings, item, "too many services", "at most 64 have a place");
	grown = arena_alloc(&config->arena, (config->service_count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	if (config->service_count)
		memcpy(grown, config->services, config->service_count * sizeof(*grown));
	grown[config->service_count++] = service;
	config->services = grown;
	return 0;
}

static int set_services(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	if (value->kind != YAML_TREE_SEQUENCE)
		return settings_fault(settings, value, "a list of services is expected here",
				      "begin each with '- name: …'");
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
				return settings_fault(settings, b, "a service of this name is in the file already",
						      "merge the two");
		}
		result = add_service(settings, item);
		if (result < 0)
			return result;
	}
	return 0;
}

#define AT(member) offsetof(struct config, member)

static const struct setting path_options[] = {
	SETTING("state", settings_path, AT(state_dir)),
	SETTING("run", settings_path, AT(run_dir)),
	SETTING("map", settings_path, AT(map_path)),
	SETTING("seal_key", settings_path, AT(seal_key_path)),
	SETTING("agent_socket", settings_path, AT(agent_socket)),
	SETTING("userdb_socket", settings_path, AT(userdb_socket)),
	SETTING("passwd", settings_path, AT(passwd_path)),
};
static const struct setting directory_options[] = {
	SETTING("path", settings_path, AT(directory_path)),
};
static const struct setting control_options[] = {
	SETTING("ca_file", settings_path, AT(ca_file)),
	SETTING("pin", set_pin, AT(pin)),
	SETTING("proxy", set_proxy, AT(proxy)),
};
static const struct setting feed_options[] = {
	SETTING("import", settings_path, AT(import_dir)),
	SETTING_RANGE("max_records", settings_number, AT(max_records), FEED_RECORDS_LEAST, FEED_RECORDS_MOST),
};
static const struct setting sso_options[] = {
	SETTING("enabled", set_bool, AT(sso.enabled)),
	SETTING("ca_file", settings_path, AT(sso.ca_file)),
	SETTING("proxy", set_proxy, AT(sso.proxy)),
	SETTING_RANGE("timeout", settings_span, AT(sso.timeout_sec), 30, 1800),
	SETTING_RANGE("max_waiting", settings_number, AT(sso.max_waiting), 1, SSO_WAITING_MOST),
	SETTING("qr", set_qr, AT(sso.qr)),
};
static const struct setting session_options[] = {
	SETTING_RANGE("max_per_user", settings_number, AT(limits.rules.max_per_user), 1, SESSIONS_MOST),
	SETTING_RANGE("max_per_tenant", settings_number, AT(limits.rules.max_per_tenant), 1, SESSIONS_MOST),
	SETTING_RANGE("max", settings_number, AT(limits.max), 1, SESSIONS_MOST),
	SETTING("over", set_over, AT(limits.rules.over)),
	SETTING_RANGE("max_age", settings_span, AT(limits.rules.max_age_sec), 1, SESSION_SPAN_MOST),
	SETTING_RANGE("idle", settings_span, AT(limits.rules.idle_sec), 1, SESSION_SPAN_MOST),
	SETTING_RANGE("warn", settings_span, AT(limits.rules.warn_sec), 0, SESSION_WARN_MAX_SEC),
	SETTING_RANGE("grace", settings_span, AT(limits.rules.grace_sec), 0, SESSION_GRACE_MAX_SEC),
	SETTING("hours", set_hours, AT(limits.hours)),
	SETTING("end_outside_hours", set_bool, AT(limits.rules.end_outside_hours)),
	SETTING("end_with_key", set_bool, AT(limits.rules.end_with_key)),
};
static const struct setting code_options[] = {
	SETTING_RANGE("lifetime", settings_span, AT(code_lifetime_sec), 30, 3600),
};
static const struct setting spool_options[] = {
	SETTING("size", config_set_spool_size, AT(audit.spool_bytes)),
	SETTING("when_full", config_set_when_full, AT(audit.when_full)),
};
static const struct setting audit_options[] = {
	SETTING("durability", config_set_durability, AT(audit.durability)),
	SETTING("sinks", ship_settings_host, AT(audit.sinks)),
	SETTING_GROUP("spool", spool_options),
	SETTING_RANGE("witness", settings_span, AT(audit.witness_sec), 1, AUDIT_WITNESS_MOST),
};
static const struct setting limit_options[] = {
	SETTING_RANGE("connections", settings_number, AT(connections), CONNECTIONS_LEAST / 8, CONNECTIONS_MOST),
	SETTING_RANGE("connections_per_user", settings_number, AT(connections_per_user), CONNECTIONS_LEAST / 8,
		      CONNECTIONS_MOST),
};
static const struct setting top_options[] = {
	SETTING("host_name", set_host_name, AT(host_name)),
	SETTING("log_level", settings_log_level, AT(log_level)),
	SETTING("enumerate", set_bool, AT(enumerate)),
	SETTING("subids", set_bool, AT(subids)),
	SETTING_GROUP("directory", directory_options),
	SETTING_GROUP("control_plane", control_options),
	SETTING_GROUP("feeds", feed_options),
	SETTING_GROUP("sso", sso_options),
	SETTING_GROUP("codes", code_options),
	SETTING("services", set_services, AT(services)),
	SETTING_GROUP("sessions", session_options),
	SETTING_GROUP("audit", audit_options),
	SETTING_GROUP("limits", limit_options),
	SETTING_GROUP("paths", path_options),
};
static const struct setting top = SETTING_GROUP("", top_options);

static void add_fingerprint(struct config *config, uint64_t part)
{
	uint64_t both[2] = {config->fingerprint, part};

	config->fingerprint = hash_bytes(both, sizeof(both));
}

static void add_file(void *config, const char *file, const char *data, size_t length)
{
	add_fingerprint(config, hash_text(file));
	add_fingerprint(config, hash_bytes(data, length));
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
	config->max_records = FEED_RECORDS_DEFAULT;
	config->log_level = LOG_INFO;
	config->connections = 4096;
	config->connections_per_user = 128;
	config->sso = (struct config_sso){
		.enabled = true, .timeout_sec = SSO_TIMEOUT_SEC, .max_waiting = SSO_WAITING_DEFAULT};
	config->code_lifetime_sec = CODE_LIFETIME_SEC;
	config->keys_uid = CONFIG_UID_NONE;
	config->limits = host_limits_none();
	config->audit = config_audit_default();
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

static int finish(struct settings *settings)
{
	struct config *config = settings->config;

	if (config->connections < CONNECTIONS_LEAST) {
		problem_at(settings->problem, settings->file, 0, 0);
		problem_remedy(settings->problem, "give limits.connections at least %u", CONNECTIONS_LEAST);
		return problem_set(settings->problem, EINVAL, "too few connections");
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
		.manual = "agent.yaml(5)",
		.file = file,
		.problem = problem,
		.seen = add_file,
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
