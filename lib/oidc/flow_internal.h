/* SPDX-License-Identifier: MIT
 *
 * Sign-ins under way and what they share, for flow*.c.
 */
#pragma once

#include "base/clock.h"
#include "oidc/flow.h"
#include "oidc/requests.h"

#define FLOW_NEVER UINT64_MAX

/* Fetched from an issuer, kept, and fetched again. */
struct document {
	struct http_transfer *transfer;
	uint64_t got;      /* when what is kept was asked for; 0: there is nothing */
	uint64_t tried;    /* when it was asked for last; 0: never */
	uint64_t due;      /* after a failure: not before */
	unsigned failures; /* since it came */
	unsigned news;     /* how often it came or failed */
	bool wrong;        /* the last answer was none that waiting helps against */
	char problem[256]; /* of the last failure */
};

struct oidc_issuer {
	struct oidc_issuer *next;
	struct oidc_cache *cache;
	char *name;
	enum idp_kind kind;
	struct document discovery, key_set;
	struct oidc_endpoints *endpoints; /* NULL: not known yet */
	struct jwks *keys;                /* NULL: not known yet */
	bool unknown_kid;                 /* a token names a key that is not there */
	uint32_t flows;
	unsigned busy;              /* requests of its flows under way */
	uint64_t used;              /* when somebody needed it last */
	struct oidc_client *wanted; /* oidc_cache_want; NULL */
	struct oidc_client *asker;  /* as whom the discovery document is asked for, while it is */
};

struct oidc_cache {
	struct http *http, *control_plane;
	bool allow_plain;
	struct oidc_issuer *issuers;
	struct oidc_flow *first, *last; /* who asked least recently comes first */
	struct oidc_flow *cursor;       /* the next one of a walk; ends of flows move it on */
	uint64_t next;                  /* nothing is due before; may be too early */
	oidc_proof_fn proof;
	void *proof_context;
	oidc_keys_fn on_keys;
	void *on_keys_context;
};

enum flow_state {
	FLOW_BEGINS, /* needs the endpoints */
	FLOW_DEVICE, /* asks for a code */
	FLOW_POLLS,
	FLOW_CHECKS, /* has an ID token, and may need keys */
	FLOW_USER,   /* GitHub: has an access token */
	FLOW_EMAILS,
};
/* One of many, so no larger than it must be: what a request needs is there only while it is under way. */
struct oidc_flow {
	struct oidc_flow *previous, *next;
	struct oidc_cache *cache;
	struct oidc_issuer *issuer;
	struct oidc_client *client;
	struct flow_hooks hooks;
	enum flow_state state;
	struct http_transfer *transfer;
	uint64_t due;      /* when to ask next */
	uint64_t deadline; /* of the state; FLOW_POLLS: when the code expires */
	uint32_t interval; /* seconds between polls */
	unsigned failures; /* of requests in a row */
	bool showed_proof; /* FLOW_DEVICE: which host asks … */
	bool no_proof;     /* … and it was refused: the sign-in does not hang on it */
	struct oidc_secrets secrets;
	char *device_code;             /* secret */
	char *id_token, *access_token; /* secret; while they are looked at */
	char *user;                    /* GitHub: what the user API said, while the addresses are asked for */
	size_t user_length;
	uint64_t token_at;
	unsigned seen;     /* FLOW_CHECKS: `news` of the keys that were tried */
	char problem[160]; /* of the last request that failed */
};

/* ---- flow_cache.c */
int issuer_of(struct oidc_cache *cache, const struct idp_record *idp, struct oidc_issuer **ret,
	      struct problem *problem);
/* Starts what is due of its documents. */
void issuer_settle(struct oidc_issuer *issuer, uint64_t now);
/* The client that asks it. */
struct http *issuer_http(const struct oidc_issuer *issuer);
bool document_is_usable(const struct document *document, uint64_t now);
bool document_is_fresh(const struct document *document, uint64_t now);
void cache_touch(struct oidc_cache *cache, uint64_t when); /* something is due then */

/* ---- flow.c */
void flows_settle(struct oidc_cache *cache, uint64_t now);
/* The flow is gone afterwards. */
void flow_end(struct oidc_flow *flow, struct flow_result *result);
void flow_fail(struct oidc_flow *flow, enum flow_end end, const char *format, ...) _printf_(3, 4);
void flow_say(const struct oidc_flow *flow, enum flow_step step, bool good, const char *format, ...) _printf_(4, 5);
uint64_t flow_answered(struct oidc_flow *flow); /* first thing when an answer came; the time */
/* What an answer is before anybody reads it: to be read; none, which may be another time; or one that it is no use to
 * ask for again (a redirect, too large). `problem` is filled where it is not to be read. */
enum answer_use { ANSWER_READ, ANSWER_AGAIN, ANSWER_USELESS };
enum answer_use answer_use(const struct http_answer *answer, char *problem, size_t size);
/* The state's request failed, and is to be made again: when. */
void flow_again(struct oidc_flow *flow, const struct http_answer *answer, uint64_t now);
bool flow_may_ask(const struct oidc_flow *flow); /* not too many of this issuer's ask right now */
void flow_ask(struct oidc_flow *flow, struct http_request *request, uint64_t now);

/* ---- flow_token.c: what came of it */
void flow_take_tokens(struct oidc_flow *flow, const struct token_answer *answer, uint64_t now);
void flow_check(struct oidc_flow *flow, uint64_t now);    /* FLOW_CHECKS */
void flow_ask_user(struct oidc_flow *flow, uint64_t now); /* FLOW_USER, FLOW_EMAILS */
