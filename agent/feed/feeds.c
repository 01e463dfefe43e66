/* SPDX-License-Identifier: MIT
 *
 * The thread, and what goes between it and the agent's loop.
 */
#include "feed/feeds.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/secret.h"
#include "feed/session_line.h"
#include "feed/work.h"
#include "thread/mailbox.h"

enum letter_kind {
	/* to the thread */
	LETTER_ENROLL,
	LETTER_FORGET,
	LETTER_RETRY,
	LETTER_APPLIED,
	LETTER_REFUSED,
	LETTER_SESSION,
	LETTER_SESSION_GONE,
	LETTER_STOP,
	/* from it */
	LETTER_ENROLLED,
	LETTER_AUDIT,
	LETTER_FOUND,
	LETTER_DISABLED,
	LETTER_LOOKED,
};
struct note {
	struct letter letter;
	enum letter_kind kind;
	uint64_t tag;
	int result;
	bool critical;
	enum feeds_finding finding;
	char *text, *other;      /* url and token; tenant and detail … */
	char *record, *data;     /* of a finding; NULL */
	char fault[32];          /* or a session's id */
	struct problem *problem; /* NULL: none */
};
struct views {
	struct host_view host;
	struct feed_view feeds[FEEDS_MAX];
	uint32_t count;
};
struct units {
	struct unit **items;
	uint32_t count;
	uint64_t tag;
};

struct feeds {
	struct feeds_hooks hooks;
	sd_event_source *news_source;
	pthread_t thread;
	bool thread_started;
	struct note *stop; /* made before it is needed: without memory there would be no end */

	/* The loop's own. */
	struct units units;
	struct views *views;

	struct mailbox wishes, news;
	pthread_mutex_t lock; /* for the rest, down to the thread's own */
	struct units new_units;
	bool has_units;
	struct views *new_views; /* NULL: nothing new */

	/* The thread's own. */
	sd_event *event;
	sd_event_source *wish_source;
	struct work *work;
	uint64_t tag;
};

/* ---- letters ------------------------------------------------------------------------------------------------ */

static void note_free(struct note *note)
{
	secret_free_heap(note->text);
	secret_free_heap(note->other);
	free(note->record);
	free(note->data);
	free(note->problem);
	free(note);
}

static void letter_free(struct letter *letter)
{
	note_free((struct note *)letter); /* it stands first */
}

static struct note *note_new(enum letter_kind kind, uint64_t tag, const char *text, const char *other,
			     const struct problem *problem)
{
	struct note *note = calloc(1, sizeof(*note));

	if (!note)
		return NULL;
	note->kind = kind;
	note->tag = tag;
	note->text = strdup(text ? text : "");
	note->other = strdup(other ? other : "");
	if (problem) {
		note->problem = malloc(sizeof(*problem));
		if (note->problem)
			*note->problem = *problem;
	}
	if (note->text && note->other && !problem == !note->problem)
		return note;
	note_free(note);
	return NULL;
}

/* Takes the note over; NULL: there was no memory for it. */
static void send_note(struct mailbox *to, struct note *note)
{
	if (note)
		mailbox_put(to, &note->letter);
	else
		log_error("out of memory: a message about feeds is lost");
}

static void units_finish(struct units *units)
{
	for (uint32_t i = 0; i < units->count; i++)
		unit_unref(units->items[i]);
	free(units->items);
	*units = (struct units){0};
}

/* ---- on the thread --------------------------------------------------------------------------------------------- */

/* Leaves units and views for the loop; later ones take the place of earlier. */
static void on_changed(void *context)
{
	struct feeds *feeds = context;
	struct units units = {.tag = feeds->tag + 1}, old = {0};
	struct views *views = calloc(1, sizeof(*views)), *old_views;
	int r = views ? work_take_units(feeds->work, units.tag, &units.items, &units.count) : -ENOMEM;

	/* Never units without the view that says how fresh they are. */
	if (r < 0) {
		log_error("out of memory: what feeds learned waits for the next change");
		units_finish(&units);
		free(views);
		return;
	}
	feeds->tag += (uint64_t)r;
	views->count = work_view(feeds->work, &views->host, views->feeds, FEEDS_MAX);
	pthread_mutex_lock(&feeds->lock);
	if (r > 0) {
		old = feeds->new_units;
		feeds->new_units = units;
		feeds->has_units = true;
	}
	old_views = feeds->new_views;
	feeds->new_views = views;
	pthread_mutex_unlock(&feeds->lock);
	mailbox_knock(&feeds->news);
	if (r == 0)
		units_finish(&units);
	units_finish(&old);
	free(old_views);
}

static void on_audit(void *context, bool critical, const char *tenant_id, const char *fault, const char *detail)
{
	struct feeds *feeds = context;
	struct note *note = note_new(LETTER_AUDIT, 0, tenant_id, detail, NULL);

	if (note) {
		note->critical = critical;
		snprintf(note->fault, sizeof(note->fault), "%s", fault ? fault : "");
	}
	send_note(&feeds->news, note);
}

