/* SPDX-License-Identifier: MIT */
#include "thread/mailbox.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define STACK_BYTES (1024U * 1024)

int mailbox_open(struct mailbox *box)
{
	box->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (box->fd < 0)
		return -errno;
	pthread_mutex_init(&box->lock, NULL);
	box->first = NULL;
	box->last = &box->first;
	box->open = true;
	return 0;
}

void mailbox_close(struct mailbox *box, void (*letter_free)(struct letter *letter))
{
	if (!box->open)
		return;
	for (struct letter *letter = box->first, *next; letter; letter = next) {
		next = letter->next;
		letter_free(letter);
	}
	close(box->fd);
	pthread_mutex_destroy(&box->lock);
	box->open = false;
}

void mailbox_knock(struct mailbox *box)
{
	uint64_t one = 1;

	while (write(box->fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void mailbox_put(struct mailbox *box, struct letter *letter)
{
	letter->next = NULL;
	pthread_mutex_lock(&box->lock);
	*box->last = letter;
	box->last = &letter->next;
	pthread_mutex_unlock(&box->lock);
	mailbox_knock(box);
}

struct letter *mailbox_take(struct mailbox *box)
{
	struct letter *first;
	uint64_t count;

	/* Before the letters: one that comes in between is taken now, and knocks in vain later. */
	while (read(box->fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
	pthread_mutex_lock(&box->lock);
	first = box->first;
	box->first = NULL;
	box->last = &box->first;
	pthread_mutex_unlock(&box->lock);
	return first;
}

int thread_start(pthread_t *ret, void *(*run)(void *argument), void *argument)
{
	sigset_t all, before;
	pthread_attr_t attributes;
	int r;

	sigfillset(&all);
	r = pthread_sigmask(SIG_SETMASK, &all, &before);
	if (r != 0)
		return -r;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	r = pthread_create(ret, &attributes, run, argument);
	pthread_attr_destroy(&attributes);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}
