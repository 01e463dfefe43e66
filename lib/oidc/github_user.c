/* SPDX-License-Identifier: MIT
 *
 * Who somebody is at GitHub. Logins there are given to others once they are free, so that only the number counts.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "oidc/answer_text.h"
#include "oidc/answers.h"
#include "oidc/email.h"
#include "oidc/id_token.h"
#include "json/json_read.h"

static int read_document(const char *what, const char *text, size_t length, json_type type, json_t **ret,
			 struct problem *problem)
{
	_cleanup_(json_decrefp) json_t *document = NULL;

	if (length > OIDC_ANSWER_MAX)
		return problem_set(problem, EINVAL, "GitHub's %s is larger than %u bytes", what, OIDC_ANSWER_MAX);
	if (json_read(text, length, &document, &(struct problem){0}) < 0 || json_typeof(document) != type)
		return problem_set(problem, EINVAL, "GitHub's %s cannot be read", what);
	*ret = TAKE_PTR(document);
	return 0;
}

/* The primary address. Several that are primary are none. */
static void read_emails(const json_t *list, struct oidc_identity *ret)
{
	const json_t *entry;
	unsigned primary = 0;
	size_t i;

	json_array_foreach(list, i, entry)
	{
		const char *email = json_string_value(json_object_get(entry, "email"));

		if (!json_is_true(json_object_get(entry, "primary")))
			continue;
		primary++;
		if (!email || !oidc_email_is_plain(email))
			continue;
		memcpy(ret->email, email, strlen(email) + 1);
		ret->email_verified = json_is_true(json_object_get(entry, "verified"));
	}
	if (primary > 1 || !ret->email[0]) {
		ret->email[0] = '\0';
		ret->email_verified = false;
	}
}

int github_user_parse(const char *user, size_t user_length, const char *emails, size_t emails_length,
		      const char *issuer, struct oidc_identity *ret, struct problem *problem)
{
	_cleanup_(json_decrefp) json_t *document = NULL, *list = NULL;
	struct oidc_identity found = {0};
	const json_t *id;
	int r = read_document("user", user, user_length, JSON_OBJECT, &document, problem);

	if (r == 0 && emails)
		r = read_document("list of addresses", emails, emails_length, JSON_ARRAY, &list, problem);
	if (r < 0)
		return r;
	id = json_object_get(document, "id");
	if (!json_is_integer(id) || json_integer_value(id) <= 0)
		return problem_set(problem, EINVAL, "GitHub's user has no number");
	if (strlen(issuer) >= sizeof(found.issuer))
		return problem_set(problem, EINVAL, "the issuer is too long");
	/* Organisations and bots have numbers, too; nobody signs in as one. */
	if (!text_equal(json_string_value(json_object_get(document, "type")), "User"))
		return problem_set(problem, EINVAL, "GitHub's user is no person (\"type\")");
	memcpy(found.issuer, issuer, strlen(issuer) + 1);
	snprintf(found.subject, sizeof(found.subject), "%" JSON_INTEGER_FORMAT, json_integer_value(id));
	answer_name(json_string_value(json_object_get(document, "login")), found.name, sizeof(found.name));
	read_emails(list, &found);
	*ret = found;
	return 0;
}
