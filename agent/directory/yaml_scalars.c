/* SPDX-License-Identifier: MIT
 *
 * Single values of the directory file: each type's rule, in one place, with what to write instead.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "directory/yaml_schema.h"
#include "records/hours.h"
#include "records/matrix.h"

#define VERIFIER_PREFIX "sha256:"
#define SSH_KEY_BYTES_MAX 4096 /* decoded */
#define EMAIL_BYTES_MAX 254
#define TEXT_BYTES_MAX 512
#define HOST_BYTES_MAX 253
#define SECONDS_PER_DAY 86400U
#define WARN_DAYS_MAX 3650U

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

static int wrong(struct loader *loader, const char *name, const char *what, const char *remedy)
{
	char escaped[96];

	return yaml_reader_fail(
		loader->reader, remedy, "\"%s\" is %s: \"%s\"", name, what,
		text_escape(yaml_scalar(loader->reader), yaml_scalar_length(loader->reader), escaped, sizeof(escaped)));
}

static int read_number(struct loader *loader, const struct field *field, uint32_t *target)
{
	uint32_t value;

	if (!yaml_scalar_is_plain(loader->reader) || parse_u32(yaml_scalar(loader->reader), &value) < 0)
		return wrong(loader, field->name, "not a whole number", "write digits only, without quotes");
	if (field->type == FIELD_MANAGED_ID && (value < MANAGED_ID_FIRST || value > MANAGED_ID_TENANT_LAST)) {
		char remedy[PROBLEM_TEXT_MAX];

		snprintf(remedy, sizeof(remedy), "tenantd looks after ids %u to %u and never touches others",
			 MANAGED_ID_FIRST, MANAGED_ID_TENANT_LAST);
		return wrong(loader, field->name, "outside the managed range", remedy);
	}
	*target = value;
	return 0;
}

static int read_choice(struct loader *loader, const struct field *field, uint32_t *ret)
{
	char remedy[PROBLEM_TEXT_MAX];
	const char *near;
	size_t count = 0;
	int length;

	for (; field->choices[count]; count++)
		if (strcmp(field->choices[count], yaml_scalar(loader->reader)) == 0) {
			*ret = (uint32_t)count;
			return 0;
		}
	near = text_suggest(yaml_scalar(loader->reader), field->choices, count);
	if (near) {
		snprintf(remedy, sizeof(remedy), "did you mean \"%s\"?", near);
	} else {
		length = snprintf(remedy, sizeof(remedy), "write");
		for (size_t i = 0; i < count; i++)
			length += snprintf(remedy + length, sizeof(remedy) - (size_t)length, "%s \"%s\"",
					   i ? " or" : "", field->choices[i]);
	}
	return wrong(loader, field->name, "none of the words it may be", remedy);
}

static int read_verifier(struct loader *loader, const struct field *field, uint8_t *target)
{
	const char *text = yaml_scalar(loader->reader);

	/* The value itself is not shown: somebody may have put a key here. */
	if (!text_starts(text, VERIFIER_PREFIX) || strlen(text) != strlen(VERIFIER_PREFIX) + 2 * (size_t)SHA256_BYTES ||
	    text_from_hex(text + strlen(VERIFIER_PREFIX), target, SHA256_BYTES) < 0)
		return yaml_reader_fail(loader->reader, "`tenantctl directory add-key` makes keys and their verifiers",
					"\"%s\" is not \"sha256:\" and 64 hex digits", field->name);
	return 0;
}

static int read_login(struct loader *loader, const struct field *field)
{
	const char *text = yaml_scalar(loader->reader), *fault = text_login_name_fault(text);
	char what[128];

	if (fault) {
		snprintf(what, sizeof(what), "not a login name (it %s)", fault);
		return wrong(loader, field->name, what, "use at most 32 of a-z A-Z 0-9 . _ -");
	}
	snprintf(loader->login, sizeof(loader->login), "%s", text);
	return 0;
}

static bool is_email(const char *text, size_t length)
{
	const char *at = strchr(text, '@');

	return length <= EMAIL_BYTES_MAX && at && at != text && at[1] && !strchr(at + 1, '@') && !strchr(text, ' ') &&
	       text_is_printable(text, length);
}

static bool is_host_pattern(const char *text, size_t length)
{
	size_t body = length > 0 && text[length - 1] == '*' ? length - 1 : length;

	if (length == 0 || length > HOST_BYTES_MAX)
		return false;
	for (size_t i = 0; i < body; i++)
		if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= '0' && text[i] <= '9') || text[i] == '-' ||
		      text[i] == '.' || (text[i] >= 'A' && text[i] <= 'Z')))
			return false;
	return body == 0 || text[0] != '-';
}

