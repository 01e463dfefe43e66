/* SPDX-License-Identifier: MIT */
#include "sso/work.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "thread/http_loop.h"

#define CROWD 100U

struct sso_work {
	pthread_t thread;
	bool started;
	struct sso_note *stop; /* made before it is needed: without memory there would be no end */
	struct mailbox wishes, news;

	/* The thread's own, once it runs. */
	sd_event *event;
	sd_event_source *wish_source, *timer, *after;
	uint64_t armed;                    /* what the timer is set to */
	struct http_loop *http, *own_http; /* others' providers; the control plane */
	struct oidc_cache *cache;
	struct device_flow **seats; /* SSO_FLOWS_MAX; NULL: free */
	uint32_t count, most;       /* now, and since there were none */
	struct oidc_client **clients;
	uint32_t client_count;
	bool has_clients; /* they were said: what is not among them is gone */
};
/* A sign-in under way. */
struct device_flow {
	struct sso_work *work;
	struct oidc_flow *flow;
	struct oidc_client *client;
	uint32_t seat;
	uint64_t serial;
};

/* ---- notes ------------------------------------------------------------------------------------------------------- */

struct sso_note *sso_note_new(enum sso_note_kind kind)
{
	struct sso_note *note = calloc(1, sizeof(*note));

	if (!note)
		return NULL;
	note->kind = kind;
	if (kind == SSO_PROMPT)
		note->prompt = calloc(1, sizeof(*note->prompt));
	if (kind == SSO_DONE)
		note->result = calloc(1, sizeof(*note->result));
	if ((kind != SSO_PROMPT || note->prompt) && (kind != SSO_DONE || note->result))
		return note;
	free(note);
	return NULL;
}

void sso_note_free(struct letter *letter)
{
	struct sso_note *note = (struct sso_note *)letter; /* it stands first */

	oidc_client_unref(note->client);
	for (uint32_t i = 0; note->clients && i < note->client_count; i++)
		oidc_client_unref(note->clients[i]);
	free(note->clients);
	free(note->issuer);
	jwks_unref(note->keys);
	if (note->prompt)
		secret_wipe(note->prompt, sizeof(*note->prompt));
	if (note->result)
		secret_wipe(note->result, sizeof(*note->result));
	free(note->prompt);
	free(note->result);
	free(note);
}

/* ---- sign-ins, on the thread ------------------------------------------------------------------------------------- */

static void device_flow_free(struct device_flow *device)
{
	struct sso_work *work = device->work;

	work->seats[device->seat] = NULL;
	work->count--;
	oidc_client_unref(device->client);
	free(device);
	/* After a crowd: what it took goes back to the system. */
	if (work->count == 0 && work->most >= CROWD)
		malloc_trim(0);
	if (work->count == 0)
		work->most = 0;
}

static void drop(struct device_flow *device)
{
	oidc_flow_cancel(device->flow);
	device_flow_free(device);
}

static void tell(struct sso_work *work, const struct device_flow *device, struct sso_note *note)
{
	if (!note) {
		/* Whoever waits gives up when its time is over. */
		log_error("out of memory: what an identity provider said is lost");
		return;
	}
	note->seat = device->seat;
	note->serial = device->serial;
	mailbox_put(&work->news, &note->letter);
}

static void on_prompt(void *context, const struct device_answer *answer)
{
	const struct device_flow *device = context;
	struct sso_note *note = sso_note_new(SSO_PROMPT);

	if (note)
		*note->prompt = *answer;
	tell(device->work, device, note);
}

static void on_done(void *context, const struct flow_result *result)
{
	struct device_flow *device = context;
	struct sso_note *note = sso_note_new(SSO_DONE);

	if (note)
		*note->result = *result;
	tell(device->work, device, note);
	device->flow = NULL;
	device_flow_free(device);
}

static bool is_there(const struct sso_work *work, const struct oidc_client *client)
{
	for (uint32_t i = 0; i < work->client_count; i++)
		if (memcmp(work->clients[i]->digest, client->digest, sizeof(client->digest)) == 0)
			return true;
	return !work->has_clients;
}

static void end_without_client(struct device_flow *device)
{
	struct flow_result result = {.end = FLOW_REFUSED,
				     .detail = "the identity provider was changed in the directory, or taken away"};

	oidc_flow_cancel(device->flow);
	on_done(device, &result);
}

