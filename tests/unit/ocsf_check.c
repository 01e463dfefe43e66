/* SPDX-License-Identifier: MIT */
#include "ocsf_check.h"

#include "unit.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/parse.h"
#include "base/text.h"
#include "json/json_read.h"

struct check {
	const json_t *schema;
	char *out;
	size_t size;
};

json_t *ocsf_schema(void)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	struct problem problem = {0};
	json_t *schema = NULL;
	struct stat st;

	assert_result(file_read(AT_FDCWD, "tests/unit/data/ocsf.json", 1 << 20, FILE_TRUST_ANY, 0, &text, &st), 0);
	if (json_read(text.data, text.length, &schema, &problem) < 0)
		fail_msg("ocsf.json: %s", problem.text);
	return schema;
}

static const char *fault(const struct check *check, const char *where, const char *name, const char *why)
{
	(void)snprintf(check->out, check->size, "%s.%s %s", where, name, why);
	return check->out;
}

static const char *check_object(const struct check *check, const char *where, const json_t *rules,
				const json_t *object);

/* "integer 0 1 2 !": the number is one of those. */
static bool is_listed(const char *spec, long long number)
{
	char text[24];
	const char *at = strchr(spec, ' ');

	if (!at || !(at[1] >= '0' && at[1] <= '9'))
		return true;
	(void)snprintf(text, sizeof(text), "%lld", number);
	for (size_t length = strlen(text); at; at = strchr(at + 1, ' '))
		if (strncmp(at + 1, text, length) == 0 && (at[1 + length] == ' ' || at[1 + length] == '\0'))
			return true;
	return false;
}

static const char *check_value(const struct check *check, const char *where, const char *name, const char *spec,
			       const json_t *value)
{
	struct in6_addr address;
	char of[48], inner[128];
	json_t *rules;

	if (text_starts(spec, "object:")) {
		(void)snprintf(of, sizeof(of), "%.*s", (int)strcspn(spec + 7, "[ "), spec + 7);
		(void)snprintf(inner, sizeof(inner), "%.60s.%.60s", where, name);
		rules = json_object_get(json_object_get(check->schema, "objects"), of);
		/* `unmapped` may hold anything. */
		if (text_equal(of, "object"))
			return json_is_object(value) ? NULL : fault(check, where, name, "is no object");
		if (!rules)
			return fault(check, where, name, "is an object that the extract does not have");
		return check_object(check, inner, rules, value);
	}
	if (text_starts(spec, "string") && !(json_is_string(value) && json_string_length(value) > 0))
		return fault(check, where, name, "is no text");
	if (text_starts(spec, "ip") &&
	    !(json_is_string(value) && parse_address(json_string_value(value), &address) == 0))
		return fault(check, where, name, "is no address");
	if (text_starts(spec, "boolean") && !json_is_boolean(value))
		return fault(check, where, name, "is no boolean");
	if (text_starts(spec, "integer") && !json_is_integer(value))
		return fault(check, where, name, "is no integer");
	if (text_starts(spec, "integer") && !is_listed(spec, json_integer_value(value)))
		return fault(check, where, name, "is a number that means nothing");
	return NULL;
}

static const char *check_member(const struct check *check, const char *where, const char *name, const char *spec,
				const json_t *value)
{
	const char *wrong = NULL;

	if (!strstr(spec, "[]"))
		return check_value(check, where, name, spec, value);
	if (!json_is_array(value))
		return fault(check, where, name, "is no list");
	for (size_t i = 0; i < json_array_size(value) && !wrong; i++)
		wrong = check_value(check, where, name, spec, json_array_get(value, i));
	return wrong;
}

/* What must be there, and what may. */
static const char *check_members(const struct check *check, const char *where, const json_t *first,
				 const json_t *second, const json_t *object)
{
	const json_t *tables[] = {first, second};
	const char *name, *wrong;
	json_t *spec, *value;

	for (size_t i = 0; i < 2; i++)
		json_object_foreach((json_t *)(uintptr_t)tables[i], name, spec)
		{
			if (strchr(json_string_value(spec), '!') && !json_object_get(object, name))
				return fault(check, where, name, "is not there");
		}
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		spec = json_object_get(first, name);
		if (!spec)
			spec = json_object_get(second, name);
		if (!spec)
			return fault(check, where, name, "is nothing that OCSF has there");
		wrong = check_member(check, where, name, json_string_value(spec), value);
		if (wrong)
			return wrong;
	}
	return NULL;
}

static const char *check_constraints(const struct check *check, const char *where, const json_t *rules,
				     const json_t *object)
{
	static const char *const constraints[] = {"at_least_one", "just_one"};

	for (size_t i = 0; i < 2; i++) {
		const json_t *list = json_object_get(rules, constraints[i]);
		size_t there = 0;

		for (size_t k = 0; k < json_array_size(list); k++)
			there += json_object_get(object, json_string_value(json_array_get(list, k))) != NULL;
		if (list && (there == 0 || (i == 1 && there > 1)))
			return fault(check, where, constraints[i], "is not so");
	}
	return NULL;
}

static const char *check_object(const struct check *check, const char *where, const json_t *rules, const json_t *object)
{
	const char *wrong;

	if (!json_is_object(object))
		return fault(check, where, "", "is no object");
	wrong = check_members(check, where, json_object_get(rules, "attributes"), NULL, object);
	return wrong ? wrong : check_constraints(check, where, rules, object);
}

const char *ocsf_fault(const json_t *schema, const json_t *event, char *out, size_t size)
{
	const struct check check = {schema, out, size};
	long long uid = json_integer_value(json_object_get(event, "class_uid"));
	long long activity = json_integer_value(json_object_get(event, "activity_id"));
	char key[24];
	const json_t *class;
	const char *wrong;

	out[0] = '\0';
	(void)snprintf(key, sizeof(key), "%lld", uid);
	class = json_object_get(json_object_get(schema, "classes"), key);
	if (!class)
		return fault(&check, "event", "class_uid", "is a class that the extract does not have");
	wrong = check_members(&check, "event", json_object_get(schema, "all"), json_object_get(class, "attributes"),
			      event);
	if (!wrong)
		wrong = check_constraints(&check, "event", class, event);
	if (wrong)
		return wrong;
	if (json_integer_value(json_object_get(event, "category_uid")) !=
		    json_integer_value(json_object_get(class, "category")) ||
	    json_integer_value(json_object_get(event, "type_uid")) != uid * 100 + activity)
		return fault(&check, "event", "type_uid", "does not fit class and activity");
	if (!text_equal(json_string_value(json_object_get(event, "class_name")),
			json_string_value(json_object_get(class, "name"))))
		return fault(&check, "event", "class_name", "is not the class's");
	return NULL;
}
