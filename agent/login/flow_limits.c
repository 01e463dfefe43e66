/* SPDX-License-Identifier: MIT
 *
 * How many sign-ins may wait for an approval, and how often one may begin.
 *
 * - Few for each person and place: each of them is a request to the provider, which has limits of its own for all
 *   of the tenant's people together.
 * - What others do in somebody's name, from elsewhere, never refuses that person (as with failed attempts, throttle.h),
 *   until it is so much that it is an attack on the host. Programs that tell no address (JupyterHub) are one place
 *   together: they show no address to anybody either.
 * - Whoever begins and goes away again has begun: beginnings are counted by the time between them.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/macros.h"
#include "login/flow.h"

#define WAITING_PER_PAIR 4U
#define WAITING_PER_SOURCE 16U
#define WAITING_PER_USER 64U

#define TELL_EVERY_USEC (10 * USEC_PER_SEC) /* refusals in the audit */

/* Everybody has two buckets of a table, found by keyed hashes, and takes from the fuller one: that others, whom nobody
 * can choose, have emptied both is as good as never. The rates are those of each of the two. */
#define BUCKETS 4096U /* a power of two */
static const struct rate {
	uint32_t burst;
	uint64_t every;
} pair_rate = {4, 30 * USEC_PER_SEC}, source_rate = {32, 2 * USEC_PER_SEC}, host_rate = {256, 50 * USEC_PER_MSEC};

struct flow_limits {
	uint64_t tell_again;
	/* When each would be full again. */
	uint64_t host, pairs[BUCKETS], sources[BUCKETS];
};

int flow_limits_create(struct flow_limits **ret)
{
	/* Large and zero: the kernel gives pages only to what is used. */
	struct flow_limits *limits = calloc(1, sizeof(*limits));

	if (!limits)
		return -ENOMEM;
	*ret = limits;
	return 0;
}

void flow_limits_destroy(struct flow_limits *limits)
{
	free(limits);
}

static uint64_t *fuller(uint64_t table[BUCKETS], uint64_t hash)
{
	uint64_t *one = &table[hash & (BUCKETS - 1)], *other = &table[hash >> 32 & (BUCKETS - 1)];

	return *one <= *other ? one : other;
}

static bool is_empty(const struct rate *rate, uint64_t full_at, uint64_t now_usec)
{
	return full_at > now_usec + (rate->burst - 1) * rate->every;
}

static void take(const struct rate *rate, uint64_t *full_at, uint64_t now_usec)
{
	*full_at = MAX_OF(*full_at, now_usec) + rate->every;
}

struct counts {
	uint32_t pair, source, user;
};

static struct counts count_waiting(struct login_book *book, const struct throttle_key *key)
{
	struct counts counts = {0};
	bool same_user, same_source;

	for (uint32_t i = 0; i < LOGINS_MAX; i++) {
		const struct login_entry *other = login_book_slot(book, i);

		if (!other || !other->flow || !other->flow->number)
			continue;
		same_user = other->throttle.hash[THROTTLE_USER] == key->hash[THROTTLE_USER];
		same_source = other->throttle.hash[THROTTLE_SOURCE] == key->hash[THROTTLE_SOURCE];
		counts.pair += same_user && same_source;
		counts.source += same_source;
		counts.user += same_user;
	}
	return counts;
}

static const char *which(struct login_book *book, const struct login_entry *entry, uint64_t now_usec)
{
	const struct login_flows *flows = login_book_flows(book);
	uint32_t max = flows->sso->max_waiting ? flows->sso->max_waiting : LOGIN_WAITING_DEFAULT;
	const struct throttle_key *key = &entry->throttle;
	struct flow_limits *limits = flows->limits;
	/* 0: nobody knows from where. */
	uint64_t place = key->hash[THROTTLE_PAIR] ? key->hash[THROTTLE_PAIR] : key->hash[THROTTLE_USER];
	uint64_t *pair = fuller(limits->pairs, place);
	uint64_t *source = fuller(limits->sources, key->hash[THROTTLE_SOURCE]);
	struct counts counts;

	if (flows->waiting >= MIN_OF(max, LOGIN_WAITING_MAX))
		return "sign-ins that wait on this host";
	counts = count_waiting(book, key);
	if (counts.pair >= WAITING_PER_PAIR)
		return "sign-ins of this user that wait at this source";
	if (counts.source >= WAITING_PER_SOURCE)
		return "sign-ins that wait at this source";
	if (counts.user >= WAITING_PER_USER)
		return "sign-ins of this user that wait";
	if (is_empty(&pair_rate, *pair, now_usec))
		return "sign-ins that this user began at this source";
	if (is_empty(&source_rate, *source, now_usec))
		return "sign-ins that began at this source";
	if (is_empty(&host_rate, limits->host, now_usec))
		return "sign-ins that began on this host";
	take(&pair_rate, pair, now_usec);
	take(&source_rate, source, now_usec);
	take(&host_rate, &limits->host, now_usec);
	return NULL;
}

const char *flow_limits_ask(struct login_book *book, const struct login_entry *entry, uint64_t now_usec, bool *ret_told)
{
	struct flow_limits *limits = login_book_flows(book)->limits;
	const char *limit = which(book, entry, now_usec);

	if (!limit)
		return NULL;
	*ret_told = limits->tell_again > now_usec;
	if (!*ret_told)
		limits->tell_again = now_usec + TELL_EVERY_USEC;
	return limit;
}