static void start(struct sso_work *work, struct sso_note *note)
{
	struct device_flow *device = calloc(1, sizeof(*device));
	struct flow_hooks hooks = {.prompt = on_prompt, .done = on_done, .context = device};
	struct flow_result result = {.end = FLOW_UNREACHABLE, .detail = "out of memory"};
	int r = -ENOMEM;

	if (work->seats[note->seat]) /* its cancel was lost */
		drop(work->seats[note->seat]);
	if (device) {
		device->work = work;
		device->seat = note->seat;
		device->serial = note->serial;
		device->client = oidc_client_ref(note->client);
		work->seats[note->seat] = device;
		work->count++;
		work->most = MAX_OF(work->most, work->count);
		if (!is_there(work, device->client)) {
			end_without_client(device);
			return;
		}
		r = oidc_flow_start(work->cache, device->client, clock_boottime_usec(), &hooks, &device->flow);
	}
	if (r >= 0)
		return;
	if (r == -EINVAL) {
		result.end = FLOW_REFUSED;
		strcpy(result.detail, "the provider's issuer cannot be used");
	}
	if (device) {
		on_done(device, &result);
	} else {
		const struct device_flow unborn = {.seat = note->seat, .serial = note->serial};
		struct sso_note *news = sso_note_new(SSO_DONE);

		if (news)
			*news->result = result;
		tell(work, &unborn, news);
	}
}

static void cancel(struct sso_work *work, const struct sso_note *note)
{
	struct device_flow *device = work->seats[note->seat];

	if (device && device->serial == note->serial)
		drop(device);
}

/* ---- clients and keys, on the thread ----------------------------------------------------------------------------- */

static void clients_free(struct sso_work *work)
{
	for (uint32_t i = 0; i < work->client_count; i++)
		oidc_client_unref(work->clients[i]);
	free(work->clients);
	work->clients = NULL;
	work->client_count = 0;
}

static void set_clients(struct sso_work *work, struct sso_note *note)
{
	uint64_t now = clock_boottime_usec();

	clients_free(work);
	work->clients = TAKE_PTR(note->clients);
	work->client_count = note->client_count;
	work->has_clients = true;
	for (uint32_t i = 0; i < SSO_FLOWS_MAX && work->count; i++)
		if (work->seats[i] && !is_there(work, work->seats[i]->client))
			end_without_client(work->seats[i]);
	oidc_cache_want_none(work->cache);
	oidc_cache_keep(work->cache, work->clients, work->client_count);
	for (uint32_t i = 0; i < work->client_count; i++)
		if (work->clients[i]->record.token_audience[0])
			oidc_cache_want(work->cache, work->clients[i], false, now);
}

static void on_keys(void *context, enum idp_kind kind, const char *issuer, struct jwks *set, unsigned algorithms,
		    uint64_t got)
{
	struct sso_work *work = context;
	struct sso_note *note = sso_note_new(SSO_KEYS);

	if (note)
		note->issuer = strdup(issuer);
	if (!note || !note->issuer) {
		log_error("out of memory: new keys of an identity provider are lost until the next ones");
		if (note)
			sso_note_free(&note->letter);
		return;
	}
	note->keys = jwks_ref(set);
	note->algorithms = algorithms;
	note->idp_kind = kind;
	note->at = got;
	mailbox_put(&work->news, &note->letter);
}

/* ---- the thread -------------------------------------------------------------------------------------------------- */

static int on_wish(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct sso_work *work = context;

	for (struct letter *letter = mailbox_take(&work->wishes), *next; letter; letter = next) {
		struct sso_note *note = (struct sso_note *)letter;

		next = letter->next;
		switch (note->kind) {
		case SSO_START:
			start(work, note);
			break;
		case SSO_CANCEL:
			cancel(work, note);
			break;
		case SSO_CLIENTS:
			set_clients(work, note);
			break;
		case SSO_LOOK_UP:
			oidc_cache_want(work->cache, note->client, true, clock_boottime_usec());
			break;
		case SSO_STOP:
			(void)sd_event_exit(work->event, 0);
			break;
		case SSO_PROMPT:
		case SSO_DONE:
		case SSO_KEYS:
			break;
		}
		sso_note_free(letter);
	}
	return 0;
}

static int on_time(sd_event_source *source, uint64_t usec, void *context)
{
	struct sso_work *work = context;

	work->armed = 0;
	oidc_cache_tick(work->cache, clock_boottime_usec());
	return 0;
}