static int read_time(struct loader *loader, const struct field *field, int64_t *target)
{
	if (parse_time(yaml_scalar(loader->reader), target) < 0)
		return wrong(loader, field->name, "not a time", "write it like 2027-01-31T08:00:00Z");
	/* 0 means "none" to everybody else, so that a key that ended at the epoch would never end. */
	if (*target <= 0)
		return wrong(loader, field->name, "not after 1970-01-01T00:00:00Z",
			     "write when it was or will be, or leave the key out");
	return 0;
}

static int read_days(struct loader *loader, const struct field *field, uint32_t *target)
{
	uint64_t seconds;

	if (parse_duration(yaml_scalar(loader->reader), &seconds) < 0 ||
	    seconds > (uint64_t)WARN_DAYS_MAX * SECONDS_PER_DAY)
		return wrong(loader, field->name, "not a span of time", "write it like 14d");
	*target = (uint32_t)((seconds + SECONDS_PER_DAY - 1) / SECONDS_PER_DAY);
	return 0;
}

int schema_scalar(struct loader *loader, const struct field *field, void *record)
{
	void *target = (char *)record + field->offset;
	const char *text = yaml_scalar(loader->reader);
	size_t length = yaml_scalar_length(loader->reader);
	uint32_t choice;
	int r;

	if (yaml_scalar_is_null(loader->reader))
		return yaml_reader_fail(loader->reader, "leave the key out where there is nothing to say",
					"\"%s\" has no value", field->name);
	switch (field->type) {
	case FIELD_ID:
		if (!text_is_id(text))
			return wrong(loader, field->name, "not an id",
				     "a letter, then letters, digits and '_', 40 in all");
		return schema_intern(loader, text, length, target);
	case FIELD_SLUG:
		if (!text_is_slug(text))
			return wrong(loader, field->name, "not a slug",
				     "use a-z 0-9 and '-', at most 24, with a letter or digit at both ends");
		return keep(loader, text, length, target);
	case FIELD_LOGIN:
		return read_login(loader, field);
	case FIELD_HOME:
		if (!text_is_safe_path(text) || length >= sizeof(loader->home))
			return wrong(loader, field->name, "not a safe absolute path",
				     "such as /home/alice, without .. or ':'");
		memcpy(loader->home, text, length + 1);
		return 0;
	case FIELD_NAME:
		if (length > TEXT_BYTES_MAX || !text_is_passwd_field(text))
			return wrong(loader, field->name, "too long, or has ':' or invisible characters in it",
				     "it becomes a field of passwd");
		return keep(loader, text, length, target);
	case FIELD_TEXT:
		if (length > TEXT_BYTES_MAX || !text_is_printable(text, length))
			return wrong(loader, field->name, "too long, or has invisible characters in it", "");
		return schema_intern(loader, text, length, target);
	case FIELD_EMAIL:
		if (!is_email(text, length))
			return wrong(loader, field->name, "not an e-mail address", "write it like alice@example.com");
		return keep(loader, text, length, target);
	case FIELD_PATH:
		if (!text_is_safe_path(text))
			return wrong(loader, field->name, "not a safe absolute path", "such as /bin/bash");
		return schema_intern(loader, text, length, target);
	case FIELD_WORD:
		if (!text_is_word(text))
			return wrong(loader, field->name, "not a name of a role",
				     "a letter, then letters, digits, '.', '_', '-'");
		return schema_intern(loader, text, length, target);
	case FIELD_PATTERN:
		if (!is_host_pattern(text, length))
			return wrong(loader, field->name, "not a host name",
				     "write the name, or its beginning and one '*' at the end");
		return keep(loader, text, length, target);
	case FIELD_VERIFIER:
		return read_verifier(loader, field, target);
	case FIELD_U32:
	case FIELD_MANAGED_ID:
		return read_number(loader, field, target);
	case FIELD_TIME:
		return read_time(loader, field, target);
	case FIELD_DAYS:
		return read_days(loader, field, target);
	case FIELD_CHOICE:
		return read_choice(loader, field, target);
	case FIELD_CHOICE_BOOL:
		r = read_choice(loader, field, &choice);
		if (r == 0)
			*(bool *)target = choice == 1;
		return r;
	case FIELD_IDS:
	case FIELD_WORDS:
	case FIELD_ACTIONS:
	case FIELD_ROLE_ACTIONS:
	case FIELD_CIDRS:
	case FIELD_SSH_KEYS:
	case FIELD_HOURS:
	case FIELD_MAP:
	case FIELD_RECORDS:
		break;
	}
	return -EINVAL;
}

