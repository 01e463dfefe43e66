/* SPDX-License-Identifier: MIT
 *
 * What the spool's files share. Three kinds of threads meet here: the loop's, which appends; the writer, which makes
 * groups durable and looks through old segments when it has nothing else to do; and readers. `lock` guards all that
 * is not said to be of one thread, and is never held over a write or a sync.
 */
#pragma once

#include <pthread.h>

#include "spool/segment.h"
#include "spool/spool.h"

#define SPOOL_KEY_NAME "key"
#define SPOOL_CONSUMERS_NAME "consumers"
#define SPOOL_TEMPORARY "tmp-"
#define RECORD_BYTES_MAX 65536U             /* both lines */
#define QUEUE_BYTES_MAX (32U * 1024 * 1024) /* that wait for the disk */
#define BATCH_MORE 2048U                    /* what a group takes on disk beside its body, at most */
#define RECORD_ROOM (RECORD_BYTES_MAX + 2 * BATCH_MORE)

/* One chain of which something is here. Lives as long as the spool. */
struct spool_chain {
	struct spool_chain *next; /* the one after it */
	uint32_t generation;      /* from 1 */
	char id[CHAIN_ID_CHARS + 1];
	bool has_key;
	struct note_key key;
	uint8_t secret[ED25519_SECRET_BYTES]; /* of the newest one alone */
	struct chain_head appended;           /* the loop's */
	struct chain_head durable;
	struct chain_head readable; /* the last event that opens: what is missing behind it, nobody waits for */
};
struct segment {
	struct segment *next; /* newer */
	struct spool_chain *chain;
	uint64_t first;
	uint64_t size;    /* durable bytes */
	bool checked;     /* walked through since the start, or written since */
	bool suspect;     /* somebody could not read what is written to: the writer looks through it */
	uint32_t edition; /* how often it was mended: another file each time */
};
/* What becomes a group. */
struct batch {
	struct batch *next;
	struct spool_chain *chain;
	struct tlog_hash prev, head;
	uint64_t first;
	uint32_t count;
	bool writing; /* it is the writer's: nothing is added */
	uint64_t since_usec;
	struct buffer body;
};
struct finding {
	struct finding *next;
	enum spool_finding what;
	uint64_t first, count;
	char detail[256];
};
struct consumer {
	char name[SPOOL_NAME_MAX];
	uint32_t generation;
	uint64_t next;
	uint32_t kept_generation; /* as its file has it: only what is before that may go */
	uint64_t kept_next;
	struct spool_reader *reader; /* NULL: it is not open */
};
struct aside {
	struct aside *next;
	uint64_t size;
	char name[SEGMENT_NAME_MAX + 32];
};
/* The writer's own: where it writes. */
struct writing {
	int fd; /* -1 */
	struct spool_chain *chain;
	uint64_t first, size;
	bool roll; /* what was written last is in doubt: a new file */
	struct buffer content, chain_block;
};
struct spool {
	sd_event *event;
	sd_event_source *source;
	int loop_fd, dirfd;
	struct seal_key seal_key;
	struct spool_hooks hooks;
	char boot[33];
	bool started;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_mutex_t check_lock;    /* held while a segment is walked or mended; before `lock` */
	pthread_mutex_t consumer_lock; /* held while the consumers' file is written; before `lock` */
	pthread_cond_t work, drained;

	uint64_t max_bytes;
	enum spool_durability durability;
	enum spool_when_full when_full;
	bool stopping;

	struct spool_chain *chains; /* oldest first */
	struct spool_chain *chain;  /* what is appended to; changed on the loop's thread */
	struct spool_chain *upcoming;
	struct segment *upcoming_segment;
	char upcoming_why[160];
	struct segment *segments; /* oldest first */
	struct aside *asides;     /* oldest first */
	uint64_t bytes;           /* of both */
	struct batch *queue, **queue_last;
	size_t queue_bytes;
	struct finding *findings, **findings_last;
	struct consumer consumers[SPOOL_CONSUMERS_MAX];
	uint32_t consumer_count;

	bool broken, full; /* the disk refuses; no room */
	bool trouble;      /* … and that was told */
	bool overwritten;
	char broken_why[160];
	uint64_t retry_usec; /* monotonic */
	char problem[256];
	uint64_t groups, syncs, sync_usec;
	uint64_t dropped, dropped_untold;
	int64_t dropped_first, dropped_last;
	bool hurry;            /* the loop waits for what is in the queue */
	uint64_t told_durable; /* the loop's: what the hook was called with */

	struct writing writing;
};
struct spool_reader {
	struct spool *spool;
	int fd;   /* eventfd */
	int file; /* the segment that was read last; -1 */
	uint32_t generation, edition;
	uint64_t first;
	uint64_t sequence, offset; /* a block that begins there */
	struct buffer content;
};

uint64_t spool_monotonic_usec(void);

/* ---- findings.c: lock held, but for dispatch ---- */
void finding_add(struct spool *spool, enum spool_finding what, uint64_t first, uint64_t count, const char *format, ...)
	_printf_(5, 6);
