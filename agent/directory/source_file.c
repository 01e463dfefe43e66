/* SPDX-License-Identifier: MIT
 *
 * The thread that reads the directory's files. It sleeps in poll() without a timeout until inotify or the
 * main thread wakes it, makes a whole picture, and leaves it for the main thread together with a wake-up.
 *
 * A complete change (a rename, a writer's close) is looked at at once. What is broken is looked at once
 * more after a moment before anybody hears of it, since a change of several files passes through states
 * that do not fit together; a success never waits.
 */
#include "directory/source_file.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/macros.h"
#include "directory/files.h"
#include "directory/watch.h"
#include "thread/mailbox.h"

#define PAUSE_USEC (10 * USEC_PER_MSEC)   /* between two looks, so a burst of changes costs few of them */
#define LATER_USEC (500 * USEC_PER_MSEC)  /* a file that was created and not closed yet */
#define SETTLE_USEC (150 * USEC_PER_MSEC) /* before a problem is told */
/* Between two times that compiled forms are stored, each synced: so many times what the last one took. */
#define STORE_SHARE 10
#define STORE_PAUSE_MAX (1 * USEC_PER_SEC)
#define POLL_USEC (2 * USEC_PER_SEC) /* where there is nothing to watch */
#define NEVER UINT64_MAX

struct source_file {
	source_file_fn changed;
	void *context;
	sd_event_source *news;   /* on `outcomes` */
	struct mailbox wishes;   /* main thread → loader; only knocks: what is wished stands below */
	struct mailbox outcomes; /* loader → main thread */
	pthread_t thread;
	bool started;

	pthread_mutex_t files_lock; /* held while files are read: the loader, or source_file_load at the start */
	struct directory_files *files;
	struct watch *watch; /* the loader's own */

	pthread_mutex_t lock; /* for all below */
	bool stop, asked;
	bool loaded;    /* source_file_load read files: their compiled forms are to be stored */
	bool fell_back; /* source_file_load could not: when it can be done, it must be told */
	bool told;      /* something lies here for the main thread */
	struct directory *picture;
	struct problem problem;
	bool failed;
};

/* Leaves the outcome for the main thread; a later one takes the place of an earlier. */
static void tell(struct source_file *source, struct directory *picture, const struct problem *problem)
{
	pthread_mutex_lock(&source->lock);
	directory_unref(source->picture);
	source->picture = picture ? directory_ref(picture) : NULL;
	source->failed = !picture;
	if (!picture)
		source->problem = *problem;
	source->told = true;
	pthread_mutex_unlock(&source->lock);
	mailbox_knock(&source->outcomes);
}

struct plan {
	uint64_t due;    /* when to look next, CLOCK_BOOTTIME; NEVER */
	uint64_t looked; /* when we looked last */
	bool asked;      /* somebody waits for the outcome */
	uint64_t failed; /* since when looks fail and nobody was told; 0: they do not */
	bool broken;     /* a problem was told last: success must be told even when nothing changed */
	uint64_t store;  /* when to store what was accepted; NEVER */
	uint64_t stored; /* when it was stored last … */
	uint64_t pause;  /* … and how long to leave the disk alone then */
};

/* At once, but not for each of many changes in a row. */
static void plan_store(struct plan *plan)
{
	if (plan->store == NEVER)
		plan->store = plan->stored ? plan->stored + plan->pause : 0;
}

