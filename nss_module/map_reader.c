/* SPDX-License-Identifier: MIT
 *
 * Mapping the file, and moving on to a newer one while other threads read.
 *
 * Readers hold no lock and no reference, so nobody knows when the last one has left a retired map. What
 * makes that harmless is that address ranges ("slots") are never given back: a retired map is replaced,
 * in one mmap(MAP_FIXED), by the zero page. A reader that was caught inside sees other bytes, never a
 * fault; it checks every offset against the slot's fixed size, and at its end it sees that map_current
 * has moved on and starts again. So exactly one file is kept alive by mappings, however often it is
 * replaced, and there is nothing to count.
 *
 * The next map goes into a slot that is not current and is large enough; a new slot is half as large again
 * as its first map. Two slots for each step of growth, from the smallest map (six blocks) to
 * NSS_MAP_SIZE_MAX, are 50: MAP_SLOTS of them are never used up.
 *
 * Fork: what a child inherits is valid at any instant. map_current is published last, slots not current
 * hold nothing of value, and the only lock (one swap at a time) lies in a page that the kernel wipes in
 * children, so that a child never waits for a thread that it does not have. A thread that finds the
 * lock taken goes on with the map it has; only when there is none yet does it wait for the first.
 *
 * Trust: the map's owner is root or the owner of the directory that it lies in, and neither can be
 * written by others. That directory is an entry of root's own /run, so its owner was chosen by root
 * (systemd makes it for the agent's user): no user database is needed to know who the agent is. In a user
 * namespace that does not map root, /run seems to belong to the overflow uid; that is as good, since
 * nobody else can make /run look so, and a namespace's own maker harms only himself.
 *
 * Blocks are looked at when they are first used (map_check.c), so that a process which asks for one user
 * does not pay for a million. Its owner could change a block afterwards (the agent, or root): look-ups
 * therefore hold every length and offset against the mapping, and ids against the managed range, each time;
 * what such an owner can still do is to show other texts.
 */
#include "map_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "map_place.h"

#define WAIT_YIELDS 50U       /* for another thread that maps the first map … */
#define WAIT_NAPS 1000U       /* … then naps of … */
#define WAIT_NAP_NSEC 200000L /* … this long */
#define OVERFLOW_UID 65534U   /* see above */

_Atomic uint64_t map_current;
struct map_slot map_slots[MAP_SLOTS];
static _Atomic uint32_t slot_count;
static uint64_t last_number; /* under the swap lock */

/* In a page of its own that is zero in every new process. */
struct control {
	_Atomic uint32_t swapping;
	_Atomic uint64_t tried_msec; /* when a look failed; 0: never, or the last one went well */
};
static struct control *_Atomic control_page;

static struct control *get_control(void)
{
	struct control *page = atomic_load_explicit(&control_page, memory_order_acquire), *none = NULL;

	if (page)
		return page;
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return NULL;
	if (madvise(page, sizeof(*page), MADV_WIPEONFORK) < 0 ||
	    !atomic_compare_exchange_strong(&control_page, &none, page)) {
		munmap(page, sizeof(*page)); /* another thread's page is in place, or (old kernel) none */
		page = none;
	}
	return page;
}

static uint64_t now_msec(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now); /* in the vDSO: no system call */
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + 1;
}