static void on_found(void *context, const struct feeds_found *found)
{
	struct feeds *feeds = context;
	struct note *note = note_new(LETTER_FOUND, 0, found->tenant_id, found->detail, NULL);

	if (note) {
		note->finding = found->what;
		snprintf(note->fault, sizeof(note->fault), "%s", found->change);
		note->record = strdup(found->record);
		note->data = strdup(found->data ? found->data : "");
		if (!note->record || !note->data)
			note_free(TAKE_PTR(note));
	}
	send_note(&feeds->news, note);
}

static void on_disabled(void *context, const char *reason)
{
	struct feeds *feeds = context;

	send_note(&feeds->news, note_new(LETTER_DISABLED, 0, reason, NULL, NULL));
}

static void on_enrolled(void *context, uint64_t tag, int result, const char *host_id, const struct problem *problem)
{
	struct feeds *feeds = context;
	struct note *note = note_new(LETTER_ENROLLED, tag, host_id, NULL, problem);

	on_changed(feeds); /* so that whoever hears it sees it, too */
	if (note)
		note->result = result;
	send_note(&feeds->news, note);
}

static int on_wish(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct feeds *feeds = context;

	for (struct letter *letter = mailbox_take(&feeds->wishes), *next; letter; letter = next) {
		const struct note *note = (struct note *)letter;

		next = letter->next;
		switch ((int)note->kind) {
		case LETTER_ENROLL:
			work_enroll(feeds->work, note->text, note->other, note->tag);
			break;
		case LETTER_FORGET:
			work_forget(feeds->work);
			break;
		case LETTER_RETRY:
			work_retry(feeds->work);
			on_changed(feeds);
			send_note(&feeds->news, note_new(LETTER_LOOKED, 0, NULL, NULL, NULL));
			break;
		case LETTER_APPLIED:
			work_applied(feeds->work, note->tag);
			break;
		case LETTER_REFUSED:
			work_refused(feeds->work, note->tag, note->text, note->problem);
			break;
		case LETTER_SESSION:
			work_session(feeds->work, note->text, note->fault, note->other);
			break;
		case LETTER_SESSION_GONE:
			work_session(feeds->work, NULL, note->fault, NULL);
			break;
		case LETTER_STOP:
			(void)sd_event_exit(feeds->event, 0);
			break;
		}
		letter_free(letter);
	}
	return 0;
}

static void *run(void *argument)
{
	struct feeds *feeds = argument;
	int r;

	work_start(feeds->work);
	r = sd_event_loop(feeds->event);
	if (r < 0)
		log_error("the feeds' event loop ended: %s", strerror(-r));
	return NULL;
}

/* ---- on the agent's loop ------------------------------------------------------------------------------------------
 */

static void deliver(struct feeds *feeds, const struct note *note)
{
	const struct feeds_hooks *hooks = &feeds->hooks;

	switch ((int)note->kind) {
	case LETTER_ENROLLED:
		hooks->enrolled(hooks->context, note->tag, note->result, note->text, note->problem);
		break;
	case LETTER_AUDIT:
		hooks->audit(hooks->context, note->critical, note->text, note->fault, note->other);
		break;
	case LETTER_FOUND:
		if (hooks->found)
			hooks->found(hooks->context, &(struct feeds_found){note->finding, note->text, note->record,
									   note->fault, note->other, note->data});
		break;
	case LETTER_DISABLED:
		hooks->disabled(hooks->context, note->text);
		break;
	case LETTER_LOOKED:
		if (hooks->looked)
			hooks->looked(hooks->context);
		break;
	}
}

static int on_news(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct feeds *feeds = context;
	struct letter *letters = mailbox_take(&feeds->news);
	struct units units = {0};
	struct views *views;
	bool has_units;

	pthread_mutex_lock(&feeds->lock);
	has_units = feeds->has_units;
	if (has_units) {
		units = feeds->new_units;
		feeds->new_units = (struct units){0};
		feeds->has_units = false;
	}
	views = feeds->new_views;
	feeds->new_views = NULL;
	pthread_mutex_unlock(&feeds->lock);
	if (views) {
		free(feeds->views);
		feeds->views = views;
	}
	/* First what decisions go by: a revocation waits for nothing. */
	if (has_units) {
		units_finish(&feeds->units);
		feeds->units = units;
	}
	if (views)
		feeds->hooks.view(feeds->hooks.context);
	if (has_units)
		feeds->hooks.units(feeds->hooks.context, feeds->units.items, feeds->units.count, feeds->units.tag);
	for (struct letter *next; letters; letters = next) {
		next = letters->next;
		deliver(feeds, (struct note *)letters);
		letter_free(letters);
	}
	return 0;
}

