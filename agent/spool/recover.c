/* SPDX-License-Identifier: MIT
 *
 * The end of a chain, as the last start left it: whole, torn by a crash, or damaged.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spool/internal.h"

static int open_segment(const struct spool *spool, const char *name, int flags, struct segment_walk *walk)
{
	struct stat st;

	walk->key = &spool->seal_key;
	walk->fd = openat(spool->dirfd, name, flags | O_CLOEXEC | O_NOFOLLOW);
	if (walk->fd < 0 || fstat(walk->fd, &st) < 0)
		return -errno;
	walk->size = (uint64_t)st.st_size;
	return segment_name_read(name, &walk->name);
}

int recover_unopened(struct spool *spool, const struct found *found, bool newest, bool quiet, bool *ret_cut)
{
	struct segment_walk walk = {0};
	_cleanup_(closep) int fd = -1;
	bool torn;
	int r;

	r = open_segment(spool, found->name, O_RDONLY, &walk);
	fd = walk.fd;
	if (r == 0 && walk.size <= SEGMENT_BYTES_MAX)
		r = segment_walk(&walk);
	if (r < 0)
		return r;
	if (walk.groups > 0)
		return 0;
	/* A new file whose first write did not come to its end is no loss. */
	torn = newest && walk.size <= BLOCK_BYTES_MAX && walk.tail != SEGMENT_TAIL_DAMAGED;
	if (torn) {
		if (unlinkat(spool->dirfd, found->name, 0) < 0)
			return -errno;
		finding_add(spool, SPOOL_REPAIRED, found->parts.first, found->size, "%s was begun and never written",
			    found->name);
		return 1;
	}
	r = mend_put_aside(spool, found->name, found->size);
	if (r < 0)
		return r;
	if (!quiet)
		finding_add(spool, SPOOL_DAMAGED, found->parts.first, 0, "nothing in %s opens", found->name);
	*ret_cut = *ret_cut || newest;
	return 1;
}

static int cut_tail(struct spool *spool, struct segment *segment, const struct segment_walk *walk)
{
	if (ftruncate(walk->fd, (off_t)walk->end) < 0 || fdatasync(walk->fd) < 0)
		return -errno;
	finding_add(spool, SPOOL_REPAIRED, walk->next, walk->size - walk->end,
		    "the last write before the agent ended was not finished");
	segment->size = walk->end;
	return 0;
}

int recover_chain(struct spool *spool, struct spool_chain *chain, bool *ret_cut)
{
	struct segment *segment = segment_of(spool, chain, TLOG_SIZE_MAX);
	struct segment_walk walk = {0};
	_cleanup_(closep) int fd = -1;
	char name[SEGMENT_NAME_MAX];
	uint64_t before;
	int r;

	segment_name_of(segment, name);
	before = segment->size;
	r = open_segment(spool, name, O_RDWR, &walk);
	fd = walk.fd;
	if (r == 0)
		r = segment_walk(&walk);
	if (r < 0)
		return r;
	segment->checked = true;
	segment->size = walk.size;
	if (walk.tail == SEGMENT_TAIL_TORN) {
		r = cut_tail(spool, segment, &walk);
		if (r < 0)
			return r;
		walk.size = walk.end;
	}
	if (walk.damages > 0) {
		r = mend_rewrite(spool, chain, &walk, &segment->size);
		if (r == 0) {
			finding_add(spool, SPOOL_DAMAGED, walk.lost_first, walk.lost, "%s" SEGMENT_DAMAGED, name);
		} else {
			/* A full disk, say. Nothing is added to it; it is mended when there is room. */
			segment->checked = false;
			spool->writing.roll = true;
		}
	}
	spool->bytes += segment->size - before;
	chain->durable.sequence = walk.next - 1;
	chain->durable.hash = walk.head;
	chain->appended = chain->durable;
	chain->readable = (struct chain_head){.sequence = walk.whole - 1, .hash = walk.head};
	*ret_cut = *ret_cut || !walk.head_known;
	return 0;
}
