/* SPDX-License-Identifier: MIT */
#include "ship/ship_yaml.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/text.h"
#include "http/http.h"

#define SYSLOG_PORT 6514U
#define BATCH_DEFAULT 512U
#define TIMEOUT_DEFAULT_SEC 10U
#define TIMEOUT_MOST_SEC 30U
#define HOST_BYTES_MAX 253U

static const char *const kinds[] = {
	[SHIP_OTLP] = "otlp", [SHIP_SYSLOG] = "syslog", [SHIP_HTTP] = "http", [SHIP_FILE] = "file"};

/* One sink while it is read. */
struct draft {
	struct ship_options options;
	const char *kind;
	uint32_t timeout_sec;
	int events, checkpoints; /* -1: not said */
};

static int set_name(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	const char *text = value->kind == YAML_TREE_SCALAR ? value->text : "";

	if (!text[0] || strlen(text) >= SHIP_NAME_MAX ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") < strlen(text))
		return settings_fault(settings, value, "not the name of a sink",
				      "lower-case letters, digits and '-', at most 32");
	return settings_keep(settings, text, settings_target(settings, setting));
}

static int set_kind(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	for (size_t i = 0; value->kind == YAML_TREE_SCALAR && i < ARRAY_LEN(kinds); i++)
		if (text_equal(value->text, kinds[i])) {
			*(const char **)settings_target(settings, setting) = kinds[i];
			return 0;
		}
	return settings_fault(settings, value, "not a kind of sink", "otlp, syslog, http or file");
}

static int set_url(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	struct problem why = {0};

	if (value->kind != YAML_TREE_SCALAR || !text_is_printable(value->text, strlen(value->text)) ||
	    strchr(value->text, ' ') || http_url_check(value->text, true, &why) < 0)
		return settings_fault(settings, value, "not an address that events can be sent to",
				      "https://host/path, without a user in it; http:// only to loopback");
	return settings_keep(settings, value->text, settings_target(settings, setting));
}

static int set_host(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	const char *text = value->kind == YAML_TREE_SCALAR ? value->text : "";
	struct in6_addr address;
	size_t length = strlen(text);
	bool is_name = length > 0 && length <= HOST_BYTES_MAX && text[0] != '-' &&
		       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == length;

	if (!is_name && (strchr(text, '%') || parse_address(text, &address) < 0))
		return settings_fault(settings, value, "not a host", "a name, or an address without brackets");
	return settings_keep(settings, text, settings_target(settings, setting));
}

static int set_whether(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	bool whether;

	if (value->kind != YAML_TREE_SCALAR || !value->plain || parse_bool(value->text, &whether) < 0)
		return settings_fault(settings, value, "true or false is expected here", "write true or false");
	*(int *)settings_target(settings, setting) = whether;
	return 0;
}

static int set_span(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	uint64_t seconds;

	if (value->kind != YAML_TREE_SCALAR || parse_duration(value->text, &seconds) < 0 || seconds < setting->least ||
	    seconds > setting->most)
		return settings_fault(settings, value, "not a time to wait for an answer", "1s to 30s");
	*(uint32_t *)settings_target(settings, setting) = (uint32_t)seconds;
	return 0;
}

#define AT(member) offsetof(struct draft, member)
static const struct setting sink_options[] = {
	SETTING("name", set_name, AT(options.name)),
	SETTING("kind", set_kind, AT(kind)),
	SETTING("url", set_url, AT(options.url)),
	SETTING("host", set_host, AT(options.host)),
	SETTING("port", settings_port, AT(options.port)),
	SETTING("path", settings_path, AT(options.path)),
	SETTING("ca_file", settings_path, AT(options.ca_file)),
	SETTING("cert_file", settings_path, AT(options.cert_file)),
	SETTING("key_file", settings_path, AT(options.key_file)),
	SETTING("token_file", settings_path, AT(options.token_file)),
	SETTING("events", set_whether, AT(events)),
	SETTING("checkpoints", set_whether, AT(checkpoints)),
	SETTING_RANGE("batch", settings_number, AT(options.batch), 1, SHIP_BATCH_MAX),
	SETTING_RANGE("timeout", set_span, AT(timeout_sec), 1, TIMEOUT_MOST_SEC),
};
static const struct setting sink_table = SETTING_GROUP("", sink_options);

/* What is missing, or does not fit its kind; NULL: nothing. */
static const char *fault_of(const struct draft *draft, bool log, const char **ret_remedy)
{
	const struct ship_options *o = &draft->options;
	bool is_web = o->kind == SHIP_OTLP || o->kind == SHIP_HTTP, takes_events = o->kind <= SHIP_SYSLOG;

	*ret_remedy = "it needs name and kind; otlp and http need url, syslog host, file path";
	if (!o->name || !draft->kind || is_web != !!o->url || (o->kind == SHIP_SYSLOG) != !!o->host ||
	    (o->kind == SHIP_FILE) != !!o->path)
		return "the sink is incomplete, or has what its kind has no use for";
	if ((o->kind != SHIP_SYSLOG && o->port) || (!is_web && o->token_file) ||
	    (o->kind == SHIP_FILE && (o->ca_file || o->cert_file || o->key_file)))
		return "the sink has a key that its kind has no use for";
	*ret_remedy = "a client's certificate is cert_file and key_file";
	if (!o->cert_file != !o->key_file)
		return "half of a client's certificate";
	*ret_remedy = "events go to otlp or syslog";
	if (!takes_events && (draft->events == 1 || !log))
		return "events cannot go there";
	*ret_remedy = "the control plane makes checkpoints, and can send them";
	if (!log && draft->checkpoints == 1)
		return "a host has no checkpoints to send";
	*ret_remedy = "let events or checkpoints be true";
	if (!o->events && !o->checkpoints)
		return "nothing would go there";
	return NULL;
}

static int read_sink(struct settings *settings, const struct yaml_node *item, bool log, struct ship_options *ret)
{
	struct draft draft = {.events = -1, .checkpoints = -1, .timeout_sec = TIMEOUT_DEFAULT_SEC};
	struct settings inner = *settings;
	const char *fault, *remedy;
	int result;

	if (item->kind != YAML_TREE_MAPPING)
		return settings_fault(settings, item, "a sink is a mapping",
				      "for example {name: siem, kind: syslog, host: logs.example.org}");
	draft.options.batch = BATCH_DEFAULT;
	inner.config = &draft;
	result = settings_mapping(&inner, &sink_table, item);
	if (result < 0)
		return result;
	for (size_t i = 0; draft.kind && i < ARRAY_LEN(kinds); i++)
		if (draft.kind == kinds[i])
			draft.options.kind = (enum ship_kind)i;
	draft.options.events = draft.events == -1 ? draft.options.kind <= SHIP_SYSLOG : draft.events == 1;
	draft.options.checkpoints =
		draft.checkpoints == -1 ? log && draft.options.kind > SHIP_SYSLOG : draft.checkpoints == 1;
	draft.options.timeout_ms = draft.timeout_sec * 1000;
	fault = fault_of(&draft, log, &remedy);
	if (fault)
		return settings_fault(settings, item, fault, remedy);
	if (draft.options.kind == SHIP_SYSLOG && !draft.options.port)
		draft.options.port = SYSLOG_PORT;
	*ret = draft.options;
	return 0;
}

static int read_sinks(struct settings *settings, const struct setting *setting, const struct yaml_node *value, bool log)
{
	struct ship_list list = {.items = arena_alloc(settings->arena, SHIP_SINKS_MAX * sizeof(*list.items))};

	if (!list.items)
		return -ENOMEM;
	if (value->kind != YAML_TREE_SEQUENCE)
		return settings_fault(settings, value, "a list of sinks is expected here",
				      "begin each with '- name: …'");
	for (const struct yaml_node *item = value->first; item; item = item->next) {
		int result;

		if (list.count == SHIP_SINKS_MAX)
			return settings_fault(settings, item, "too many sinks", "at most 8 have a place");
		result = read_sink(settings, item, log, &list.items[list.count]);
		if (result < 0)
			return result;
		for (uint32_t i = 0; i < list.count; i++)
			if (text_equal(list.items[i].name, list.items[list.count].name))
				return settings_fault(settings, item, "a sink of this name is in the list already",
						      "a name is what its place in the log is kept under");
		list.count++;
	}
	*(struct ship_list *)settings_target(settings, setting) = list;
	return 0;
}

int ship_settings_host(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	return read_sinks(settings, setting, value, false);
}

int ship_settings_log(struct settings *settings, const struct setting *setting, const struct yaml_node *value)
{
	return read_sinks(settings, setting, value, true);
}
