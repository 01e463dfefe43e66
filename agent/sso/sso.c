/* SPDX-License-Identifier: MIT
 *
 * The agent's side: which sign-ins there are, and what the thread has said. A sign-in has a seat from its start until
 * its end was handed out or it was cancelled; what the thread says of one whose seat is given up or taken by another is
 * not handed out.
 */
#include "sso/sso.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "sso/work.h"

#define KEYS_USABLE_USEC (24 * 3600 * USEC_PER_SEC)
#define KEYS_JUST_CAME_USEC (60 * USEC_PER_SEC) /* the bound between two fetches for a key that is not there */

struct seat {
	bool taken;
	uint64_t flow, serial;
};
/* What is known of an issuer whose access tokens count. */
struct issuer_keys {
	enum idp_kind kind;
	char *issuer;
	struct oidc_client *client; /* one of those that want them */
	struct jwks *set;           /* NULL: not yet */
	unsigned algorithms;
	uint64_t at;    /* when they were fetched */
	uint64_t asked; /* for an unknown one, last */
};

struct sso {
	struct sso_hooks hooks;
	sd_event_source *news_source;
	struct sso_work *work;
	struct seat *seats; /* SSO_FLOWS_MAX */
	uint32_t count;
	uint64_t serial;
	struct sso_counts counts;
	struct oidc_client **clients; /* of the directory in force */
	uint32_t client_count;
	struct issuer_keys *keys;
	uint32_t key_count;
};

/* ---- what the thread said ---------------------------------------------------------------------------------------- */

static struct seat *seat_of(struct sso *sso, const struct sso_note *note)
{
	struct seat *seat = &sso->seats[note->seat];

	return seat->taken && seat->serial == note->serial ? seat : NULL;
}

static void leave(struct sso *sso, struct seat *seat)
{
	*seat = (struct seat){0};
	sso->count--;
}

static bool are_of(const struct issuer_keys *keys, enum idp_kind kind, const char *issuer)
{
	return keys->kind == kind && text_equal(keys->issuer, issuer);
}

static void take_keys(struct sso *sso, struct sso_note *note)
{
	for (uint32_t i = 0; i < sso->key_count; i++) {
		struct issuer_keys *keys = &sso->keys[i];

		if (!are_of(keys, note->idp_kind, note->issuer))
			continue;
		jwks_unref(keys->set);
		keys->set = TAKE_PTR(note->keys);
		keys->algorithms = note->algorithms;
		keys->at = note->at;
		return;
	}
}

static void deliver(struct sso *sso, struct sso_note *note)
{
	struct seat *seat;
	uint64_t flow;

	switch (note->kind) {
	case SSO_PROMPT:
		seat = seat_of(sso, note);
		if (seat)
			sso->hooks.prompt(sso->hooks.context, seat->flow, note->prompt);
		break;
	case SSO_DONE:
		seat = seat_of(sso, note);
		if (!seat)
			break;
		flow = seat->flow;
		leave(sso, seat); /* first: the hook may start another */
		sso->counts.ended[note->result->end]++;
		sso->hooks.done(sso->hooks.context, flow, note->result);
		break;
	case SSO_KEYS:
		take_keys(sso, note);
		break;
	case SSO_START:
	case SSO_CANCEL:
	case SSO_CLIENTS:
	case SSO_LOOK_UP:
	case SSO_STOP:
		break;
	}
}

static int on_news(sd_event_source *source, int fd, uint32_t revents, void *context)
{
	struct sso *sso = context;

	for (struct letter *letter = sso_work_news(sso->work), *next; letter; letter = next) {
		next = letter->next;
		deliver(sso, (struct sso_note *)letter);
		sso_note_free(letter);
	}
	return 0;
}

/* ---- sign-ins ---------------------------------------------------------------------------------------------------- */

/* All sign-ins by one client share one copy of it. */
static struct oidc_client *client_of(const struct sso *sso, const struct idp_record *idp)
{
	struct oidc_client *client = oidc_client_new(idp);

