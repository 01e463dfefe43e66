/* SPDX-License-Identifier: MIT
 *
 * Threads of the agent beside its loop, and the boxes by which they talk: wishes one way, news the other. What lies in
 * a box belongs to whoever takes it out; nothing else need be shared.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

/* Stands first in what is sent. */
struct letter {
	struct letter *next;
};
struct mailbox {
	bool open;
	pthread_mutex_t lock;
	struct letter *first, **last;
	int fd; /* readable when there is something to take, or somebody knocked */
};
int mailbox_open(struct mailbox *box);
/* Takes one that was never opened, too. What lies in it is given to `letter_free` (NULL: there are no letters). */
void mailbox_close(struct mailbox *box, void (*letter_free)(struct letter *letter));
void mailbox_put(struct mailbox *box, struct letter *letter);
void mailbox_knock(struct mailbox *box); /* wakes up who waits, with nothing */
/* All there is, oldest first; NULL: only a knock. */
struct letter *mailbox_take(struct mailbox *box);

/* A thread that gets no signals: they are the main thread's. 0 or -errno. */
int thread_start(pthread_t *ret, void *(*run)(void *argument), void *argument);
