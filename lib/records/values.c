/* SPDX-License-Identifier: MIT */
#include "records/values.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "records/hours.h"
#include "records/matrix.h"
#include "records/values_sso.h"

#define VERIFIER_PREFIX "sha256:"
#define SSH_KEY_BYTES_MAX 4096 /* decoded */
#define EMAIL_BYTES_MAX 254
#define TEXT_BYTES_MAX 512
#define HOST_BYTES_MAX 253

const char *const value_status_words[] = {"active", "suspended", NULL};
const char *const value_user_kind_words[] = {"person", "service", "operator", NULL};
const char *const value_ssh_keys_words[] = {"directory", "any", NULL};
const char *const value_role_kind_words[] = {"project", "tenant", NULL};
const char *const value_level_words[] = {"none", "viewer", "editor", "owner", NULL};
const char *const value_sudo_words[] = {"always", "recent", "none", NULL};
const char *const value_over_words[] = {"deny", "end-oldest", NULL};

static int fail(struct value_fault *fault, const char *what, const char *remedy)
{
	*fault = (struct value_fault){0};
	snprintf(fault->what, sizeof(fault->what), "%s", what);
	snprintf(fault->remedy, sizeof(fault->remedy), "%s", remedy);
	return -EINVAL;
}

static int check_login(const char *text, struct value_fault *fault)
{
	const char *why = text_login_name_fault(text);
	char what[sizeof(fault->what)];

	if (!why)
		return 0;
	snprintf(what, sizeof(what), "not a login name (it %s)", why);
	return fail(fault, what, "use at most 32 of a-z A-Z 0-9 . _ -");
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

static int check_role_action(const char *text, struct value_fault *fault)
{
	const char *const *actions, *near;
	char remedy[sizeof(fault->remedy)];
	unsigned count;

	if (!text_is_word(text))
		return fail(fault, "not an action", "write it like dataset.write");
	if (matrix_knows_action(text))
		return 0;
	/* Tenants may have actions of their own, but a slip of one letter makes no new action. */
	actions = matrix_actions(&count);
	near = text_suggest(text, actions, count);
	if (near) {
		snprintf(remedy, sizeof(remedy), "did you mean \"%s\"?", near);
		return fail(fault, "no action", remedy);
	}
	if (matrix_action_is_host(text))
		return fail(fault, "no action", "actions on hosts are host.login and host.sudo");
	return 0;
}

int value_check(enum value_kind kind, const char *text, size_t length, struct value_fault *fault)
{
	struct hours hours;

	switch (kind) {
	case VALUE_ID:
		return text_is_id(text) ? 0
					: fail(fault, "not an id", "a letter, then letters, digits and '_', 40 in all");
	case VALUE_REFERENCE:
		return text_is_id(text) ? 0 : fail(fault, "not an id", "references are ids, never slugs or names");
	case VALUE_SLUG:
		return text_is_slug(text)
			       ? 0
			       : fail(fault, "not a slug",
				      "use a-z 0-9 and '-', at most 24, with a letter or digit at both ends");
	case VALUE_LOGIN:
		return check_login(text, fault);
	case VALUE_NAME:
		return length <= TEXT_BYTES_MAX && text_is_passwd_field(text)
			       ? 0
			       : fail(fault, "too long, or has ':' or invisible characters in it",
				      "it becomes a field of passwd");
	case VALUE_TEXT:
		return length <= TEXT_BYTES_MAX && text_is_printable(text, length)
			       ? 0
			       : fail(fault, "too long, or has invisible characters in it", "");
	case VALUE_EMAIL:
		return is_email(text, length) ? 0
					      : fail(fault, "not an e-mail address", "write it like alice@example.com");
	case VALUE_HOME:
		return text_is_safe_path(text) && length < VALUE_HOME_MAX
			       ? 0
			       : fail(fault, "not a safe absolute path", "such as /home/alice, without .. or ':'");
	case VALUE_SHELL:
		return text_is_safe_path(text) ? 0 : fail(fault, "not a safe absolute path", "such as /bin/bash");
	case VALUE_ROLE:
		return text_is_word(text)
			       ? 0
			       : fail(fault, "not a name of a role", "a letter, then letters, digits, '.', '_', '-'");
	case VALUE_WORD:
		return text_is_word(text) ? 0
					  : fail(fault, "not a word", "a letter, then letters, digits, '.', '_', '-'");
	case VALUE_ROLE_ACTION:
		return check_role_action(text, fault);
	case VALUE_HOST_PATTERN:
		return is_host_pattern(text, length) ? 0
						     : fail(fault, "not a host name",
							    "write the name, or its beginning and one '*' at the end");
	case VALUE_SSH_KEY:
		return text_is_printable(text, length) && is_ssh_key(text)
			       ? 0
			       : fail(fault, "not an SSH public key",
				      "one line of a .pub file, without options before it");
	case VALUE_HOURS:
		return hours_parse(text, &hours) == 0
			       ? 0
			       : fail(fault, "not a span of hours", "write it like \"mon-fri 08:00-18:00\" (UTC)");
	case VALUE_ISSUER:
	case VALUE_SUBJECT:
	case VALUE_CLIENT_ID:
	case VALUE_CLIENT_SECRET:
	case VALUE_CLIENT_KEY:
	case VALUE_SCOPE:
	case VALUE_CLAIM:
	case VALUE_DOMAIN:
		return value_check_sso(kind, text, length, fault);
	}
	return fail(fault, "of an unknown type", "");
}

int value_cidr(const char *text, struct cidr *ret, struct value_fault *fault)
{
	if (parse_cidr(text, ret) < 0)
		return fail(fault, "not an address block",
			    "write it like 10.0.0.0/8 or \"2001:db8::/32\", with no bits set past the prefix");
	return 0;
}

int value_verifier(const char *text, uint8_t ret[SHA256_BYTES], struct value_fault *fault)
{
	if (text_starts(text, VERIFIER_PREFIX) && strlen(text) == strlen(VERIFIER_PREFIX) + 2 * (size_t)SHA256_BYTES &&
	    text_from_hex(text + strlen(VERIFIER_PREFIX), ret, SHA256_BYTES) == 0)
		return 0;
	fail(fault, "not \"sha256:\" and 64 hex digits",
	     "`tenantctl directory add-key` makes keys and their verifiers");
	fault->secret = true; /* somebody may have put a key here */
	return -EINVAL;
}

int value_managed_id(uint32_t value, struct value_fault *fault)
{
	char remedy[sizeof(fault->remedy)];

	if (value >= MANAGED_ID_FIRST && value <= MANAGED_ID_TENANT_LAST)
		return 0;
	snprintf(remedy, sizeof(remedy), "tenantd looks after ids %u to %u and never touches others", MANAGED_ID_FIRST,
		 MANAGED_ID_TENANT_LAST);
	return fail(fault, "outside the managed range", remedy);
}

int value_choice(const char *text, const char *const *words, uint32_t *ret, struct value_fault *fault)
{
	char remedy[sizeof(fault->remedy)];
	const char *near;
	size_t count = 0;
	int length;

	for (; words[count]; count++)
		if (strcmp(words[count], text) == 0) {
			*ret = (uint32_t)count;
			return 0;
		}
	near = text_suggest(text, words, count);
	if (near) {
		snprintf(remedy, sizeof(remedy), "did you mean \"%s\"?", near);
	} else {
		length = snprintf(remedy, sizeof(remedy), "write");
		for (size_t i = 0; i < count; i++)
			length += snprintf(remedy + length, sizeof(remedy) - (size_t)length, "%s \"%s\"",
					   i ? " or" : "", words[i]);
	}
	return fail(fault, "none of the words it may be", remedy);
}

int value_refuse(struct problem *problem, const char *field, const char *text, size_t length,
		 const struct value_fault *fault)
{
	char escaped[96];

	if (fault->secret || !text)
		problem_set(problem, EINVAL, "\"%s\" is %s", field, fault->what);
	else
		problem_set(problem, EINVAL, "\"%s\" is %s: \"%s\"", field, fault->what,
			    text_escape(text, length, escaped, sizeof(escaped)));
	problem_remedy(problem, "%s", fault->remedy);
	return -EINVAL;
}
