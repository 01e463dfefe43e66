/* SPDX-License-Identifier: MIT
 *
 * Single values of the directory file: how each is written in YAML. What they may be is records/values.h's to say.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/text.h"
#include "directory/yaml_schema.h"
#include "records/values.h"

#define SECONDS_PER_DAY 86400U

int schema_intern(struct loader *loader, const char *text, size_t length, const char **ret)
{
	const char *kept = intern_text(&loader->intern, text, length);

	if (!kept)
		return -ENOMEM;
	*ret = kept;
	return 0;
}

static int keep(struct loader *loader, const char *text, size_t length, const char **ret)
{
	const char *kept = pool_add(&loader->unit->pool, text, length);

	if (!kept)
		return -ENOMEM;
	*ret = kept;
	return 0;
}

int schema_refuse_at(struct loader *loader, yaml_mark_t start, const struct problem *problem)
{
	return yaml_reader_fail_at(loader->reader, start, problem->remedy, "%s", problem->text);
}

static int refuse(struct loader *loader, const struct field *field, const struct value_fault *fault)
{
	struct problem problem = {0};

	value_refuse(&problem, field->name, yaml_scalar(loader->reader), yaml_scalar_length(loader->reader), fault);
	if (fault->secret)
		yaml_reader_wipe(loader->reader);
	return yaml_reader_fail(loader->reader, problem.remedy, "%s", problem.text);
}

static int wrong(struct loader *loader, const struct field *field, const char *what, const char *remedy)
{
	struct value_fault fault = {0};

	snprintf(fault.what, sizeof(fault.what), "%s", what);
	snprintf(fault.remedy, sizeof(fault.remedy), "%s", remedy);
	return refuse(loader, field, &fault);
}

static int read_number(struct loader *loader, const struct field *field, uint32_t *target)
{
	struct value_fault fault;
	uint32_t value;

	if (!yaml_scalar_is_plain(loader->reader) || parse_u32(yaml_scalar(loader->reader), &value) < 0)
		return wrong(loader, field, "not a whole number", "write digits only, without quotes");
	if (field->type == FIELD_LIMIT && value == 0)
		return wrong(loader, field, "no limit", "leave the key out where there is none");
	if (field->type == FIELD_MANAGED_ID && value_managed_id(value, &fault) < 0)
		return refuse(loader, field, &fault);
	*target = value;
	return 0;
}

static int read_time(struct loader *loader, const struct field *field, int64_t *target)
{
	if (parse_time(yaml_scalar(loader->reader), target) < 0)
		return wrong(loader, field, "not a time", "write it like 2027-01-31T08:00:00Z");
	/* 0 means "none" to everybody else, so that a key that ended at the epoch would never end. */
	if (*target <= 0)
		return wrong(loader, field, "not after 1970-01-01T00:00:00Z",
			     "write when it was or will be, or leave the key out");
	return 0;
}

static int read_days(struct loader *loader, const struct field *field, uint32_t *target)
{
	uint64_t seconds;

	if (parse_duration(yaml_scalar(loader->reader), &seconds) < 0 ||
	    seconds > (uint64_t)VALUE_WARN_DAYS_MAX * SECONDS_PER_DAY)
		return wrong(loader, field, "not a span of time", "write it like 14d");
	*target = (uint32_t)((seconds + SECONDS_PER_DAY - 1) / SECONDS_PER_DAY);
	return 0;
}

static int read_seconds(struct loader *loader, const struct field *field, uint32_t *target)
{
	uint64_t seconds;

	if (parse_duration(yaml_scalar(loader->reader), &seconds) < 0 || (seconds == 0 && field->type != FIELD_SPAN) ||
	    seconds > UINT32_MAX)
		return wrong(loader, field, "not a span of time", "write it like 15min, 8h or 1d");
	*target = (uint32_t)seconds;
	return 0;
}

static int read_bool(struct loader *loader, const struct field *field, bool *target)
{
	if (!yaml_scalar_is_plain(loader->reader) || parse_bool(yaml_scalar(loader->reader), target) < 0)
		return wrong(loader, field, "neither true nor false", "write true or false, without quotes");
	return 0;
}