/* "type base64 comment": the type stands inside the base64 again, which catches cut and mixed keys. */
static bool is_ssh_key(const char *text)
{
	static const char *const types[] = {
		"ssh-ed25519",
		"ecdsa-sha2-nistp256",
		"ecdsa-sha2-nistp384",
		"ecdsa-sha2-nistp521",
		"ssh-rsa",
		"sk-ssh-ed25519@openssh.com",
		"sk-ecdsa-sha2-nistp256@openssh.com",
	};
	uint8_t blob[SSH_KEY_BYTES_MAX];
	char encoded[SSH_KEY_BYTES_MAX * 4 / 3 + 8];
	size_t type_length = strcspn(text, " "), length, decoded;
	bool known = false;

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		known |= strlen(types[i]) == type_length && memcmp(types[i], text, type_length) == 0;
	if (!known || text[type_length] != ' ')
		return false;
	length = strcspn(text + type_length + 1, " ");
	if (length >= sizeof(encoded))
		return false;
	memcpy(encoded, text + type_length + 1, length);
	encoded[length] = '\0';
	if (base64_decode(encoded, blob, sizeof(blob), &decoded) < 0 || decoded < 4 + type_length + 4)
		return false;
	return ((size_t)blob[0] << 24 | (size_t)blob[1] << 16 | (size_t)blob[2] << 8 | blob[3]) == type_length &&
	       memcmp(blob + 4, text, type_length) == 0;
}

static int check_role_action(struct loader *loader, const char *text)
{
	const char *const *actions, *near;
	char remedy[PROBLEM_TEXT_MAX];
	unsigned count;

	if (matrix_knows_action(text))
		return 0;
	/* Tenants may have actions of their own, but a slip of one letter makes no new action. */
	actions = matrix_actions(&count);
	near = text_suggest(text, actions, count);
	if (near) {
		snprintf(remedy, sizeof(remedy), "did you mean \"%s\"?", near);
		return wrong(loader, "actions", "no action", remedy);
	}
	if (matrix_action_is_host(text))
		return wrong(loader, "actions", "no action", "actions on hosts are host.login and host.sudo");
	return 0;
}

size_t schema_item_size(enum field_type type)
{
	return type == FIELD_CIDRS ? sizeof(struct cidr) : sizeof(const char *);
}

int schema_item(struct loader *loader, const struct field *field, void *ret)
{
	const char *text = yaml_scalar(loader->reader);
	size_t length = yaml_scalar_length(loader->reader);
	struct cidr block;
	struct hours hours;
	int r;

	if (yaml_scalar_is_null(loader->reader))
		return yaml_reader_fail(loader->reader, "", "an item of \"%s\" has no value", field->name);
	switch (field->type) {
	case FIELD_IDS:
		if (!text_is_id(text))
			return wrong(loader, field->name, "not an id", "references are ids, never slugs or names");
		break;
	case FIELD_WORDS:
	case FIELD_ACTIONS:
		if (!text_is_word(text))
			return wrong(loader, field->name, "not a word",
				     "a letter, then letters, digits, '.', '_', '-'");
		break;
	case FIELD_ROLE_ACTIONS:
		if (!text_is_word(text))
			return wrong(loader, field->name, "not an action", "write it like dataset.write");
		r = check_role_action(loader, text);
		if (r < 0)
			return r;
		break;
	case FIELD_CIDRS:
		if (parse_cidr(text, &block) < 0)
			return wrong(loader, field->name, "not an address block",
				     "write it like 10.0.0.0/8 or \"2001:db8::/32\", with no bits set past the prefix");
		memcpy(ret, &block, sizeof(block));
		return 0;
	case FIELD_SSH_KEYS:
		if (!text_is_printable(text, length) || !is_ssh_key(text))
			return wrong(loader, field->name, "not an SSH public key",
				     "one line of a .pub file, without options before it");
		return keep(loader, text, length, ret);
	case FIELD_HOURS:
		if (hours_parse(text, &hours) < 0)
			return wrong(loader, field->name, "not a span of hours",
				     "write it like \"mon-fri 08:00-18:00\" (UTC)");
		break;
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
	case FIELD_U32:
	case FIELD_MANAGED_ID:
	case FIELD_TIME:
	case FIELD_DAYS:
	case FIELD_CHOICE:
	case FIELD_CHOICE_BOOL:
	case FIELD_MAP:
	case FIELD_RECORDS:
		return -EINVAL;
	}
	return schema_intern(loader, text, length, ret);
}
