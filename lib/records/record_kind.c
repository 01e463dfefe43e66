/* SPDX-License-Identifier: MIT
 *
 * The feed's words for the kinds of records.
 */
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "records/record_json.h"

static const char *const words[] = {
	[RECORD_TENANT] = "tenant",
	[RECORD_PROJECT] = "project",
	[RECORD_USER] = "user",
	[RECORD_MEMBER] = "member",
	[RECORD_KEY] = "key",
	[RECORD_HOST] = "host",
	[RECORD_TOKEN_KEY] = "token_key",
	[RECORD_REVOCATION] = "revocation",
	[RECORD_IDP] = "idp",
	[RECORD_GRANT] = "grant",
};

const char *record_kind_word(enum record_kind kind)
{
	return words[kind];
}

int record_kind_parse(const char *word, enum record_kind *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(word, words[i]) == 0) {
			*ret = (enum record_kind)i;
			return 0;
		}
	return -ENOENT;
}
