/* SPDX-License-Identifier: MIT
 *
 * From words of the command line to a request.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/parse.h"
#include "base/secret.h"
#include "base/text.h"
#include "control_plane/cli/cli.h"
#include "control_plane/cli/records.h"
#include "json/json_read.h"

#define WORDS_MAX 24U
#define SECRET_FILE_MAX 65536U

void record_call_finish(struct record_call *call)
{
	free(call->target);
	json_decref(call->body);
	*call = (struct record_call){0};
}

struct reading {
	const struct record_noun *noun;
	const struct record_action *action;
	json_t *body, *filled; /* fields; values of {…} in the path */
	struct buffer query;
};

static int usage(const struct reading *in, const char *why, const char *word)
{
	fprintf(stderr, "tenant-control %s %s: %s%s%s%s\n  see tenant-control %s --help\n", in->noun->name,
		in->action->name, why, word ? " '" : "", word ? word : "", word ? "'" : "", in->noun->name);
	return CLI_USAGE;
}

/* What does not go into a path or query as it is. */
static void add_encoded(struct buffer *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c))
			buffer_add_char(out, (char)c);
		else
			buffer_printf(out, "%%%02X", c);
	}
}

/* ---- values ---------------------------------------------------------------------------------------------------------
 */

static json_t *list_of(json_t *body, const char *field)
{
	json_t *list = json_object_get(body, field);

	if (list)
		return list;
	list = json_array();
	return json_object_set_new(body, field, list) < 0 ? NULL : list;
}

/* Nothing empties the list. */
static int add_item(json_t *body, const char *field, const char *value)
{
	json_t *list = list_of(body, field);

	if (!list)
		return -ENOMEM;
	return *value ? json_array_append_new(list, json_string(value)) : 0;
}

static int add_list(json_t *body, const char *field, const char *value)
{
	json_t *list = list_of(body, field);
	char *copy = strdup(value), *state = NULL;
	int r = list && copy ? 0 : -ENOMEM;

	for (char *word = r == 0 ? strtok_r(copy, ",", &state) : NULL; word && r == 0;
	     word = strtok_r(NULL, ",", &state))
		r = json_array_append_new(list, json_string(word));
	free(copy);
	return r;
}

static int read_time(const char *value, int64_t *ret)
{
	uint64_t span;

	if (parse_time(value, ret) == 0)
		return 0;
	if (parse_duration(value, &span) < 0 || span > INT32_MAX)
		return -EINVAL;
	*ret = clock_realtime_sec() + (int64_t)span;
	return 0;
}

/* Secrets never stand on a command line, where everybody sees them, but in files: `stop` is '\n' for the first line of
 * one, '\0' for all of it. */
static int add_from_file(json_t *holder, const char *field, const char *path, int stop,
			 json_t *(*make)(const char *text, size_t length))
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char *text = NULL;
	size_t room = 0;
	ssize_t length;
	int r = 0;

	if (!file)
		return -errno;
	length = getdelim(&text, &room, stop, file);
	if (file != stdin)
		fclose(file);
	if (length > 0 && text[length - 1] == '\n')
		text[--length] = '\0';
	if (length <= 0 || length > (ssize_t)SECRET_FILE_MAX ||
	    json_object_set_new(holder, field, make(text, (size_t)length)) < 0)
		r = -EINVAL;
	secret_free_block(text);
	return r;
}

static json_t *line_of(const char *text, size_t length)
{
	return json_stringn(text, length);
}

/* A key as files have it, in many lines, as the one line that it is here. NULL: no JSON object. */
static json_t *key_of(const char *text, size_t length)
{
	struct problem problem = {0};
	json_t *key = NULL, *made = NULL;
	char *line;

	if (json_read(text, length, &key, &problem) < 0)
		return NULL;
	line = json_is_object(key) ? json_dumps(key, JSON_COMPACT) : NULL;
	if (line) {
		made = json_string(line);
		secret_wipe(line, strlen(line));
	}
	free(line);
	json_decref(key);
	return made;
}

/* NAME=FILE: the file's first line. */
static int add_pair(json_t *body, const char *field, const char *given)
{
	const char *equals = strchr(given, '=');
	json_t *pairs = json_object_get(body, field);
	char name[64];

	if (!equals || equals == given || (size_t)(equals - given) >= sizeof(name))
		return -EINVAL;
	snprintf(name, sizeof(name), "%.*s", (int)(equals - given), given);
	if (!pairs) {
		pairs = json_object();
		if (json_object_set_new(body, field, pairs) < 0)
			return -ENOMEM;
	}
	return add_from_file(pairs, name, equals + 1, '\n', line_of);
}

