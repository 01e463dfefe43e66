/* SPDX-License-Identifier: MIT
 *
 * What is here at start: which chains, how far each is, whether the newest can go on, and who has read how far. Only
 * last segments are walked through now; a sign-in need not wait for the others, which the writer looks at afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "spool/internal.h"

struct start {
	struct spool *spool;
	struct spool_chain *own; /* of the key file; in the list once there is a segment */
	bool listed;             /* own is in the list */
	bool cut;                /* it cannot go on */
	bool foreign;            /* the key is sealed by another: so will all else be */
	char why[200];
	uint32_t newest; /* generation that was seen */
};

static struct spool_chain *add_chain(struct spool *spool, struct spool_chain *chain)
{
	struct spool_chain **at = &spool->chains;

	while (*at && (*at)->generation < chain->generation)
		at = &(*at)->next;
	chain->next = *at;
	*at = chain;
	return chain;
}

static int load_key(struct start *start, size_t segments)
{
	struct spool *spool = start->spool;
	int r = chain_load(spool, &start->own);

	if (r == 0) {
		start->newest = start->own->generation;
		return 0;
	}
	start->cut = true;
	if (r == -ENOENT) {
		(void)snprintf(start->why, sizeof(start->why), "%s",
			       segments > 0 ? "the chain's key is gone" : "no spool was here");
		return 0;
	}
	if (r != -EBADMSG)
		return r;
	(void)snprintf(start->why, sizeof(start->why), "the chain's key does not open with this host's sealing key");
	start->foreign = true;
	return mend_put_aside(spool, SPOOL_KEY_NAME, 0);
}

/* The chain that the file says it belongs to. NULL: another one has its number, or out of memory (*ret_error). */
static struct spool_chain *chain_for(struct start *start, const struct found *found, int *ret_error)
{
	struct spool_chain *chain = chain_find(start->spool, found->parts.generation);

	*ret_error = 0;
	if (!chain && start->own && start->own->generation == found->parts.generation) {
		chain = add_chain(start->spool, start->own);
		start->listed = true;
	} else if (!chain) {
		chain = calloc(1, sizeof(*chain));
		if (!chain) {
			*ret_error = -ENOMEM;
			return NULL;
		}
		chain->generation = found->parts.generation;
		memcpy(chain->id, found->parts.chain, sizeof(chain->id));
		(void)add_chain(start->spool, chain);
	}
	return strcmp(chain->id, found->parts.chain) == 0 ? chain : NULL;
}