static bool owned_well(const struct stat *st, uid_t owner)
{
	return (st->st_uid == 0 || st->st_uid == owner) && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

static int open_map(uint64_t *ret_size)
{
	const struct map_place *place = map_place();
	struct stat parent_st, directory_st, st;
	int parent, directory = -1, fd = -1;

	parent = open(place->parent, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (parent < 0)
		return -1;
	directory = openat(parent, place->directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (directory < 0)
		goto out;
	fd = openat(directory, place->file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		goto out;
	if (fstat(parent, &parent_st) < 0 || fstat(directory, &directory_st) < 0 || fstat(fd, &st) < 0 ||
	    !owned_well(&parent_st, OVERFLOW_UID) || !owned_well(&directory_st, directory_st.st_uid) ||
	    !S_ISREG(st.st_mode) || !owned_well(&st, directory_st.st_uid) || st.st_size < 2 * NSS_MAP_BLOCK ||
	    (uint64_t)st.st_size > NSS_MAP_SIZE_MAX || st.st_size % NSS_MAP_BLOCK != 0) {
		close(fd);
		fd = -1;
	} else
		*ret_size = (uint64_t)st.st_size;
out:
	if (directory >= 0)
		close(directory);
	close(parent);
	return fd;
}

static bool add_slot(uint64_t size)
{
	uint32_t count = atomic_load_explicit(&slot_count, memory_order_relaxed);
	uint64_t limits[] = {(size + size / 2 + NSS_MAP_BLOCK - 1) / NSS_MAP_BLOCK * NSS_MAP_BLOCK, size};

	if (count == MAP_SLOTS)
		return false;
	for (unsigned i = 0; i < 2; i++) { /* under a tight RLIMIT_AS: no room to grow */
		size_t tags = ((size_t)(limits[i] / NSS_MAP_BLOCK) + NSS_MAP_BLOCK - 1) / NSS_MAP_BLOCK * NSS_MAP_BLOCK;
		uint8_t *base = mmap(NULL, (size_t)limits[i] + tags, PROT_READ,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (base == MAP_FAILED)
			continue;
		if (mprotect(base + limits[i], tags, PROT_READ | PROT_WRITE) < 0) {
			munmap(base, (size_t)limits[i] + tags);
			continue;
		}
		map_slots[count].base = base;
		map_slots[count].limit = limits[i];
		map_slots[count].tags = base + limits[i];
		atomic_store_explicit(&slot_count, count + 1, memory_order_release);
		return true;
	}
	return false;
}

/* A slot for a map of this size that nobody is sent to; -1: none. */
static int pick_slot(uint64_t size, uint64_t current)
{
	for (unsigned round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < atomic_load_explicit(&slot_count, memory_order_relaxed); i++)
			if (map_slots[i].limit >= size && (!current || i != current % MAP_SLOTS))
				return (int)i;
		if (round == 0 && !add_slot(size))
			break;
	}
	return -1;
}

static void empty_slot(struct map_slot *slot)
{
	union {
		const uint8_t *in;
		void *out;
	} base = {slot->base}; /* ours: const is for the readers */

	if (slot->mapped)
		(void)mmap(base.out, (size_t)slot->mapped, PROT_READ,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	slot->mapped = 0;
}

/* Whole blocks, inside the file, after what comes before it. */
static bool section_fits(const struct nss_map_section *section, uint64_t *end, uint64_t size)
{
	if (section->offset % NSS_MAP_BLOCK || section->size % NSS_MAP_BLOCK || !section->size ||
	    section->offset < *end || section->offset > size || section->size > size - section->offset)
		return false;
	*end = section->offset + section->size;
	return true;
}

static bool header_fits(const struct nss_map_header *h, uint64_t size)
{
	struct nss_map_header sealed = {0};
	uint64_t end = NSS_MAP_BLOCK;

	if (h->magic != NSS_MAP_MAGIC || h->version != NSS_MAP_VERSION || h->block_size != NSS_MAP_BLOCK ||
	    h->size != size || (h->flags & ~(uint32_t)NSS_MAP_FLAGS_KNOWN))
		return false;
	memcpy(&sealed, h, NSS_MAP_HEADER_SEALED);
	sealed.header_check = 0;
	if (map_sum_words(&sealed, NSS_MAP_HEADER_SEALED, 0) != h->header_check)
		return false;
	for (unsigned i = 0; i < NSS_MAP_SECTIONS; i++)
		if (!section_fits(&h->sections[i], &end, size))
			return false;
	return end == size && h->sections[NSS_MAP_SUMS].size / sizeof(uint64_t) >= size / NSS_MAP_BLOCK &&
	       h->records_used <= h->sections[NSS_MAP_RECORDS].size &&
	       h->members_used <= h->sections[NSS_MAP_MEMBERS].size;
}

/* Takes the map in; false: it is unfit, or (*ret_late) a newer one was published meanwhile. */
static bool fill_slot(struct map_slot *slot, uint64_t size, bool *ret_late)
{
	struct nss_map_header h;
	const struct nss_map_section *s = h.sections;

	memcpy(&h, slot->base, sizeof(h));
	if (!header_fits(&h, size))
		return false;
	if (h.superseded) {
		*ret_late = true;
		return false;
	}
	if (map_sum_words(slot->base + s[NSS_MAP_SUMS].offset, (size_t)s[NSS_MAP_SUMS].size, 0) != h.sums_check)
		return false;
	slot->seed = h.seed;
	slot->flags = h.flags;
	slot->sums_offset = s[NSS_MAP_SUMS].offset;
	slot->names_offset = s[NSS_MAP_NAMES].offset;
	slot->names_buckets = s[NSS_MAP_NAMES].size / sizeof(struct nss_map_bucket);
	slot->ids_offset = s[NSS_MAP_IDS].offset;
	slot->ids_buckets = s[NSS_MAP_IDS].size / sizeof(struct nss_map_bucket);
	slot->records_offset = s[NSS_MAP_RECORDS].offset;
	slot->records_size = s[NSS_MAP_RECORDS].size;
	slot->records_used = h.records_used;
	slot->members_offset = s[NSS_MAP_MEMBERS].offset;
	slot->members_size = s[NSS_MAP_MEMBERS].size;
	memset(slot->tags, 0, (size_t)(slot->limit / NSS_MAP_BLOCK));
	return true;
}

/* Under the swap lock. The new stamp, or 0. */
static uint64_t swap_map(uint64_t current, bool *ret_late)
{
	uint64_t size, stamp;
	struct map_slot *slot;
	int fd, chosen;
	union {
		const uint8_t *in;
		void *out;
	} base;

	fd = open_map(&size);
	if (fd < 0)
		return 0;
	chosen = pick_slot(size, current);
	if (chosen < 0) {
		close(fd);
		return 0;
	}
	slot = &map_slots[chosen];
	empty_slot(slot); /* a fork may have come between its retirement and this */
	base.in = slot->base;
	if (mmap(base.out, (size_t)size, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		size = 0;
	close(fd);
	slot->mapped = size;
	if (!size || !fill_slot(slot, size, ret_late)) {
		empty_slot(slot);
		return 0;
	}
	do
		last_number++;
	while (last_number % 256 == 0); /* its low byte is the tag of checked blocks; 0: not checked */
	stamp = last_number << MAP_STAMP_SHIFT | (unsigned)chosen;
	atomic_store_explicit(&map_current, stamp, memory_order_release);
	if (current)
		empty_slot(&map_slots[current % MAP_SLOTS]);
	return stamp;
}

/* Another thread is mapping the first map: wait for it, within bounds. */
static uint64_t wait_for_first(struct control *control)
{
	for (unsigned i = 0; i < WAIT_YIELDS + WAIT_NAPS; i++) {
		uint64_t stamp = atomic_load_explicit(&map_current, memory_order_acquire);

		if (stamp || !atomic_load_explicit(&control->swapping, memory_order_acquire))
			return stamp;
		if (i < WAIT_YIELDS)
			sched_yield();
		else
			nanosleep(&(struct timespec){.tv_nsec = WAIT_NAP_NSEC}, NULL);
	}
	return 0;
}

uint64_t map_refresh(uint64_t stamp)
{
	struct control *control = get_control();
	uint64_t now, tried, fresh;
	uint32_t idle = 0;
	int saved_errno = errno, cancel;

	if (!control)
		return stamp;
	now = now_msec();
	tried = atomic_load_explicit(&control->tried_msec, memory_order_relaxed);
	if (tried && now - tried < map_place()->retry_msec)
		return stamp;
	if (!atomic_compare_exchange_strong_explicit(&control->swapping, &idle, 1, memory_order_acquire,
						     memory_order_relaxed))
		return stamp ? stamp : wait_for_first(control);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel); /* open() would leave with the lock */
	fresh = atomic_load_explicit(&map_current, memory_order_acquire);
	if (fresh == stamp || !fresh) { /* else another thread was faster */
		/* A process without a map must not find nobody because one was published while it looked. */
		for (unsigned tries = MAP_TRIES; tries > 0; tries--) {
			bool late = false;

			fresh = swap_map(stamp, &late);
			if (fresh || !late)
				break;
		}
		atomic_store_explicit(&control->tried_msec, fresh ? 0 : now, memory_order_relaxed);
	}
	atomic_store_explicit(&control->swapping, 0, memory_order_release);
	pthread_setcancelstate(cancel, NULL);
	errno = saved_errno;
	return fresh ? fresh : stamp;
}

const uint8_t *map_many_bytes(const struct map_view *view, uint64_t offset, uint64_t size)
{
	uint64_t limit = view->slot->limit;

	if (offset > limit || size > limit - offset || size == 0)
		return NULL;
	for (uint64_t at = offset - offset % NSS_MAP_BLOCK; at < offset + size; at += NSS_MAP_BLOCK)
		if (!map_block_bytes(view, at))
			return NULL;
	return view->slot->base + offset;
}
