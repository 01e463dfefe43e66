/* SPDX-License-Identifier: MIT
 *
 * Public keys of sshd compared to the directory's: type and key text, byte by byte.
 */
#include "login/ssh_proof.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "crypto/digest.h"

#define KEY_TEXT_MAX 16384U /* base64 of one key; RSA of 16384 bits is under 3 KiB */

struct span {
	const char *start;
	size_t length;
};

/* The next word before `end`; length 0: none. */
static struct span next_word(const char **at, const char *end)
{
	struct span word;

	while (*at < end && (**at == ' ' || **at == '\t' || **at == '\r'))
		(*at)++;
	word.start = *at;
	while (*at < end && **at != ' ' && **at != '\t' && **at != '\r')
		(*at)++;
	word.length = (size_t)(*at - word.start);
	return word;
}

static bool same(struct span a, struct span b)
{
	return a.length == b.length && memcmp(a.start, b.start, a.length) == 0;
}

static bool is_registered(const struct user_record *user, struct span type, struct span key)
{
	for (uint32_t i = 0; i < user->ssh_keys.count; i++) {
		const char *at = user->ssh_keys.items[i];
		const char *end = at + strlen(at);
		struct span own_type = next_word(&at, end);
		struct span own_key = next_word(&at, end);

		if (own_key.length > 0 && same(own_type, type) && same(own_key, key))
			return true;
	}
	return false;
}

/* "ssh-key:SHA256:…", as ssh-keygen -l shows it. */
static void name_key(struct span key, char *name, size_t size)
{
	_cleanup_(freep) char *text = strndup(key.start, key.length);
	_cleanup_(freep) char *blob = malloc(key.length);
	_cleanup_(freep) char *digest = NULL;
	uint8_t hash[SHA256_BYTES];
	size_t length;

	snprintf(name, size, "ssh-key:unreadable");
	if (!text || !blob || base64_decode(text, blob, key.length, &length) < 0 || sha256(blob, length, hash) < 0)
		return;
	digest = base64_encode(hash, sizeof(hash));
	if (!digest)
		return;
	digest[strcspn(digest, "=")] = '\0';
	snprintf(name, size, "ssh-key:SHA256:%s", digest);
}

enum reason ssh_proof_check(const struct tenant_record *tenant, const struct user_record *user, const char *auth_info,
			    char *name, size_t size)
{
	enum reason reason = REASON_CREDENTIAL_UNSUPPORTED;
	const char *line = auth_info;

	snprintf(name, size, "none");
	while (*line) {
		const char *end = line + strcspn(line, "\n");
		const char *at = line;
		struct span method = next_word(&at, end);
		struct span type = next_word(&at, end);
		struct span key = next_word(&at, end);

		line = *end ? end + 1 : end;
		if (!same(method, (struct span){"publickey", strlen("publickey")}))
			continue;
		if (key.length == 0 || key.length > KEY_TEXT_MAX)
			return REASON_SSH_KEY_NOT_REGISTERED;
		if (reason == REASON_CREDENTIAL_UNSUPPORTED)
			name_key(key, name, size);
		if (tenant->ssh_keys == SSH_KEYS_DIRECTORY && !is_registered(user, type, key))
			return REASON_SSH_KEY_NOT_REGISTERED;
		reason = REASON_ALLOWED;
	}
	return reason;
}

enum reason ssh_proof_stands(const struct tenant_record *tenant, const struct user_record *user, const char *name)
{
	if (tenant->ssh_keys != SSH_KEYS_DIRECTORY)
		return REASON_ALLOWED;
	for (uint32_t i = 0; i < user->ssh_keys.count; i++) {
		const char *at = user->ssh_keys.items[i];
		const char *end = at + strlen(at);
		char own[64];
		struct span key;

		(void)next_word(&at, end);
		key = next_word(&at, end);
		if (key.length == 0 || key.length > KEY_TEXT_MAX)
			continue;
		name_key(key, own, sizeof(own));
		if (text_equal(own, name) && !text_equal(own, "ssh-key:unreadable"))
			return REASON_ALLOWED;
	}
	return REASON_SSH_KEY_NOT_REGISTERED;
}