static void look(struct source_file *source, struct plan *plan)
{
	struct problem problem = {0};
	struct directory *picture;
	int r;

	plan->due = NEVER;
	pthread_mutex_lock(&source->files_lock);
	r = directory_files_refresh(source->files, &problem);
	picture = directory_files_picture(source->files);
	if (r == -ENOMEM && !problem.text[0])
		problem_set(&problem, ENOMEM, "out of memory");
	plan->looked = clock_boottime_usec();
	if (r < 0 && plan->failed == 0)
		plan->failed = plan->looked;
	if (r < 0 && !plan->asked && plan->looked < plan->failed + SETTLE_USEC) {
		plan->due = plan->failed + SETTLE_USEC;
	} else {
		if (r == FILES_CHANGED || plan->asked || r < 0 || plan->broken)
			tell(source, r < 0 ? NULL : picture, &problem);
		plan->broken = r < 0;
		plan->asked = false;
		plan->failed = 0;
	}
	if (r == FILES_CHANGED)
		plan_store(plan); /* the picture is on its way already */
	else if (r < 0 && plan->store != NEVER)
		plan->store = 0; /* what the files hold now is no good: a start would need what waits to be stored */
	pthread_mutex_unlock(&source->files_lock);
}

static void store(struct source_file *source, struct plan *plan)
{
	uint64_t before = clock_boottime_usec();

	pthread_mutex_lock(&source->files_lock);
	directory_files_compile(source->files);
	pthread_mutex_unlock(&source->files_lock);
	plan->stored = clock_boottime_usec();
	plan->pause = MIN_OF(STORE_SHARE * (plan->stored - before), STORE_PAUSE_MAX);
	plan->store = NEVER;
}

static void plan_look(struct plan *plan, uint64_t delay)
{
	uint64_t now = clock_boottime_usec(), due = now + delay;

	if (plan->looked + PAUSE_USEC > due)
		due = plan->looked + PAUSE_USEC;
	plan->due = MIN_OF(plan->due, due);
}

/* True: stop. */
static bool take_wishes(struct source_file *source, struct plan *plan)
{
	bool stop, loaded;

	(void)mailbox_take(&source->wishes);
	pthread_mutex_lock(&source->lock);
	stop = source->stop;
	loaded = source->loaded;
	if (source->asked)
		plan->asked = true;
	if (source->fell_back)
		plan->broken = true;
	source->asked = source->loaded = source->fell_back = false;
	pthread_mutex_unlock(&source->lock);
	if (loaded)
		plan_store(plan);
	if (plan->asked)
		plan_look(plan, 0);
	return stop;
}

static void take_news(struct source_file *source, struct plan *plan)
{
	switch (watch_read(source->watch)) {
	case WATCH_NOW:
		plan_look(plan, 0);
		break;
	case WATCH_LATER:
		plan_look(plan, LATER_USEC);
		break;
	case WATCH_NOTHING:
		break;
	}
}

static int wait_until(uint64_t due, bool complete)
{
	uint64_t now = clock_boottime_usec(), wait = due <= now ? 0 : due - now;

	if (!complete)
		wait = MIN_OF(wait, POLL_USEC);
	else if (due == NEVER)
		return -1;
	return (int)((wait + USEC_PER_MSEC - 1) / USEC_PER_MSEC);
}

static void *run(void *argument)
{
	struct source_file *source = argument;
	struct plan plan = {.due = NEVER, .store = NEVER};
	struct pollfd fds[2] = {{.fd = source->wishes.fd, .events = POLLIN},
				{.fd = watch_fd(source->watch), .events = POLLIN}};

	for (;;) {
		bool complete = watch_complete(source->watch);
		int n = poll(fds, ARRAY_LEN(fds), wait_until(MIN_OF(plan.due, plan.store), complete));

		if (n < 0 && errno != EINTR)
			return NULL; /* not for valid descriptors */
		if (n > 0 && fds[0].revents && take_wishes(source, &plan)) {
			if (plan.store != NEVER)
				store(source, &plan);
			return NULL;
		}
		if (n > 0 && fds[1].revents)
			take_news(source, &plan);
		if (n == 0 && !complete) {
			watch_renew(source->watch);
			plan_look(&plan, 0);
		}
		if (plan.due <= clock_boottime_usec())
			look(source, &plan);
		if (plan.store <= clock_boottime_usec())
			store(source, &plan);
	}
}