/* ISSUER=SUBJECT. Nothing empties the list. */
static int add_own(json_t *body, const char *field, const char *given)
{
	const char *equals = strchr(given, '=');
	json_t *list = list_of(body, field);

	if (!list)
		return -ENOMEM;
	if (!*given)
		return 0;
	if (!equals || equals == given || !equals[1])
		return -EINVAL;
	return json_array_append_new(
		list, json_pack("{s:s%, s:s}", "issuer", given, (size_t)(equals - given), "subject", equals + 1));
}

/* Where a field goes: "list.field" is a member of the list's first object. NULL: out of memory. */
static json_t *holder_of(struct reading *in, const char **field)
{
	const char *dot = strchr(*field, '.');
	char name[32];
	json_t *list;

	if (!dot)
		return in->body;
	snprintf(name, sizeof(name), "%.*s", (int)(dot - *field), *field);
	*field = dot + 1;
	list = list_of(in->body, name);
	if (list && json_array_size(list) == 0 && json_array_append_new(list, json_object()) < 0)
		return NULL;
	return json_array_get(list, 0);
}

static int add_option(struct reading *in, const struct record_option *option, const char *value)
{
	const char *field = option->field;
	json_t *json, *holder = holder_of(in, &field);
	struct problem problem = {0};
	uint64_t number;
	int64_t time;
	int r = 0;

	if (!holder)
		return -ENOMEM;
	/* In capitals: a place in the path. */
	if (option->field[0] >= 'A' && option->field[0] <= 'Z')
		return json_object_set_new(in->filled, option->field, json_string(value));
	switch (option->type) {
	case OPTION_TEXT:
		return json_object_set_new(holder, field, json_string(value));
	case OPTION_NUMBER:
		r = parse_u64(value, &number) < 0 || number > INT64_MAX ? -EINVAL : 0;
		return r < 0 ? r : json_object_set_new(in->body, option->field, json_integer((json_int_t)number));
	case OPTION_SPAN:
		r = parse_duration(value, &number) < 0 || number > INT64_MAX ? -EINVAL : 0;
		return r < 0 ? r : json_object_set_new(in->body, option->field, json_integer((json_int_t)number));
	case OPTION_TIME:
		r = read_time(value, &time);
		return r < 0 ? r : json_object_set_new(in->body, option->field, json_integer((json_int_t)time));
	case OPTION_LIST:
		return add_list(holder, field, value);
	case OPTION_ITEM:
		return add_item(in->body, option->field, value);
	case OPTION_JSON:
		r = json_read(value, strlen(value), &json, &problem);
		if (r < 0)
			fprintf(stderr, "%s: %s\n", option->name, problem.text);
		return r < 0 ? r : json_object_set_new(in->body, option->field, json);
	case OPTION_PAIR:
		return add_pair(in->body, option->field, value);
	case OPTION_FILE:
		return add_from_file(in->body, option->field, value, '\n', line_of);
	case OPTION_KEY:
		return add_from_file(in->body, option->field, value, '\0', key_of);
	case OPTION_OWN:
		return add_own(in->body, option->field, value);
	case OPTION_QUERY:
		buffer_printf(&in->query, "%c%s=", in->query.length == 0 ? '?' : '&', option->field);
		add_encoded(&in->query, value);
		return in->query.failed ? -ENOMEM : 0;
	case OPTION_FLAG:
		return json_object_set_new(holder, field, json_true());
	}
	return -EINVAL;
}

static int unknown_option(const struct reading *in, const char *word)
{
	const char *names[WORDS_MAX], *near;
	size_t count = 0;

	for (; count < in->action->option_count && count < WORDS_MAX; count++)
		names[count] = in->action->options[count].name;
	near = text_suggest(word, names, count);
	if (near)
		fprintf(stderr, "tenant-control %s %s: there is no option '%s'; did you mean '%s'?\n", in->noun->name,
			in->action->name, word, near);
	return near ? CLI_USAGE : usage(in, "there is no option", word);
}

/* `*at` is an option's place; its value may follow. */
static int read_option(struct reading *in, int argc, char **argv, int *at)
{
	char *word = argv[*at], *equals = strchr(word, '=');
	size_t length = equals ? (size_t)(equals - word) : strlen(word);
	const struct record_option *option = NULL;
	const char *value;

	for (size_t i = 0; i < in->action->option_count && !option; i++)
		if (strlen(in->action->options[i].name) == length &&
		    strncmp(in->action->options[i].name, word, length) == 0)
			option = &in->action->options[i];
	if (!option)
		return unknown_option(in, word);
	if (option->type == OPTION_FLAG) {
		if (equals)
			return usage(in, "this takes no value:", option->name);
		value = "";
	} else if (equals)
		value = equals + 1;
	else if (*at + 1 < argc)
		value = argv[++*at];
	else
		return usage(in, "a value is missing after", word);
	return add_option(in, option, value) < 0 ? usage(in, "this is no value for it:", word) : 0;
}