void finding_dispatch(struct spool *spool); /* the loop's thread */
void spool_wake_loop(const struct spool *spool);

/* ---- chains.c ---- */
/* A new chain's key and first segment, on disk. `generation`: unused so far. No lock. */
int chain_create(struct spool *spool, uint32_t generation, struct spool_chain **ret, struct segment **ret_segment);
/* The key file. 0; -ENOENT: there is none; -EBADMSG: it does not open. */
int chain_load(const struct spool *spool, struct spool_chain **ret);
struct spool_chain *chain_find(const struct spool *spool, uint32_t generation);
void chain_free(struct spool_chain *chain); /* takes NULL; wipes */
/* The block that begins a segment. Replaces what `ret` holds. */
int chain_block(const struct seal_key *key, const struct spool_chain *chain, uint64_t first,
		const struct tlog_hash *prev, struct buffer *ret);

/* ---- segments.c: lock held ---- */
void segment_insert(struct spool *spool, struct segment *segment);
struct segment *segment_find(const struct spool *spool, const struct spool_chain *chain, uint64_t first);
/* That holds the sequence, or the last before it; NULL: it is before all. */
struct segment *segment_of(const struct spool *spool, const struct spool_chain *chain, uint64_t sequence);
struct segment *segment_after(const struct segment *segment); /* of the same chain */
struct segment *segment_suspect(const struct spool *spool);   /* the oldest; NULL: none */
uint64_t segment_last(const struct segment *segment);
bool segment_is_newest(const struct spool *spool, const struct segment *segment);
/* Takes it out of the list; the caller's. */
struct segment *segment_detach(struct spool *spool, struct segment *segment);
void segment_name_of(const struct segment *segment, char out[SEGMENT_NAME_MAX]);

/* ---- room.c: lock held ---- */
/* Is there room for `more`, and does the disk take it? Tells of it when that is so no more, or again. */
bool room_review(struct spool *spool, uint64_t more);
bool room_for(const struct spool *spool, uint64_t more);
/* Frees what every consumer has. Lets the lock go and takes it again. */
void room_free(struct spool *spool);
/* Nobody wants the oldest: removes what it takes to write that much. The same. */
void room_make(struct spool *spool, uint64_t more);
void aside_free(struct aside *aside);
int aside_add(struct spool *spool, const char *name, uint64_t size);
uint64_t room_segment_bytes(const struct spool *spool);

/* ---- mend.c ---- */
/* Keeps the file aside as <name>.damaged and takes it away. Lock held. */
int mend_put_aside(struct spool *spool, const char *name, uint64_t size);
/* Writes the segment anew with what opens of it, and puts what it was aside. `walk`: key, name, fd, size, next_first;
 * and what was found. No lock. */
int mend_rewrite(struct spool *spool, const struct spool_chain *chain, struct segment_walk *walk, uint64_t *ret_size);
/* Walks a segment that was not looked at since the start, and mends it. No lock. 0, also where its file is gone, which
 * is told, and the one before it looked through; -ENOENT: it is not in the list; -EBUSY: it is written to, and looked
 * through by the writer soon; -errno. */
int mend_check(struct spool *spool, uint32_t generation, uint64_t first);
/* The same of those that somebody was told -EBUSY of. The writer's thread, between two groups. */
void mend_suspects(struct spool *spool);

/* ---- start.c, recover.c, directory.c: before any thread ---- */
/* A file of the directory, and what is known of it. */
struct found {
	char name[SEGMENT_NAME_MAX];
	struct segment_name parts;
	uint64_t size;
};
struct found_list {
	struct found *items; /* by chain and sequence */
	size_t count;
};
void found_finish(struct found_list *list);
/* Makes it where it is not there, opens and locks it. */
int directory_open(struct spool *spool, const char *path, struct problem *problem);
/* Lists the segments; counts what was put aside; removes what was never finished. */
int directory_list(struct spool *spool, struct found_list *ret);
/* Finds the end of a chain by its last segment, and mends that. *ret_cut: the chain cannot go on. */
int recover_chain(struct spool *spool, struct spool_chain *chain, bool *ret_cut);
/* A segment whose chain block does not open. 0: something in it does; 1: nothing: it was put away. */
int recover_unopened(struct spool *spool, const struct found *found, bool newest, bool quiet, bool *ret_cut);
int start_scan(struct spool *spool, struct problem *problem);

/* ---- consumers.c ---- */
int consumers_load(struct spool *spool);     /* before any thread */
int consumers_save(struct spool *spool);     /* no lock */
void consumers_advance(struct spool *spool); /* lock held: who has all of an older chain goes on */
bool consumer_has(const struct consumer *consumer, const struct segment *segment);
bool chain_is_written(const struct spool *spool, const struct spool_chain *chain); /* it is not at its end yet */
struct consumer *consumer_of(const struct spool_reader *reader);                   /* NULL: dropped */
void readers_wake(const struct spool *spool);                                      /* lock held */

/* ---- writer.c ---- */
void *writer_run(void *context);
void writing_finish(struct writing *writing);