/* On the event loop's thread. */
static int take_outcome(sd_event_source *event_source, int fd, uint32_t revents, void *context)
{
	_cleanup_(directory_unrefp) struct directory *picture = NULL;
	struct source_file *source = context;
	struct problem problem;
	bool told, failed;

	(void)mailbox_take(&source->outcomes);
	pthread_mutex_lock(&source->lock);
	told = source->told;
	failed = source->failed;
	picture = TAKE_PTR(source->picture);
	problem = source->problem;
	source->told = false;
	pthread_mutex_unlock(&source->lock);
	if (told)
		source->changed(source->context, failed ? NULL : picture, failed ? &problem : NULL);
	return 0;
}

int source_file_create(sd_event *event, const struct source_file_options *options, source_file_fn changed,
		       void *context, struct source_file **ret)
{
	struct directory_files_options files = {
		.path = options->path,
		.cache_dir = options->cache_dir,
		.seal_key = options->seal_key,
		.host_name = options->host_name,
	};
	struct source_file *source = calloc(1, sizeof(*source));
	int r;

	if (!source)
		return -ENOMEM;
	pthread_mutex_init(&source->lock, NULL);
	pthread_mutex_init(&source->files_lock, NULL);
	source->changed = changed;
	source->context = context;
	r = mailbox_open(&source->wishes);
	if (r == 0)
		r = mailbox_open(&source->outcomes);
	if (r == 0)
		r = directory_files_new(&files, &source->files);
	/* Before anything is read, so no change falls in between. */
	if (r == 0)
		r = watch_new(options->path, &source->watch);
	if (r == 0)
		r = sd_event_add_io(event, &source->news, source->outcomes.fd, EPOLLIN, take_outcome, source);
	if (r >= 0) {
		r = thread_start(&source->thread, run, source);
		source->started = r == 0;
	}
	if (r < 0) {
		source_file_destroy(source);
		return r;
	}
	*ret = source;
	return 0;
}

void source_file_destroy(struct source_file *source)
{
	if (!source)
		return;
	if (source->started) {
		pthread_mutex_lock(&source->lock);
		source->stop = true;
		pthread_mutex_unlock(&source->lock);
		mailbox_knock(&source->wishes);
		pthread_join(source->thread, NULL);
	}
	sd_event_source_disable_unref(source->news);
	watch_free(source->watch);
	directory_files_free(source->files);
	directory_unref(source->picture);
	mailbox_close(&source->wishes, NULL);
	mailbox_close(&source->outcomes, NULL);
	pthread_mutex_destroy(&source->files_lock);
	pthread_mutex_destroy(&source->lock);
	free(source);
}

int source_file_load(struct source_file *source, struct directory **ret, struct problem *problem)
{
	struct directory *picture;
	bool fell_back = false;
	int r;

	pthread_mutex_lock(&source->files_lock);
	r = directory_files_refresh(source->files, problem);
	if (r == -ENOENT)
		directory_files_forget(source->files);
	else if (r < 0)
		fell_back = directory_files_fall_back(source->files) == 0;
	picture = directory_files_picture(source->files);
	if (r >= 0 || fell_back)
		directory_ref(picture);
	pthread_mutex_unlock(&source->files_lock);
	if (r < 0 && !problem->text[0])
		problem_set(problem, -r, "cannot load it: %s", strerrordesc_np(-r));
	if (r < 0 && !fell_back)
		return r == -EAGAIN ? -EINVAL : r;
	pthread_mutex_lock(&source->lock);
	source->loaded = !fell_back;
	source->fell_back = fell_back;
	pthread_mutex_unlock(&source->lock);
	mailbox_knock(&source->wishes);
	*ret = picture;
	return fell_back ? SOURCE_FILE_FELL_BACK : SOURCE_FILE_LOADED;
}

void source_file_reload(struct source_file *source)
{
	pthread_mutex_lock(&source->lock);
	source->asked = true;
	pthread_mutex_unlock(&source->lock);
	mailbox_knock(&source->wishes);
}