/* Does its chain block open? Takes the chain's public key from it. */
static int look_into(struct start *start, const struct found *found, struct note_key *ret_key, bool *ret_has_key,
		     bool *ret_opened)
{
	struct segment_walk walk = {.key = &start->spool->seal_key, .name = found->parts, .size = found->size};
	_cleanup_(closep) int fd = -1;
	int r;

	*ret_opened = *ret_has_key = false;
	if (found->size > SEGMENT_BYTES_MAX)
		return 0;
	walk.fd = fd = openat(start->spool->dirfd, found->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	r = segment_look(&walk);
	if (r < 0)
		return r;
	*ret_opened = walk.opened;
	*ret_has_key = walk.opened && note_key_parse(walk.vkey, strlen(walk.vkey), ret_key) == 0 &&
		       chain_of_key(ret_key) && strcmp(chain_of_key(ret_key), found->parts.chain) == 0;
	return 0;
}

static int take_segment(struct start *start, const struct found *found, bool newest)
{
	struct spool *spool = start->spool;
	struct spool_chain *chain;
	struct segment *segment;
	bool opened, has_key, cut = false;
	struct note_key key;
	int r;

	start->newest = MAX_OF(start->newest, found->parts.generation);
	r = look_into(start, found, &key, &has_key, &opened);
	if (r < 0)
		return r;
	if (!opened) {
		r = recover_unopened(spool, found, newest, start->foreign, &cut);
		if (r < 0)
			return r;
		if (cut && start->own && start->own->generation == found->parts.generation) {
			start->cut = true;
			(void)snprintf(start->why, sizeof(start->why), "the end of chain %s does not open",
				       start->own->id);
		}
		if (r == 1)
			return 0;
	}
	chain = chain_for(start, found, &r);
	if (r < 0)
		return r;
	if (!chain) {
		finding_add(spool, SPOOL_DAMAGED, found->parts.first, 0, "%s has the number of another chain",
			    found->name);
		return mend_put_aside(spool, found->name, found->size);
	}
	if (has_key && !chain->has_key) {
		chain->has_key = true;
		chain->key = key;
	}
	segment = calloc(1, sizeof(*segment));
	if (!segment)
		return -ENOMEM;
	segment->chain = chain;
	segment->first = found->parts.first;
	segment->size = found->size;
	segment_insert(spool, segment);
	return 0;
}

/* A chain without an event that is not the key's was begun when the agent was killed. */
static bool is_stillborn(const struct start *start, const struct spool_chain *chain)
{
	const struct segment *segment = segment_of(start->spool, chain, TLOG_SIZE_MAX);

	return chain != start->own && start->own && chain->generation > start->own->generation &&
	       chain->durable.sequence == 0 && segment && segment->first == 1;
}

static void remove_chain(struct spool *spool, struct spool_chain *chain)
{
	struct spool_chain **at = &spool->chains;

	for (struct segment **from = &spool->segments; *from;) {
		struct segment *segment = *from;
		char name[SEGMENT_NAME_MAX];

		if (segment->chain != chain) {
			from = &segment->next;
			continue;
		}
		*from = segment->next;
		segment_name_of(segment, name);
		(void)unlinkat(spool->dirfd, name, 0);
		spool->bytes -= segment->size;
		free(segment);
	}
	while (*at != chain)
		at = &(*at)->next;
	*at = chain->next;
	chain_free(chain);
}

static int recover_chains(struct start *start)
{
	struct spool *spool = start->spool;

	for (struct spool_chain *chain = spool->chains, *next; chain; chain = next) {
		bool cut = false;
		int r;

		next = chain->next;
		if (!segment_of(spool, chain, TLOG_SIZE_MAX)) {
			if (chain != start->own)
				remove_chain(spool, chain);
			continue;
		}
		r = recover_chain(spool, chain, &cut);
		if (r < 0)
			return r;
		if (is_stillborn(start, chain)) {
			remove_chain(spool, chain);
			continue;
		}
		if (chain == start->own && cut && !start->cut) {
			start->cut = true;
			(void)snprintf(start->why, sizeof(start->why), "the end of chain %s is damaged", chain->id);
		}
		if (start->own && chain->generation > start->own->generation && !start->cut) {
			start->cut = true;
			(void)snprintf(start->why, sizeof(start->why),
				       "chain %s is newer than the key: that is an older copy", chain->id);
		}
	}
	return 0;
}

/* Holds what consumers have against what is here. */
static void judge_consumer(struct start *start, struct consumer *consumer)
{
	struct spool *spool = start->spool;
	const struct spool_chain *chain = chain_find(spool, consumer->generation);
	uint64_t oldest = 0;

	if (!chain) {
		/* An older chain went when all had it. A newer one was never here, or is gone. */
		if (consumer->generation > start->newest && !start->cut) {
			start->cut = true;
			(void)snprintf(start->why, sizeof(start->why),
				       "\"%s\" has read from a newer chain: this is an older copy", consumer->name);
			finding_add(spool, SPOOL_DAMAGED, 1, consumer->next - 1,
				    "the chain that \"%s\" has read is gone", consumer->name);
		}
		start->newest = MAX_OF(start->newest, consumer->generation);
		return;
	}
	for (const struct segment *segment = spool->segments; segment && oldest == 0; segment = segment->next)
		if (segment->chain == chain)
			oldest = segment->first;
	if (oldest > consumer->next) {
		finding_add(spool, SPOOL_DAMAGED, consumer->next, oldest - consumer->next,
			    "files that \"%s\" did not have yet are gone", consumer->name);
		consumer->next = oldest;
	} else if (consumer->next > chain->durable.sequence + 1) {
		finding_add(spool, SPOOL_DAMAGED, chain->durable.sequence + 1,
			    consumer->next - 1 - chain->durable.sequence,
			    "\"%s\" has events that are not here any more: files are gone, or older copies",
			    consumer->name);
		consumer->next = chain->durable.sequence + 1;
		if (chain == start->own && !start->cut) {
			start->cut = true;
			(void)snprintf(start->why, sizeof(start->why), "the end of chain %s is gone", chain->id);
		}
	}
}

static void judge_consumers(struct start *start)
{
	struct spool *spool = start->spool;

	for (uint32_t i = 0; i < spool->consumer_count; i++)
		judge_consumer(start, &spool->consumers[i]);
}

/* Nobody reads a chain that is not here: on to the oldest that is. */
static void move_consumers(struct spool *spool)
{
	for (uint32_t i = 0; i < spool->consumer_count; i++) {
		struct consumer *consumer = &spool->consumers[i];
		const struct segment *oldest = spool->segments;

		if (!oldest || chain_find(spool, consumer->generation))
			continue;
		while (oldest->next && oldest->chain->generation < consumer->generation)
			oldest = oldest->next;
		consumer->generation = oldest->chain->generation;
		consumer->next = oldest->first;
	}
	consumers_advance(spool);
}

static int begin_chain(struct start *start)
{
	struct spool *spool = start->spool;
	struct segment *segment;
	struct spool_chain *chain;
	int r;

	r = chain_create(spool, start->newest + 1, &chain, &segment);
	if (r < 0)
		return r;
	spool->chain = add_chain(spool, chain);
	segment_insert(spool, segment);
	finding_add(spool, SPOOL_CHAIN_BEGAN, 0, 0, "%s", start->why);
	return 0;
}

static int scan(struct start *start, const struct found_list *list)
{
	struct spool *spool = start->spool;
	int r = 0;

	for (size_t i = 0; i < list->count && r == 0; i++) {
		bool newest =
			i + 1 == list->count || strcmp(list->items[i + 1].parts.chain, list->items[i].parts.chain) != 0;

		r = take_segment(start, &list->items[i], newest);
	}
	if (r == 0)
		r = recover_chains(start);
	if (r == 0)
		r = consumers_load(spool);
	if (r < 0)
		return r;
	if (start->own && (!start->listed || !segment_of(spool, start->own, TLOG_SIZE_MAX)) && !start->cut) {
		start->cut = true;
		(void)snprintf(start->why, sizeof(start->why), "the files of chain %s are gone", start->own->id);
		finding_add(spool, SPOOL_DAMAGED, 1, 0, "the files of chain %s are gone", start->own->id);
	}
	judge_consumers(start);
	if (start->cut)
		r = begin_chain(start);
	else
		spool->chain = start->own;
	if (r < 0)
		return r;
	move_consumers(spool);
	/* On a full disk the file stays as it is, and what it says is kept. */
	if (spool->consumer_count > 0)
		(void)consumers_save(spool);
	return 0;
}

int start_scan(struct spool *spool, struct problem *problem)
{
	_cleanup_(found_finish) struct found_list list = {0};
	struct start start = {.spool = spool};
	int r;

	r = directory_list(spool, &list);
	if (r == 0)
		r = load_key(&start, list.count);
	if (r == 0)
		r = scan(&start, &list);
	/* A chain of which nothing is here is no chain of the list. */
	if (start.own && !start.listed)
		chain_free(start.own);
	if (r < 0)
		return problem_set(problem, -r, "the audit spool cannot be read or begun: %s", strerror(-r));
	return 0;
}