int feeds_create(sd_event *event, const struct feeds_options *options, const struct feeds_hooks *hooks,
		 struct feeds **ret)
{
	struct feeds *feeds = calloc(1, sizeof(*feeds));
	const struct work_hooks work_hooks = {on_changed, on_audit, on_found, on_disabled, on_enrolled, feeds};
	int r;

	if (!feeds)
		return -ENOMEM;
	pthread_mutex_init(&feeds->lock, NULL);
	feeds->hooks = *hooks;
	feeds->views = calloc(1, sizeof(*feeds->views));
	feeds->stop = note_new(LETTER_STOP, 0, NULL, NULL, NULL);
	r = feeds->views && feeds->stop ? mailbox_open(&feeds->wishes) : -ENOMEM;
	if (r >= 0)
		r = mailbox_open(&feeds->news);
	if (r >= 0)
		r = sd_event_new(&feeds->event);
	if (r >= 0)
		r = sd_event_add_io(feeds->event, &feeds->wish_source, feeds->wishes.fd, EPOLLIN, on_wish, feeds);
	if (r >= 0)
		r = sd_event_add_io(event, &feeds->news_source, feeds->news.fd, EPOLLIN, on_news, feeds);
	if (r >= 0)
		r = work_new(feeds->event, options, &work_hooks, &feeds->work);
	if (r >= 0)
		r = work_take_units(feeds->work, 0, &feeds->units.items, &feeds->units.count);
	if (r >= 0) {
		feeds->views->count = work_view(feeds->work, &feeds->views->host, feeds->views->feeds, FEEDS_MAX);
		r = thread_start(&feeds->thread, run, feeds);
		feeds->thread_started = r == 0;
	}
	if (r < 0) {
		feeds_destroy(feeds);
		return r;
	}
	*ret = feeds;
	return 0;
}

void feeds_destroy(struct feeds *feeds)
{
	if (!feeds)
		return;
	if (feeds->thread_started) {
		send_note(&feeds->wishes, TAKE_PTR(feeds->stop));
		pthread_join(feeds->thread, NULL);
	}
	if (feeds->stop)
		note_free(feeds->stop);
	work_free(feeds->work);
	sd_event_source_disable_unref(feeds->wish_source);
	sd_event_source_disable_unref(feeds->news_source);
	sd_event_unref(feeds->event);
	mailbox_close(&feeds->wishes, letter_free);
	mailbox_close(&feeds->news, letter_free);
	units_finish(&feeds->units);
	units_finish(&feeds->new_units);
	free(feeds->views);
	free(feeds->new_views);
	pthread_mutex_destroy(&feeds->lock);
	free(feeds);
}

void feeds_units(struct feeds *feeds, struct unit *const **ret_units, uint32_t *ret_count)
{
	*ret_units = feeds->units.items;
	*ret_count = feeds->units.count;
}

void feeds_applied(struct feeds *feeds, uint64_t tag)
{
	send_note(&feeds->wishes, note_new(LETTER_APPLIED, tag, NULL, NULL, NULL));
}

void feeds_refused(struct feeds *feeds, uint64_t tag, const char *tenant_id, const struct problem *problem)
{
	send_note(&feeds->wishes, note_new(LETTER_REFUSED, tag, tenant_id, NULL, problem));
}

void feeds_enroll(struct feeds *feeds, const char *url, const char *token, uint64_t tag)
{
	send_note(&feeds->wishes, note_new(LETTER_ENROLL, tag, url, token, NULL));
}

void feeds_forget(struct feeds *feeds)
{
	send_note(&feeds->wishes, note_new(LETTER_FORGET, 0, NULL, NULL, NULL));
}

void feeds_retry(struct feeds *feeds)
{
	send_note(&feeds->wishes, note_new(LETTER_RETRY, 0, NULL, NULL, NULL));
}

void feeds_session(struct feeds *feeds, const struct session *session)
{
	_cleanup_(buffer_finish) struct buffer line = BUFFER_INIT;
	struct note *note = NULL;
	int r = session_line_write(session, &line);

	if (r == 0)
		return;
	if (r > 0 && buffer_text(&line))
		note = note_new(LETTER_SESSION, 0, session->tenant_id, line.data, NULL);
	if (note)
		(void)snprintf(note->fault, sizeof(note->fault), "%s", session->id);
	send_note(&feeds->wishes, note);
}

void feeds_session_gone(struct feeds *feeds, const struct session *session)
{
	struct note *note = note_new(LETTER_SESSION_GONE, 0, NULL, NULL, NULL);

	if (note)
		(void)snprintf(note->fault, sizeof(note->fault), "%s", session->id);
	send_note(&feeds->wishes, note);
}

uint32_t feeds_view(const struct feeds *feeds, struct host_view *ret_host, const struct feed_view **ret)
{
	*ret_host = feeds->views->host;
	*ret = feeds->views->feeds;
	return feeds->views->count;
}