	for (uint32_t i = 0; client && i < sso->client_count; i++) {
		if (memcmp(sso->clients[i]->digest, client->digest, sizeof(client->digest)) == 0) {
			oidc_client_unref(client);
			return oidc_client_ref(sso->clients[i]);
		}
	}
	return client;
}

int sso_start(struct sso *sso, uint64_t flow, const struct idp_record *idp)
{
	struct sso_note *note;
	struct seat *seat = NULL;

	if (sso->count == SSO_FLOWS_MAX)
		return -EAGAIN;
	for (uint32_t i = 0; i < SSO_FLOWS_MAX && !seat; i++)
		if (!sso->seats[i].taken)
			seat = &sso->seats[i];
	note = seat ? sso_note_new(SSO_START) : NULL;
	if (!note)
		return -ENOMEM;
	note->client = client_of(sso, idp);
	if (!note->client) {
		sso_note_free(&note->letter);
		return -ENOMEM;
	}
	*seat = (struct seat){.taken = true, .flow = flow, .serial = ++sso->serial};
	sso->count++;
	sso->counts.started++;
	note->seat = (uint32_t)(seat - sso->seats);
	note->serial = seat->serial;
	sso_work_wish(sso->work, note);
	return 0;
}

void sso_cancel(struct sso *sso, uint64_t flow)
{
	for (uint32_t i = 0; i < SSO_FLOWS_MAX; i++) {
		struct seat *seat = &sso->seats[i];
		struct sso_note *note;

		if (!seat->taken || seat->flow != flow)
			continue;
		note = sso_note_new(SSO_CANCEL);
		if (note) {
			note->seat = i;
			note->serial = seat->serial;
			sso_work_wish(sso->work, note);
		} else { /* it ends by itself, and nobody hears of it; another start at its seat ends it, too */
			log_error("out of memory: a sign-in that nobody waits for goes on until its code expires");
		}
		leave(sso, seat);
		sso->counts.cancelled++;
		return;
	}
}

uint32_t sso_flow_count(const struct sso *sso)
{
	return sso->count;
}

const struct sso_counts *sso_counts(const struct sso *sso)
{
	return &sso->counts;
}

/* ---- clients and keys -------------------------------------------------------------------------------------------- */

static void clients_free(struct oidc_client **clients, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		oidc_client_unref(clients[i]);
	free(clients);
}

static void keys_free(struct issuer_keys *keys, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		free(keys[i].issuer);
		jwks_unref(keys[i].set);
		oidc_client_unref(keys[i].client);
	}
	free(keys);
}

/* The issuers whose access tokens count, with what is known already. */
static int keys_of(const struct sso *sso, struct oidc_client *const *clients, uint32_t count, struct issuer_keys **ret,
		   uint32_t *ret_count)
{
	struct issuer_keys *keys = calloc(count + 1, sizeof(*keys));
	uint32_t used = 0;

	if (!keys)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		const char *issuer = clients[i]->record.issuer;
		enum idp_kind kind = clients[i]->record.kind;
		uint32_t at = 0;

		if (!clients[i]->record.token_audience[0])
			continue;
		while (at < used && !are_of(&keys[at], kind, issuer))
			at++;
		if (at < used)
			continue;
		keys[used].kind = kind;
		keys[used].issuer = strdup(issuer);
		keys[used].client = oidc_client_ref(clients[i]);
		used++;
		if (!keys[at].issuer) {
			keys_free(keys, used);
			return -ENOMEM;
		}
		for (uint32_t k = 0; k < sso->key_count; k++) {
			if (!are_of(&sso->keys[k], kind, issuer) || !sso->keys[k].set)
				continue;
			keys[at].set = jwks_ref(sso->keys[k].set);
			keys[at].algorithms = sso->keys[k].algorithms;
			keys[at].at = sso->keys[k].at;
		}
	}
	*ret = keys;
	*ret_count = used;
	return 0;
}

