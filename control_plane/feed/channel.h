/* SPDX-License-Identifier: MIT
 *
 * The recent events of one tenant's feed in memory, as the bytes that streams send: made once, shared by all of them.
 * Knows neither database nor sockets; thread-safe.
 *
 * Deltas lie here without gaps up to the newest revision; the oldest go when there is too much, and who still needed
 * them is cut. Beside them the newest head and, once it changed, the newest trust document.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One event's bytes, immutable. */
struct frame {
	_Atomic uint32_t references;
	uint32_t length;
	char bytes[];
};
struct frame *frame_new(const char *event, const char *id, const char *text, size_t length); /* NULL: no memory */
struct frame *frame_ref(struct frame *frame);
void frame_unref(struct frame *frame); /* takes NULL */

struct channel;
/* `total` counts the bytes of all channels that share it. */
int channel_new(const char *tenant_id, _Atomic uint64_t *total, struct channel **ret);
struct channel *channel_ref(struct channel *channel);
void channel_unref(struct channel *channel); /* takes NULL */

/* What a channel holds. */
struct channel_view {
	const char *tenant_id;
	uint64_t epoch, revision; /* 0, 0 before the first reset */
	uint64_t first;           /* the oldest delta here; revision + 1: none */
	int64_t head_issued;      /* 0: no head */
	uint64_t trust_version;
	uint32_t readers;
	bool loaded;
};
struct channel_view channel_view(struct channel *channel);
const char *channel_tenant(const struct channel *channel);

/* Forgets all and starts at this revision, of which there is no delta here. Readers of another epoch or revision are
 * cut. */
void channel_reset(struct channel *channel, uint64_t epoch, uint64_t revision);
/* -ESTALE: it does not follow (another replica's is missing); 0 also when it is here already. */
int channel_append(struct channel *channel, uint64_t epoch, uint64_t revision, const char *delta, size_t length);
/* Older ones, newest first. -ENOSPC: too much; -ESTALE: does not lead up to what is here. */
int channel_prepend(struct channel *channel, uint64_t epoch, uint64_t revision, const char *delta, size_t length);
/* -ESTALE: not of what is here, or no newer. `expires` of its note. */
int channel_head(struct channel *channel, uint64_t epoch, uint64_t revision, int64_t issued, int64_t expires,
		 const char *note, size_t length);
/* The first call only tells which version there is: hosts that connect have it or fetch it. */
int channel_trust(struct channel *channel, uint64_t version, const char *note, size_t length);
/* Wakes all readers. Locks in between, so that none of them waits for all. */
void channel_wake(struct channel *channel);

/* ---- readers ---- */
struct channel_reader {
	struct channel *channel;                     /* a reference */
	void (*wake)(struct channel_reader *reader); /* any thread, must be quick; set before the first read */
	uint64_t epoch, at;                          /* sent up to here */
	uint64_t head_serial;
	uint64_t behind_usec; /* since when it does not take what is there; 0: it does */
	uint32_t slot;
	uint32_t trust_serial;
	bool attached, quiet; /* quiet: no head by itself until `at` moves (long polling) */
	bool cut;
};
/* 0; -ESTALE: another epoch, or deltas that are not here. */
int channel_attach(struct channel *channel, struct channel_reader *reader);
void channel_detach(struct channel_reader *reader);
/* The next event, with a reference; NULL: nothing now. *ret_head: it is a head that covers all sent before.
 * -ESTALE: the reader fell behind, or the feed's life is another. */
int channel_next(struct channel_reader *reader, int64_t now, struct frame **ret, bool *ret_head);
/* Around what `wake` and `look` see of a reader. */
void channel_lock(struct channel *channel);
void channel_unlock(struct channel *channel);
/* Calls `look` for each reader, with the lock held. */
void channel_each(struct channel *channel, void (*look)(struct channel_reader *reader, void *context), void *context);