/* ---- arguments
 * ------------------------------------------------------------------------------------------------------- */

/* "USER ROLE=role [KEY] +flag -flag": takes the words one after the other; what stands in brackets may be left out. */
static int read_arguments(struct reading *in, char **words, unsigned count)
{
	char pattern[128], *state = NULL;
	unsigned used = 0;

	snprintf(pattern, sizeof(pattern), "%s", in->action->arguments);
	for (char *name = strtok_r(pattern, " ", &state); name; name = strtok_r(NULL, " ", &state)) {
		char *field = strchr(name, '=');
		int r;

		if (*name == '+' || *name == '-') {
			if (json_object_set_new(in->body, name + 1, json_boolean(*name == '+')) < 0)
				return CLI_FAILED;
			continue;
		}
		if (field)
			*field++ = '\0';
		if (*name == '[') {
			if (used == count)
				continue;
			name[strcspn(name, "]")] = '\0';
			name++;
		}
		if (used == count)
			return usage(in, "give", name);
		r = json_object_set_new(field ? in->body : in->filled, field ? field : name,
					json_string(words[used++]));
		if (r < 0)
			return usage(in, "this is not UTF-8:", name);
	}
	return used < count ? usage(in, "this is too much:", words[used]) : 0;
}

/* The path with its {…} filled. "[…]" is left out when a value in it is not given; "{/v1}" stands then instead. */
static int fill_path(struct reading *in, struct buffer *out)
{
	const char *at = in->action->path;
	size_t start = 0;
	bool optional = false, left_out = false;

	while (*at) {
		size_t length = *at == '{' ? strcspn(at, "}") : 0;
		const char *value;
		char name[32];

		if (*at == '[') {
			optional = true;
			left_out = false;
			start = out->length;
		} else if (*at == ']') {
			optional = false;
			if (left_out)
				out->length = start;
		} else if (length > 0 && at[1] == '/') {
			if (left_out)
				buffer_add(out, at + 1, length - 1);
			at += length;
		} else if (length > 0 && length < sizeof(name)) {
			snprintf(name, sizeof(name), "%.*s", (int)length - 1, at + 1);
			value = json_string_value(json_object_get(in->filled, name));
			if (value && *value)
				add_encoded(out, value);
			else if (optional)
				left_out = true;
			else
				return usage(in, "say which one, by", strcmp(name, "TENANT") == 0 ? "--tenant" : name);
			at += length;
		} else {
			buffer_add_char(out, *at);
		}
		at++;
	}
	return 0;
}

static bool takes_body(const struct record_action *action)
{
	return strcmp(action->method, "GET") != 0 && strcmp(action->method, "DELETE") != 0;
}

static int read_words(struct reading *in, int argc, char **argv)
{
	char *words[WORDS_MAX];
	unsigned count = 0;
	bool ended = false;
	int r;

	for (int i = 1; i < argc; i++) {
		if (!ended && strcmp(argv[i], "--") == 0) {
			ended = true;
		} else if (!ended && text_starts(argv[i], "--")) {
			r = read_option(in, argc, argv, &i);
			if (r != 0)
				return r;
		} else if (count < WORDS_MAX) {
			words[count++] = argv[i];
		}
	}
	return read_arguments(in, words, count);
}

int record_call_read(const struct record_noun *noun, int argc, char **argv, struct record_call *ret)
{
	struct reading in = {.noun = noun, .body = json_object(), .filled = json_object()};
	_cleanup_(buffer_finish) struct buffer target = BUFFER_INIT;
	const char *names[WORDS_MAX];
	size_t count = 0;
	int r = CLI_FAILED;

	*ret = (struct record_call){0};
	for (size_t i = 0; i < noun->action_count; i++) {
		if (strcmp(noun->actions[i].name, argv[0]) == 0)
			in.action = &noun->actions[i];
		if (count < WORDS_MAX)
			names[count++] = noun->actions[i].name;
	}
	if (!in.action)
		r = cli_unknown(noun->name, argv[0], names, count);
	else if (in.body && in.filled)
		r = read_words(&in, argc, argv);
	if (r == 0)
		r = fill_path(&in, &target);
	if (r == 0) {
		buffer_add(&target, in.query.data ? in.query.data : "", in.query.length);
		ret->action = in.action;
		ret->target = buffer_text(&target) ? strdup(target.data) : NULL;
		ret->body = takes_body(in.action) ? json_incref(in.body) : NULL;
		r = ret->target ? 0 : CLI_FAILED;
	}
	buffer_finish(&in.query);
	json_decref(in.body);
	json_decref(in.filled);
	return r;
}