static bool same_clients(const struct sso *sso, struct oidc_client *const *clients, uint32_t count)
{
	if (count != sso->client_count)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (memcmp(clients[i]->digest, sso->clients[i]->digest, sizeof(clients[i]->digest)) != 0)
			return false;
	return true;
}

int sso_set_clients(struct sso *sso, const struct idp_record *const *idps, uint32_t count)
{
	struct oidc_client **clients = calloc(count + 1, sizeof(*clients)),
			   **copies = calloc(count + 1, sizeof(*copies));
	struct sso_note *note = sso_note_new(SSO_CLIENTS);
	struct issuer_keys *keys = NULL;
	uint32_t made = 0, key_count = 0;
	int r = clients && copies && note ? 0 : -ENOMEM;

	while (r == 0 && made < count) {
		clients[made] = oidc_client_new(idps[made]);
		r = clients[made] ? 0 : -ENOMEM;
		made += r == 0;
	}
	if (r == 0 && !same_clients(sso, clients, count))
		r = keys_of(sso, clients, count, &keys, &key_count);
	if (r < 0 || !keys) {
		if (clients)
			clients_free(clients, made);
		free(copies);
		if (note)
			sso_note_free(&note->letter);
		return r;
	}
	for (uint32_t i = 0; i < count; i++)
		copies[i] = oidc_client_ref(clients[i]);
	note->clients = copies;
	note->client_count = count;
	clients_free(sso->clients, sso->client_count);
	keys_free(sso->keys, sso->key_count);
	sso->clients = clients;
	sso->client_count = count;
	sso->keys = keys;
	sso->key_count = key_count;
	sso_work_wish(sso->work, note);
	return 0;
}

const struct jwks *sso_keys(struct sso *sso, const struct idp_record *idp, const char *unknown_kid,
			    unsigned *ret_algorithms, bool *ret_fresh)
{
	uint64_t now = clock_boottime_usec();

	for (uint32_t i = 0; i < sso->key_count; i++) {
		struct issuer_keys *keys = &sso->keys[i];
		struct sso_note *note;

		if (!are_of(keys, idp->kind, idp->issuer))
			continue;
		*ret_fresh = keys->set && now < keys->at + KEYS_JUST_CAME_USEC;
		*ret_algorithms = keys->algorithms;
		/* Anybody may show a token with a name of his own: the thread is told once a second. */
		if (unknown_kid && !*ret_fresh && now >= keys->asked + USEC_PER_SEC) {
			keys->asked = now;
			note = sso_note_new(SSO_LOOK_UP);
			if (note) {
				note->client = oidc_client_ref(keys->client);
				sso_work_wish(sso->work, note);
			}
		}
		return keys->set && now < keys->at + KEYS_USABLE_USEC ? keys->set : NULL;
	}
	*ret_fresh = false;
	*ret_algorithms = 0;
	return NULL;
}

/* ---- life ----------------------------------------------------------------------------------------------------------
 */

int sso_create(sd_event *event, const struct sso_options *options, const struct sso_hooks *hooks, struct sso **ret)
{
	struct sso *sso = calloc(1, sizeof(*sso));
	int r;

	if (!sso)
		return -ENOMEM;
	sso->hooks = *hooks;
	sso->seats = calloc(SSO_FLOWS_MAX, sizeof(*sso->seats));
	r = sso->seats ? sso_work_new(options, &sso->work) : -ENOMEM;
	if (r >= 0)
		r = sd_event_add_io(event, &sso->news_source, sso_work_fd(sso->work), EPOLLIN, on_news, sso);
	if (r >= 0)
		r = sso_work_start(sso->work);
	if (r < 0) {
		sso_destroy(sso);
		return r;
	}
	*ret = sso;
	return 0;
}

void sso_destroy(struct sso *sso)
{
	if (!sso)
		return;
	sd_event_source_disable_unref(sso->news_source);
	sso_work_free(sso->work);
	clients_free(sso->clients, sso->client_count);
	keys_free(sso->keys, sso->key_count);
	free(sso->seats);
	free(sso);
}
