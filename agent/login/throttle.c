/* SPDX-License-Identifier: MIT
 *
 * Failed attempts, counted in set-associative rows of fixed size.
 */
#include "login/throttle.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/parse.h"

#define SETS 512U /* a power of two */
#define WAYS 8U

#define MINUTE (60 * USEC_PER_SEC)

/* A wrong answer is held back: half a second, doubling with the pair's count. */
#define ANSWER_DELAY_FIRST (500 * USEC_PER_MSEC)
#define ANSWER_DELAY_MAX (4 * USEC_PER_SEC)
#define SHIFT_MAX 20U

static const struct row_rule {
	uint32_t free;                  /* failures that cost nothing */
	uint64_t wait_first, wait_max;  /* then: refused this long, doubling */
	uint64_t delay_step, delay_max; /* or: every answer later by this much for each */
	uint64_t forgive;               /* one failure fades in this time */
} rules[THROTTLE_ROWS] = {
	[THROTTLE_PAIR] = {.free = 3, .wait_first = 2 * USEC_PER_SEC, .wait_max = 5 * MINUTE, .forgive = 5 * MINUTE},
	[THROTTLE_SOURCE] = {.free = 20, .wait_first = 2 * USEC_PER_SEC, .wait_max = 5 * MINUTE, .forgive = MINUTE},
	[THROTTLE_USER] = {.free = 10,
			   .delay_step = 100 * USEC_PER_MSEC,
			   .delay_max = 1500 * USEC_PER_MSEC,
			   .forgive = MINUTE},
};

struct count {
	uint64_t hash; /* 0: free */
	uint64_t last; /* failure */
	uint64_t blocked_until;
	uint32_t failures;
	bool told; /* of this wait */
};

struct throttle {
	struct count rows[THROTTLE_ROWS][SETS][WAYS];
};

int throttle_create(struct throttle **ret)
{
	/* Large and zero: the kernel gives pages only to sets that are used. */
	struct throttle *throttle = calloc(1, sizeof(*throttle));

	if (!throttle)
		return -ENOMEM;
	*ret = throttle;
	return 0;
}

void throttle_destroy(struct throttle *throttle)
{
	free(throttle);
}

static uint64_t never_zero(uint64_t hash)
{
	return hash ? hash : 1;
}

/* One number for the network that a source stands for; other text (a host's name, "local/…") as it is. */
static uint64_t hash_source(const char *source)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	struct in6_addr address;
	bool is_mapped;

	if (parse_address(source, &address) < 0)
		return never_zero(hash_text(source));
	is_mapped = memcmp(&address, mapped, sizeof(mapped)) == 0;
	/* Whoever has a shell here may come from any address of 127.0.0.0/8. */
	if (is_mapped && address.s6_addr[12] == IN_LOOPBACKNET)
		address = in6addr_loopback;
	if (is_mapped || IN6_IS_ADDR_LOOPBACK(&address))
		return never_zero(hash_bytes(&address, sizeof(address)));
	return never_zero(hash_bytes(&address, 8));
}

static uint64_t hash_pair(uint64_t user, uint64_t source)
{
	uint64_t both[2] = {user, source};

	return never_zero(hash_bytes(both, sizeof(both)));
}

struct throttle_key throttle_key_login(const char *user, const char *source)
{
	struct throttle_key key = {0};

	key.hash[THROTTLE_USER] = never_zero(hash_text(user));
	if (!source)
		return key;
	key.hash[THROTTLE_SOURCE] = hash_source(source);
	key.hash[THROTTLE_PAIR] = hash_pair(key.hash[THROTTLE_USER], key.hash[THROTTLE_SOURCE]);
	return key;
}

struct throttle_key throttle_key_caller(uid_t caller, const char *source)
{
	struct throttle_key key = {0};

	/* A number where the pairs of sign-ins have a name's hash, which is as likely the same as any other. */
	key.hash[THROTTLE_PAIR] = hash_pair(caller, hash_source(source));
	return key;
}

