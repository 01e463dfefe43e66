/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "directory/yaml_schema.h"

static int expect(struct loader *loader, yaml_event_type_t type, const struct field *field, const char *wanted)
{
	if (loader->reader->event.type == type)
		return 0;
	return yaml_reader_fail(loader->reader, type == YAML_SEQUENCE_START_EVENT ? "an empty list is written []" : "",
				"\"%s\" must be %s, not %s", field->name, wanted, yaml_reader_what(loader->reader));
}

/* A list of scalars: {items, count}, as in struct string_list and struct cidr_list. */
struct any_list {
	void *items;
	uint32_t count;
};

static int keep_items(struct loader *loader, const void *items, uint32_t count, size_t size, void **ret)
{
	void *kept = NULL;

	if (count > 0) {
		kept = arena_alloc(&loader->unit->arena, count * size);
		if (!kept)
			return -ENOMEM;
		memcpy(kept, items, count * size);
	}
	*ret = kept;
	return 0;
}

static int make_room(struct loader *loader, void **items, uint32_t count, uint32_t *capacity, size_t size)
{
	void *grown;

	if (count < *capacity)
		return 0;
	if (count >= VALUE_LIST_MAX)
		return yaml_reader_fail(loader->reader, "", "more than %u items in one list", VALUE_LIST_MAX);
	grown = reallocarray(*items, *capacity ? *capacity * 2 : 8, size);
	if (!grown)
		return -ENOMEM;
	*items = grown;
	*capacity = *capacity ? *capacity * 2 : 8;
	return 0;
}

static int read_list(struct loader *loader, const struct field *field, struct any_list *ret)
{
	_cleanup_(freep) void *items = NULL;
	size_t size = schema_item_size(field->type);
	uint32_t count = 0, capacity = 0;
	int r = expect(loader, YAML_SEQUENCE_START_EVENT, field, "a list");

	while (r == 0) {
		r = yaml_reader_next(loader->reader);
		if (r < 0)
			return r;
		if (loader->reader->event.type == YAML_SEQUENCE_END_EVENT)
			break;
		r = expect(loader, YAML_SCALAR_EVENT, field, "a list of single values");
		if (r == 0)
			r = make_room(loader, &items, count, &capacity, size);
		if (r == 0)
			r = schema_item(loader, field, (char *)items + count * size);
		count++;
	}
	if (r == 0)
		r = keep_items(loader, items, count, size, &ret->items);
	if (r == 0)
		ret->count = count;
	return r;
}

static int read_records(struct loader *loader, const struct field *field, void *record)
{
	_cleanup_(freep) void *items = NULL;
	size_t size = field->inner->size;
	uint32_t count = 0, capacity = 0;
	int r = expect(loader, YAML_SEQUENCE_START_EVENT, field, "a list");

	while (r == 0) {
		r = yaml_reader_next(loader->reader);
		if (r < 0)
			return r;
		if (loader->reader->event.type == YAML_SEQUENCE_END_EVENT)
			break;
		r = expect(loader, YAML_MAPPING_START_EVENT, field, "a list of mappings");
		if (r == 0)
			r = make_room(loader, &items, count, &capacity, size);
		if (r == 0)
			r = schema_read(loader, field->inner, (char *)items + count * size);
		count++;
	}
	if (r == 0)
		r = keep_items(loader, items, count, size, (void **)(void *)((char *)record + field->offset));
	if (r == 0)
		*(uint32_t *)(void *)((char *)record + field->count_offset) = count;
	return r;
}