/* After whatever happened: it may have made something due. */
static int on_after(sd_event_source *source, void *context)
{
	struct sso_work *work = context;
	uint64_t next = oidc_cache_next(work->cache), now = clock_boottime_usec();

	if (next <= now) {
		oidc_cache_tick(work->cache, now);
		next = oidc_cache_next(work->cache);
	}
	if (next == work->armed)
		return 0;
	work->armed = next;
	if (next == UINT64_MAX)
		return sd_event_source_set_enabled(work->timer, SD_EVENT_OFF);
	if (sd_event_source_set_time(work->timer, next) < 0 ||
	    sd_event_source_set_enabled(work->timer, SD_EVENT_ONESHOT) < 0)
		log_error("cannot arm the timer of single sign-on");
	return 0;
}

static void *run(void *argument)
{
	struct sso_work *work = argument;
	int r = sd_event_loop(work->event);

	if (r < 0)
		log_error("the event loop of single sign-on ended: %s", strerrordesc_np(-r));
	return NULL;
}

int sso_work_new(const struct sso_options *options, struct sso_work **ret)
{
	const struct http_options http = {
		.ca_file = options->ca_file,
		.proxy = options->proxy,
		.allow_plain = options->allow_plain_http,
		.accept_tls12 = true,
		.connect_timeout_ms = 5000,
	};
	const struct http_options own = {
		.ca_file = options->control_plane.ca_file,
		.pin = options->control_plane.pin,
		.proxy = options->control_plane.proxy,
		.allow_plain = options->allow_plain_http,
		.connect_timeout_ms = 5000,
	};
	struct sso_work *work = calloc(1, sizeof(*work));
	int r;

	if (!work)
		return -ENOMEM;
	work->stop = sso_note_new(SSO_STOP);
	work->seats = calloc(SSO_FLOWS_MAX, sizeof(struct device_flow *));
	r = work->stop && work->seats ? mailbox_open(&work->wishes) : -ENOMEM;
	if (r >= 0)
		r = mailbox_open(&work->news);
	if (r >= 0)
		r = sd_event_new(&work->event);
	if (r >= 0)
		r = sd_event_add_io(work->event, &work->wish_source, work->wishes.fd, EPOLLIN, on_wish, work);
	if (r >= 0)
		r = sd_event_add_time(work->event, &work->timer, CLOCK_BOOTTIME, 0, USEC_PER_MSEC, on_time, work);
	if (r >= 0)
		r = sd_event_source_set_enabled(work->timer, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_post(work->event, &work->after, on_after, work);
	if (r >= 0)
		r = http_loop_new(work->event, &http, &work->http);
	if (r >= 0)
		r = http_loop_new(work->event, &own, &work->own_http);
	if (r >= 0)
		r = oidc_cache_create(http_loop_client(work->http), options->allow_plain_http, &work->cache);
	if (r < 0) {
		sso_work_free(work);
		return r;
	}
	oidc_cache_set_control_plane(work->cache, http_loop_client(work->own_http), options->control_plane.proof,
				     options->control_plane.context);
	oidc_cache_on_keys(work->cache, on_keys, work);
	*ret = work;
	return 0;
}

int sso_work_start(struct sso_work *work)
{
	int r = thread_start(&work->thread, run, work);

	work->started = r == 0;
	return r;
}

void sso_work_free(struct sso_work *work)
{
	if (!work)
		return;
	if (work->started) {
		sso_work_wish(work, TAKE_PTR(work->stop));
		pthread_join(work->thread, NULL);
	}
	if (work->stop)
		sso_note_free(&work->stop->letter);
	for (uint32_t i = 0; work->seats && i < SSO_FLOWS_MAX; i++)
		if (work->seats[i])
			drop(work->seats[i]);
	free(work->seats);
	oidc_cache_destroy(work->cache);
	http_loop_free(work->http);
	http_loop_free(work->own_http);
	clients_free(work);
	sd_event_source_disable_unref(work->wish_source);
	sd_event_source_disable_unref(work->timer);
	sd_event_source_disable_unref(work->after);
	sd_event_unref(work->event);
	mailbox_close(&work->wishes, sso_note_free);
	mailbox_close(&work->news, sso_note_free);
	free(work);
}

int sso_work_fd(const struct sso_work *work)
{
	return work->news.fd;
}

void sso_work_wish(struct sso_work *work, struct sso_note *note)
{
	mailbox_put(&work->wishes, &note->letter);
}

struct letter *sso_work_news(struct sso_work *work)
{
	return mailbox_take(&work->news);
}