static uint32_t faded(const struct count *count, enum throttle_row row, uint64_t now)
{
	uint64_t steps = now > count->last ? (now - count->last) / rules[row].forgive : 0;

	return steps >= count->failures ? 0 : count->failures - (uint32_t)steps;
}

static struct count *find(struct throttle *throttle, enum throttle_row row, uint64_t hash)
{
	struct count *set = throttle->rows[row][hash & (SETS - 1)];

	for (unsigned i = 0; hash && i < WAYS; i++)
		if (set[i].hash == hash)
			return &set[i];
	return NULL;
}

static struct count *find_or_make(struct throttle *throttle, enum throttle_row row, uint64_t hash, uint64_t now)
{
	struct count *set = throttle->rows[row][hash & (SETS - 1)];
	struct count *victim = NULL, *found = find(throttle, row, hash);
	uint32_t least = UINT32_MAX;

	if (found)
		return found;
	for (unsigned i = 0; i < WAYS && least > 0; i++) {
		uint32_t failures = set[i].hash ? faded(&set[i], row, now) : 0;

		if (failures < least || (victim && failures == least && set[i].last < victim->last)) {
			least = failures;
			victim = &set[i];
		}
	}
	*victim = (struct count){.hash = hash};
	return victim;
}

static uint64_t grown(uint64_t first, uint64_t max, uint32_t times)
{
	return MIN_OF(first << MIN_OF(times, SHIFT_MAX), max);
}

static uint64_t answer_delay(const struct count *count, enum throttle_row row, uint64_t now)
{
	const struct row_rule *rule = &rules[row];
	uint32_t failures = faded(count, row, now);

	if (!rule->delay_step || failures <= rule->free)
		return 0;
	return MIN_OF((failures - rule->free) * rule->delay_step, rule->delay_max);
}

void throttle_ask(struct throttle *throttle, const struct throttle_key *key, uint64_t now_usec,
		  struct throttle_state *ret)
{
	struct throttle_state state = {0};

	for (unsigned row = 0; row < THROTTLE_ROWS; row++) {
		struct count *count = find(throttle, row, key->hash[row]);

		if (!count)
			continue;
		state.delay_usec = MAX_OF(state.delay_usec, answer_delay(count, row, now_usec));
		if (count->blocked_until <= now_usec)
			continue;
		state.wait_usec = MAX_OF(state.wait_usec, count->blocked_until - now_usec);
		state.first |= !count->told;
		count->told = true;
	}
	*ret = state;
}

void throttle_failed(struct throttle *throttle, const struct throttle_key *key, uint64_t now_usec,
		     struct throttle_state *ret)
{
	struct throttle_state state = {0};

	for (unsigned row = 0; row < THROTTLE_ROWS; row++) {
		const struct row_rule *rule = &rules[row];
		struct count *count;

		if (!key->hash[row])
			continue;
		count = find_or_make(throttle, row, key->hash[row], now_usec);
		count->failures = faded(count, row, now_usec) + 1;
		count->last = now_usec;
		state.delay_usec = MAX_OF(state.delay_usec, answer_delay(count, row, now_usec));
		if (row == THROTTLE_PAIR)
			state.delay_usec = MAX_OF(state.delay_usec,
						  grown(ANSWER_DELAY_FIRST, ANSWER_DELAY_MAX, count->failures - 1));
		if (rule->wait_first && count->failures > rule->free) {
			uint64_t wait = grown(rule->wait_first, rule->wait_max, count->failures - rule->free - 1);

			count->blocked_until = now_usec + wait;
			count->told = false;
			state.wait_usec = MAX_OF(state.wait_usec, wait);
		}
	}
	*ret = state;
}

void throttle_succeeded(struct throttle *throttle, const struct throttle_key *key, uint64_t now_usec)
{
	struct count *count = find(throttle, THROTTLE_PAIR, key->hash[THROTTLE_PAIR]);

	if (count && count->blocked_until <= now_usec)
		*count = (struct count){0};
}
