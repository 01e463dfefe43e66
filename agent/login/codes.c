/* SPDX-License-Identifier: MIT
 *
 * The table of one-time codes: bounded, one for each person, found by whose they are.
 */
#include "login/codes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/secret.h"
#include "base/text.h"
#include "crypto/api_key.h"

#define SALT_BYTES 16

struct code {
	char user_id[ID_MAX_BYTES + 1];
	char service[CODE_SERVICE_SIZE];
	char name[CODE_NAME_SIZE];
	char origin[CREDENTIAL_NAME_SIZE];
	uint8_t digest[SHA256_BYTES];
	uint64_t expires;
	int64_t valid_from; /* the person's sessions_valid_from when it was made */
};

struct codes {
	struct code *slots[CODES_MAX];
	struct hash_index by_user;
	uint32_t count, next_free;
	uint64_t next_expiry; /* none ends before; 0: there are none */
	uint8_t salt[SALT_BYTES];
};

_Static_assert(sizeof(CODE_NAME_PREFIX) + 8 <= CODE_NAME_SIZE && CODE_NAME_SIZE <= CREDENTIAL_NAME_SIZE, "names fit");

int codes_create(struct codes **ret)
{
	_cleanup_(codes_destroyp) struct codes *codes = calloc(1, sizeof(*codes));
	int r;

	if (!codes)
		return -ENOMEM;
	r = hash_index_init(&codes->by_user, 64);
	if (r == 0)
		r = random_bytes(codes->salt, sizeof(codes->salt));
	if (r < 0)
		return r;
	*ret = TAKE_PTR(codes);
	return 0;
}

static void free_code(struct code *code)
{
	if (code)
		secret_wipe(code, sizeof(*code));
	free(code);
}

void codes_destroy(struct codes *codes)
{
	if (!codes)
		return;
	for (uint32_t i = 0; i < CODES_MAX; i++)
		free_code(codes->slots[i]);
	hash_index_finish(&codes->by_user);
	secret_wipe(codes, sizeof(*codes));
	free(codes);
}

/* Whose code it is goes in: the same digits are another digest for somebody else. */
static int digest_of(const struct codes *codes, const char *user_id, const char *digits, uint8_t out[SHA256_BYTES])
{
	uint8_t bytes[SALT_BYTES + ID_MAX_BYTES + 1 + CODE_DIGITS] = {0};
	int r;

	memcpy(bytes, codes->salt, SALT_BYTES);
	memcpy(bytes + SALT_BYTES, user_id, strnlen(user_id, ID_MAX_BYTES));
	memcpy(bytes + sizeof(bytes) - CODE_DIGITS, digits, CODE_DIGITS);
	r = sha256(bytes, sizeof(bytes), out);
	secret_wipe(bytes, sizeof(bytes));
	return r;
}

static bool find(const struct codes *codes, const char *user_id, uint32_t *ret)
{
	uint32_t cursor = 0, slot;

	while (hash_index_next(&codes->by_user, hash_text(user_id), &cursor, &slot))
		if (text_equal(codes->slots[slot]->user_id, user_id)) {
			*ret = slot;
			return true;
		}
	return false;
}

static void remove_slot(struct codes *codes, uint32_t slot)
{
	hash_index_remove(&codes->by_user, hash_text(codes->slots[slot]->user_id), slot);
	free_code(codes->slots[slot]);
	codes->slots[slot] = NULL;
	codes->next_free = slot;
	if (--codes->count == 0)
		codes->next_expiry = 0;
}

void codes_drop(struct codes *codes, const char *user_id)
{
	uint32_t slot;

	if (find(codes, user_id, &slot))
		remove_slot(codes, slot);
}

static int fill(const struct codes *codes, const struct user_record *user, const char *service, const char *origin,
		struct code *code, struct code_made *made)
{
	char digits[CODE_DIGITS + 1], name[9];
	int r;

	if (strlen(service) >= sizeof(code->service) || strlen(origin) >= sizeof(code->origin))
		return -EINVAL;
	r = code_random(digits, made->text);
	if (r == 0)
		r = base62_random(name, 8);
	if (r == 0)
		r = digest_of(codes, user->id, digits, code->digest);
	secret_wipe(digits, sizeof(digits));
	if (r < 0)
		return r;
	(void)snprintf(made->name, sizeof(made->name), "%s%.8s", CODE_NAME_PREFIX, name);
	memcpy(code->name, made->name, sizeof(code->name));
	(void)snprintf(code->user_id, sizeof(code->user_id), "%s", user->id);
	(void)snprintf(code->service, sizeof(code->service), "%s", service);
	(void)snprintf(code->origin, sizeof(code->origin), "%s", origin);
	code->valid_from = user->sessions_valid_from;
	return 0;
}

