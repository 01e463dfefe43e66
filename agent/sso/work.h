/* SPDX-License-Identifier: MIT
 *
 * The thread that talks to identity providers, and what goes between it and the agent's loop.
 */
#pragma once

#include "sso/sso.h"
#include "thread/mailbox.h"

enum sso_note_kind {
	/* to the thread */
	SSO_START,
	SSO_CANCEL,
	SSO_CLIENTS,
	SSO_LOOK_UP, /* keys: a token names one that is not there */
	SSO_STOP,
	/* from it */
	SSO_PROMPT,
	SSO_DONE,
	SSO_KEYS,
};
/* Owns what it points to. */
struct sso_note {
	struct letter letter;
	enum sso_note_kind kind;
	uint32_t seat;   /* of the sign-in, under SSO_FLOWS_MAX */
	uint64_t serial; /* which of those that had this seat */
	struct oidc_client *client;
	struct oidc_client **clients; /* counted, and the array */
	uint32_t client_count;
	enum idp_kind idp_kind; /* SSO_KEYS: whose */
	char *issuer;
	struct jwks *keys;
	unsigned algorithms;
	uint64_t at;
	struct device_answer *prompt; /* SSO_PROMPT */
	struct flow_result *result;   /* SSO_DONE */
};
struct sso_note *sso_note_new(enum sso_note_kind kind); /* NULL: no memory */
void sso_note_free(struct letter *letter);              /* wipes */

struct sso_work;
int sso_work_new(const struct sso_options *options, struct sso_work **ret);
int sso_work_start(struct sso_work *work);
void sso_work_free(struct sso_work *work);    /* takes NULL; waits for the thread */
int sso_work_fd(const struct sso_work *work); /* readable when there are news */
/* On the agent's loop. */
void sso_work_wish(struct sso_work *work, struct sso_note *note); /* takes it over */
struct letter *sso_work_news(struct sso_work *work);              /* struct sso_note, oldest first */
