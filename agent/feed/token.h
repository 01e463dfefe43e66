/* SPDX-License-Identifier: MIT
 *
 * The host's access token: asked for with private_key_jwt (RFC 7523), kept in memory, renewed before its end, asked for
 * anew when the control plane refuses it. A refusal takes nothing else away, unless it holds the authority's signed
 * word that this host is out of service.
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/problem.h"
#include "feed/host.h"
#include "feed/host_token.h"
#include "http/http.h"

struct token;
struct token_hooks {
	void (*ready)(void *context); /* there is one, or a new one */
	/* There is none, and why; it is tried again by itself. `fault`: a word. */
	void (*failed)(void *context, const char *fault, const struct problem *problem);
	/* The authority itself says, signed, that this host is out of service. Nothing is asked any more. */
	void (*disabled)(void *context, const char *reason);
	void *context;
	struct host_token *shared; /* copies lie here for others; NULL: nobody else needs it */
};
/* All are borrowed and outlive it. */
int token_new(sd_event *event, struct http *http, const struct host_identity *identity, const struct token_hooks *hooks,
	      struct token **ret);
void token_free(struct token *token);              /* takes NULL */
const char *token_text(const struct token *token); /* NULL: none that is still good */
void token_retry(struct token *token);             /* now, if there is none */
/* It was refused: another one, later and later while those are refused as well. */
void token_rejected(struct token *token);