static int read_value(struct loader *loader, const struct field *field, void *record)
{
	char *target = (char *)record + field->offset;
	int r;

	switch (field->type) {
	case FIELD_MAP:
		r = expect(loader, YAML_MAPPING_START_EVENT, field, "a mapping");
		return r < 0 ? r : schema_read(loader, field->inner, record);
	case FIELD_RECORDS:
		return read_records(loader, field, record);
	case FIELD_IDS:
	case FIELD_WORDS:
	case FIELD_ACTIONS:
	case FIELD_ROLE_ACTIONS:
	case FIELD_CIDRS:
	case FIELD_SSH_KEYS:
	case FIELD_HOURS:
	case FIELD_SCOPES:
	case FIELD_CLAIMS:
	case FIELD_DOMAINS:
		return read_list(loader, field, (struct any_list *)(void *)target);
	case FIELD_ID:
	case FIELD_SLUG:
	case FIELD_LOGIN:
	case FIELD_HOME:
	case FIELD_NAME:
	case FIELD_TEXT:
	case FIELD_EMAIL:
	case FIELD_PATH:
	case FIELD_WORD:
	case FIELD_PATTERN:
	case FIELD_VERIFIER:
	case FIELD_ISSUER:
	case FIELD_SUBJECT:
	case FIELD_CLIENT_ID:
	case FIELD_CLIENT_SECRET:
	case FIELD_CLIENT_KEY:
	case FIELD_CLAIM:
	case FIELD_DOMAIN:
	case FIELD_SECONDS:
	case FIELD_SPAN:
	case FIELD_BOOL:
	case FIELD_U32:
	case FIELD_LIMIT:
	case FIELD_MANAGED_ID:
	case FIELD_TIME:
	case FIELD_DAYS:
	case FIELD_CHOICE:
	case FIELD_CHOICE_BOOL:
		r = expect(loader, YAML_SCALAR_EVENT, field, "a single value");
		return r < 0 ? r : schema_scalar(loader, field, record);
	}
	return -EINVAL;
}

static int unknown_key(struct loader *loader, const struct schema *schema, const char *key)
{
	const char *names[FIELDS_MAX] = {0}, *near;
	char remedy[PROBLEM_TEXT_MAX], escaped[96];
	uint32_t count = 0;
	int length;

	for (; count < schema->count && count < FIELDS_MAX; count++)
		names[count] = schema->fields[count].name;
	near = text_suggest(key, names, count);
	if (near) {
		snprintf(remedy, sizeof(remedy), "did you mean \"%s\"?", near);
	} else {
		length = snprintf(remedy, sizeof(remedy), "known are");
		for (uint32_t i = 0; i < count && length < (int)sizeof(remedy); i++)
			length += snprintf(remedy + length, sizeof(remedy) - (size_t)length, "%s %s", i ? "," : "",
					   names[i]);
	}
	return yaml_reader_fail(loader->reader, remedy, "unknown key \"%s\" in %s",
				text_escape(key, strlen(key), escaped, sizeof(escaped)), schema->what);
}

/* Files keep to one order of keys, so the search begins behind the key found last. */
static int find_field(struct loader *loader, const struct schema *schema, uint32_t *at)
{
	const char *key = yaml_scalar(loader->reader);

	for (uint32_t i = 0; i < schema->count; i++) {
		uint32_t candidate = (*at + i) % schema->count;

		if (strcmp(schema->fields[candidate].name, key) == 0) {
			*at = candidate;
			return 0;
		}
	}
	return unknown_key(loader, schema, key);
}

int schema_read(struct loader *loader, const struct schema *schema, void *record)
{
	yaml_mark_t start = loader->reader->event.start_mark;
	uint32_t seen = 0, at = 0;
	int r;

	if (schema->size)
		memset(record, 0, schema->size);
	if (schema->defaults)
		schema->defaults(loader, record);
	for (;;) {
		r = yaml_reader_next(loader->reader);
		if (r < 0)
			return r;
		if (loader->reader->event.type == YAML_MAPPING_END_EVENT)
			break;
		if (loader->reader->event.type != YAML_SCALAR_EVENT)
			return yaml_reader_fail(loader->reader, "", "a key must be a word, not %s",
						yaml_reader_what(loader->reader));
		r = find_field(loader, schema, &at);
		if (r < 0)
			return r;
		if (seen & (1U << at))
			return yaml_reader_fail(loader->reader, "keep one of them", "key \"%s\" is given twice in %s",
						schema->fields[at].name, schema->what);
		seen |= 1U << at;
		r = yaml_reader_next(loader->reader);
		if (r == 0)
			r = read_value(loader, &schema->fields[at], record);
		if (r < 0)
			return r;
		at = (at + 1) % schema->count;
	}
	for (uint32_t i = 0; i < schema->count; i++)
		if (schema->fields[i].required && !(seen & (1U << i)))
			return yaml_reader_fail_at(loader->reader, start, "add it", "%s needs \"%s\"", schema->what,
						   schema->fields[i].name);
	return schema->finish ? schema->finish(loader, record, start) : 0;
}