int codes_make(struct codes *codes, const struct user_record *user, const char *service, const char *origin,
	       uint64_t expires, uint64_t now_usec, struct code_made *ret)
{
	struct code_made made = {0};
	struct code *code;
	uint32_t slot;
	int r;

	codes_tick(codes, now_usec);
	code = calloc(1, sizeof(*code));
	if (!code)
		return -ENOMEM;
	r = fill(codes, user, service, origin, code, &made);
	code->expires = expires;
	if (r == 0 && find(codes, user->id, &slot)) { /* in the old one's place */
		free_code(codes->slots[slot]);
		codes->slots[slot] = code;
	} else if (r == 0 && codes->count == CODES_MAX) {
		r = -ENOSPC;
	} else if (r == 0) {
		slot = codes->next_free;
		while (codes->slots[slot])
			slot = (slot + 1) % CODES_MAX;
		r = hash_index_put(&codes->by_user, hash_text(code->user_id), slot);
		if (r == 0) {
			codes->slots[slot] = code;
			codes->count++;
		}
	}
	if (r < 0) {
		free_code(code);
		secret_wipe(&made, sizeof(made));
		return r;
	}
	if (codes->next_expiry == 0 || expires < codes->next_expiry)
		codes->next_expiry = expires;
	*ret = made;
	secret_wipe(&made, sizeof(made));
	return 0;
}

const char *code_outcome_text(enum code_outcome outcome)
{
	switch (outcome) {
	case CODE_RIGHT:
		return NULL;
	case CODE_NONE:
		return "no such code, or it was used";
	case CODE_TOO_OLD:
		return "the code is too old";
	case CODE_OTHER_SERVICE:
		return "the code is for another service";
	case CODE_ENDED:
		return "what the code was made by, or the person's sign-ins, ended since";
	case CODE_BROKEN:
		break;
	}
	return "the code could not be checked";
}

enum code_outcome codes_use(struct codes *codes, const struct user_record *user, const char *service, const char *text,
			    size_t length, uint64_t now_usec, struct code_used *ret)
{
	static const uint8_t nobodys[SHA256_BYTES];
	enum code_outcome outcome = CODE_RIGHT;
	char digits[CODE_DIGITS + 1];
	uint8_t shown[SHA256_BYTES];
	const struct code *code;
	uint32_t slot = 0;
	bool has, same;
	int r;

	if (!code_normalise(text, length, digits)) {
		secret_wipe(digits, sizeof(digits));
		return CODE_NONE;
	}
	r = digest_of(codes, user->id, digits, shown);
	secret_wipe(digits, sizeof(digits));
	if (r < 0)
		return CODE_BROKEN;
	has = find(codes, user->id, &slot);
	code = has ? codes->slots[slot] : NULL;
	same = secret_equal(shown, has ? code->digest : nobodys, sizeof(shown));
	secret_wipe(shown, sizeof(shown));
	if (!has || !same)
		return CODE_NONE;
	memcpy(ret->name, code->name, sizeof(ret->name));
	memcpy(ret->origin, code->origin, sizeof(ret->origin));
	if (code->expires <= now_usec)
		outcome = CODE_TOO_OLD;
	else if (user->sessions_valid_from > code->valid_from)
		outcome = CODE_ENDED;
	else if (*code->service && !text_equal(code->service, service))
		return CODE_OTHER_SERVICE;
	/* The one thread that decides takes it out before anybody is answered: two who type it at once are one who is
	 * let in and one who is not. */
	remove_slot(codes, slot);
	return outcome;
}

uint64_t codes_next_tick(const struct codes *codes)
{
	return codes->next_expiry;
}

void codes_tick(struct codes *codes, uint64_t now_usec)
{
	uint64_t next = 0;

	if (codes->next_expiry == 0 || now_usec < codes->next_expiry)
		return;
	for (uint32_t i = 0; i < CODES_MAX; i++) {
		if (!codes->slots[i])
			continue;
		if (codes->slots[i]->expires <= now_usec)
			remove_slot(codes, i);
		else if (next == 0 || codes->slots[i]->expires < next)
			next = codes->slots[i]->expires;
	}
	codes->next_expiry = next;
}

uint32_t codes_count(const struct codes *codes)
{
	return codes->count;
}
