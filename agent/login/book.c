/* SPDX-License-Identifier: MIT
 *
 * The login book: bounded, found by random tokens, forgetful by the clock.
 */
#include "login/book.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/macros.h"
#include "base/secret.h"
#include "crypto/api_key.h"
#include "login/codes.h"
#include "login/flow.h"

#define SHARES 1024U /* sources are told apart by so many hashes; a power of two */

struct login_book {
	struct audit *audit;             /* borrowed */
	const struct string_list *hours; /* borrowed; NULL: always */
	bool (*admits)(void *context);   /* NULL: always */
	void *admits_context;
	const struct freshness *freshness; /* borrowed; NULL: there are no feeds */
	struct throttle *throttle;
	struct codes *codes;
	struct login_flows flows;
	struct login_entry **slots; /* LOGINS_MAX */
	struct hash_index by_token;
	uint32_t used, unfinished;
	uint32_t next_free;   /* where the search for a free slot starts */
	uint64_t next_expiry; /* no entry ends before; 0: empty */
};

int login_book_create(struct audit *audit, struct login_book **ret)
{
	struct login_book *book = calloc(1, sizeof(*book));
	int r;

	if (!book)
		return -ENOMEM;
	book->audit = audit;
	book->slots = calloc(LOGINS_MAX, sizeof(*book->slots));
	r = book->slots ? 0 : -ENOMEM;
	if (r == 0)
		r = throttle_create(&book->throttle);
	if (r == 0)
		r = codes_create(&book->codes);
	if (r == 0)
		r = flow_limits_create(&book->flows.limits);
	if (r == 0)
		r = hash_index_init(&book->by_token, LOGINS_MAX / 16);
	if (r < 0) {
		login_book_destroy(book);
		return r;
	}
	*ret = book;
	return 0;
}

static void free_entry(struct login_entry *entry)
{
	if (!entry)
		return;
	login_flow_free(entry->flow);
	login_identity_free(entry->identity);
	secret_wipe(entry, sizeof(*entry)); /* tokens open sessions */
	free(entry);
}

void login_book_destroy(struct login_book *book)
{
	if (!book)
		return;
	for (uint32_t i = 0; book->slots && i < LOGINS_MAX; i++)
		free_entry(book->slots[i]);
	free(book->slots);
	throttle_destroy(book->throttle);
	codes_destroy(book->codes);
	flow_limits_destroy(book->flows.limits);
	hash_index_finish(&book->by_token);
	free(book);
}

struct login_flows *login_book_flows(struct login_book *book)
{
	return &book->flows;
}

const struct login_sso *login_book_sso(const struct login_book *book)
{
	return book->flows.sso;
}

struct codes *login_book_codes(struct login_book *book)
{
	return book->codes;
}

struct throttle *login_book_throttle(struct login_book *book)
{
	return book->throttle;
}

struct audit *login_book_audit(struct login_book *book)
{
	return book->audit;
}

void login_book_set_hours(struct login_book *book, const struct string_list *hours)
{
	book->hours = hours;
}

const struct string_list *login_book_hours(const struct login_book *book)
{
	return book->hours;
}

void login_book_set_admission(struct login_book *book, bool (*admits)(void *context), void *context)
{
	book->admits = admits;
	book->admits_context = context;
}

bool login_book_admits(const struct login_book *book)
{
	return !book->admits || book->admits(book->admits_context);
}

void login_book_set_freshness(struct login_book *book, const struct freshness *freshness)
{
	book->freshness = freshness;
}

const struct freshness *login_book_freshness(const struct login_book *book)
{
	return book->freshness;
}

static bool find_slot(const struct login_book *book, const char *token, uint32_t *ret)
{
	uint32_t cursor = 0, slot;

	if (!token || strlen(token) != LOGIN_TOKEN_CHARS)
		return false;
	while (hash_index_next(&book->by_token, hash_text(token), &cursor, &slot))
		if (secret_equal(book->slots[slot]->token, token, LOGIN_TOKEN_CHARS)) {
			*ret = slot;
			return true;
		}
	return false;
}

struct login_entry *login_book_slot(struct login_book *book, uint32_t slot)
{
	return book->slots[slot];
}

struct login_entry *login_book_find(struct login_book *book, const char *token)
{
	uint32_t slot;

	return find_slot(book, token, &slot) ? book->slots[slot] : NULL;
}