/* By which rule of values.h a scalar or an item of this type is judged; -1: by none of them. */
static int value_kind_of(enum field_type type)
{
	switch (type) {
	case FIELD_ID:
		return VALUE_ID;
	case FIELD_IDS:
		return VALUE_REFERENCE;
	case FIELD_SLUG:
		return VALUE_SLUG;
	case FIELD_LOGIN:
		return VALUE_LOGIN;
	case FIELD_HOME:
		return VALUE_HOME;
	case FIELD_NAME:
		return VALUE_NAME;
	case FIELD_TEXT:
		return VALUE_TEXT;
	case FIELD_EMAIL:
		return VALUE_EMAIL;
	case FIELD_PATH:
		return VALUE_SHELL;
	case FIELD_WORD:
		return VALUE_ROLE;
	case FIELD_WORDS:
	case FIELD_ACTIONS:
		return VALUE_WORD;
	case FIELD_ROLE_ACTIONS:
		return VALUE_ROLE_ACTION;
	case FIELD_PATTERN:
		return VALUE_HOST_PATTERN;
	case FIELD_SSH_KEYS:
		return VALUE_SSH_KEY;
	case FIELD_HOURS:
		return VALUE_HOURS;
	case FIELD_ISSUER:
		return VALUE_ISSUER;
	case FIELD_SUBJECT:
		return VALUE_SUBJECT;
	case FIELD_CLIENT_ID:
		return VALUE_CLIENT_ID;
	case FIELD_CLIENT_SECRET:
		return VALUE_CLIENT_SECRET;
	case FIELD_CLIENT_KEY:
		return VALUE_CLIENT_KEY;
	case FIELD_SCOPES:
		return VALUE_SCOPE;
	case FIELD_CLAIM:
	case FIELD_CLAIMS:
		return VALUE_CLAIM;
	case FIELD_DOMAIN:
	case FIELD_DOMAINS:
		return VALUE_DOMAIN;
	case FIELD_SECONDS:
	case FIELD_SPAN:
	case FIELD_BOOL:
	case FIELD_VERIFIER:
	case FIELD_U32:
	case FIELD_LIMIT:
	case FIELD_MANAGED_ID:
	case FIELD_TIME:
	case FIELD_DAYS:
	case FIELD_CHOICE:
	case FIELD_CHOICE_BOOL:
	case FIELD_CIDRS:
	case FIELD_MAP:
	case FIELD_RECORDS:
		break;
	}
	return -1;
}

/* Texts that many records have are kept once. */
static bool is_shared(enum field_type type)
{
	return type != FIELD_SLUG && type != FIELD_NAME && type != FIELD_EMAIL && type != FIELD_PATTERN &&
	       type != FIELD_SSH_KEYS && type != FIELD_SUBJECT;
}

static bool is_secret(enum field_type type)
{
	return type == FIELD_CLIENT_SECRET || type == FIELD_CLIENT_KEY;
}

static int read_text(struct loader *loader, const struct field *field, void *target)
{
	const char *text = yaml_scalar(loader->reader);
	size_t length = yaml_scalar_length(loader->reader);
	int kind = value_kind_of(field->type);
	struct value_fault fault;

	if (kind < 0)
		return -EINVAL;
	if (value_check((enum value_kind)kind, text, length, &fault) < 0)
		return refuse(loader, field, &fault);
	if (is_secret(field->type)) {
		const char *kept = unit_keep_secret(loader->unit, text, length);

		yaml_reader_wipe(loader->reader);
		if (!kept)
			return -ENOMEM;
		memcpy(target, &kept, sizeof(kept));
		return 0;
	}
	if (field->type == FIELD_LOGIN || field->type == FIELD_HOME) {
		memcpy(field->type == FIELD_LOGIN ? loader->login : loader->home, text, length + 1);
		return 0;
	}
	return is_shared(field->type) ? schema_intern(loader, text, length, target)
				      : keep(loader, text, length, target);
}

int schema_scalar(struct loader *loader, const struct field *field, void *record)
{
	void *target = (char *)record + field->offset;
	struct value_fault fault;
	uint32_t choice;

	if (yaml_scalar_is_null(loader->reader))
		return yaml_reader_fail(loader->reader, "leave the key out where there is nothing to say",
					"\"%s\" has no value", field->name);
	if (field->type == FIELD_U32 || field->type == FIELD_LIMIT || field->type == FIELD_MANAGED_ID)
		return read_number(loader, field, target);
	if (field->type == FIELD_TIME)
		return read_time(loader, field, target);
	if (field->type == FIELD_DAYS)
		return read_days(loader, field, target);
	if (field->type == FIELD_SECONDS || field->type == FIELD_SPAN)
		return read_seconds(loader, field, target);
	if (field->type == FIELD_BOOL)
		return read_bool(loader, field, target);
	if (field->type == FIELD_VERIFIER)
		return value_verifier(yaml_scalar(loader->reader), target, &fault) < 0 ? refuse(loader, field, &fault)
										       : 0;
	if (field->type != FIELD_CHOICE && field->type != FIELD_CHOICE_BOOL)
		return read_text(loader, field, target);
	if (value_choice(yaml_scalar(loader->reader), field->choices, &choice, &fault) < 0)
		return refuse(loader, field, &fault);
	if (field->type == FIELD_CHOICE)
		*(uint32_t *)target = choice;
	else
		*(bool *)target = choice == 1;
	return 0;
}

size_t schema_item_size(enum field_type type)
{
	return type == FIELD_CIDRS ? sizeof(struct cidr) : sizeof(const char *);
}

int schema_item(struct loader *loader, const struct field *field, void *ret)
{
	struct value_fault fault;

	if (yaml_scalar_is_null(loader->reader))
		return yaml_reader_fail(loader->reader, "", "an item of \"%s\" has no value", field->name);
	if (field->type == FIELD_CIDRS)
		return value_cidr(yaml_scalar(loader->reader), ret, &fault) < 0 ? refuse(loader, field, &fault) : 0;
	return read_text(loader, field, ret);
}