static void remove_slot(struct login_book *book, uint32_t slot)
{
	struct login_entry *entry = book->slots[slot];

	login_flow_cancel(book, entry);
	hash_index_remove(&book->by_token, hash_text(entry->token), slot);
	book->slots[slot] = NULL;
	book->next_free = slot;
	book->used--;
	if (!entry->finished)
		book->unfinished--;
	if (book->used == 0)
		book->next_expiry = 0;
	free_entry(entry);
}

void login_book_remove(struct login_book *book, struct login_entry *entry)
{
	uint32_t slot;

	if (entry && find_slot(book, entry->token, &slot))
		remove_slot(book, slot);
}

void login_book_expire_at(struct login_book *book, struct login_entry *entry, uint64_t expires)
{
	entry->expires = expires;
	if (book->next_expiry == 0 || expires < book->next_expiry)
		book->next_expiry = expires;
}

static uint32_t share_of(const struct login_entry *entry)
{
	return (uint32_t)(entry->throttle.hash[THROTTLE_SOURCE] & (SHARES - 1));
}

/* Who gives way in a full book: the oldest of the source that has the most. So whoever fills it (sudo in a loop, where
 * no proof is wanted) loses their own, and nobody who types a key elsewhere. */
static uint32_t slot_to_give(const struct login_book *book)
{
	uint32_t counts[SHARES] = {0}, most = 0, give = 0;
	uint64_t expires = UINT64_MAX;

	for (uint32_t i = 0; i < LOGINS_MAX; i++)
		counts[share_of(book->slots[i])]++;
	for (uint32_t i = 1; i < SHARES; i++)
		if (counts[i] > counts[most])
			most = i;
	for (uint32_t i = 0; i < LOGINS_MAX; i++) {
		if (share_of(book->slots[i]) != most || book->slots[i]->expires >= expires)
			continue;
		expires = book->slots[i]->expires;
		give = i;
	}
	return give;
}

int login_book_add(struct login_book *book, uint64_t expires, struct login_entry **ret)
{
	struct login_entry *entry;
	uint32_t slot;
	int r;

	if (book->used == LOGINS_MAX)
		remove_slot(book, slot_to_give(book));
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	r = base62_random(entry->token, LOGIN_TOKEN_CHARS);
	for (slot = book->next_free; r == 0 && book->slots[slot];)
		slot = (slot + 1) % LOGINS_MAX;
	if (r == 0)
		r = hash_index_put(&book->by_token, hash_text(entry->token), slot);
	if (r < 0) {
		free_entry(entry);
		return r;
	}
	entry->slot = slot;
	book->slots[slot] = entry;
	book->next_free = (slot + 1) % LOGINS_MAX;
	book->used++;
	book->unfinished++;
	login_book_expire_at(book, entry, expires);
	*ret = entry;
	return 0;
}

void login_book_finish(struct login_book *book, struct login_entry *entry, uint64_t expires)
{
	if (!entry->finished)
		book->unfinished--;
	entry->finished = true;
	login_book_expire_at(book, entry, expires);
}

void login_cancel_owner(struct login_book *book, uint64_t owner, uint64_t now_usec)
{
	/* Most connections never sign anybody in, and most of the time nobody is signing in. */
	for (uint32_t i = 0; i < LOGINS_MAX && book->unfinished > 0; i++)
		if (book->slots[i] && !book->slots[i]->finished && book->slots[i]->owner == owner)
			remove_slot(book, i);
}

void login_forget(struct login_book *book, const char *token)
{
	login_book_remove(book, login_book_find(book, token));
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a && (!b || a < b) ? a : b;
}

uint64_t login_next_tick(const struct login_book *book)
{
	return sooner(book->next_expiry, sooner(codes_next_tick(book->codes), book->flows.due));
}

void login_tick(struct login_book *book, uint64_t now_usec)
{
	uint64_t next = 0;

	codes_tick(book->codes, now_usec);
	if (book->next_expiry == 0 || now_usec < book->next_expiry)
		return;
	for (uint32_t i = 0; i < LOGINS_MAX; i++) {
		struct login_entry *entry = book->slots[i];

		if (!entry)
			continue;
		if (entry->expires <= now_usec)
			remove_slot(book, i);
		else if (next == 0 || entry->expires < next)
			next = entry->expires;
	}
	book->next_expiry = next;
}
