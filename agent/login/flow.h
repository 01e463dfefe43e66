/* SPDX-License-Identifier: MIT
 *
 * Single sign-on within one sign-in. Only the files of this folder include it.
 *
 *     Enter at the first prompt ── several providers ──> CHOOSING ── a number ──┐
 *                              └── one ─────────────────────────────────────────┴─> ASKING    the provider, for a code
 *                                                                                   WAITING   for the person's approval
 *                                                                                   DECIDED   until the next answer
 *
 * An answer that has nothing to say yet is held: it is replied to when something happens, or after FLOW_HELD_USEC.
 * What the flow at the provider brings while nobody's answer is held (the person reads, or approves before they press
 * Enter) is kept here, as little of it as possible: hundreds may wait.
 */
#pragma once

#include "base/clock.h"
#include "login/book.h"
#include "login/sso.h"

#define FLOW_HELD_USEC (25 * USEC_PER_SEC) /* the PAM module waits 30 s for an answer */

enum flow_state { FLOW_CHOOSING, FLOW_ASKING, FLOW_WAITING, FLOW_DECIDED };

struct login_flow {
	enum flow_state state;
	bool shown;            /* address and code were */
	unsigned slips;        /* answers at visible prompts that were none */
	uint64_t number;       /* under way at the provider by this number; 0: not, or not any more */
	uint64_t held_until;   /* 0: nobody waits for an answer */
	uint64_t latest, ends; /* the agent's own bound; that or the provider's */
	uint64_t offered;      /* the list to choose from, hashed */
	char idp_id[ID_MAX_BYTES + 1];
	uint8_t idp_digest[SHA256_BYTES];     /* of its record, as the sign-in began */
	int64_t valid_from;                   /* the person's sessions_valid_from then */
	char *uri, *uri_complete, *user_code; /* NULL: not yet */
	enum reason outcome; /* FLOW_DECIDED; REASON_ALLOWED: `identity` is proven, and yet to be judged */
	struct oidc_identity *identity;
};

/* What proved a finished sign-in: looked at again by later stages. */
struct login_identity {
	char idp_id[ID_MAX_BYTES + 1];
	uint8_t idp_digest[SHA256_BYTES];
	char *issuer, *subject;
};

/* One step of a sign-in, and all that it takes. */
struct login_turn {
	struct login_book *book;
	const struct directory *d;
	struct login_entry *entry;
	const struct user_record *user; /* NULL: left the directory meanwhile */
	const struct service_rule *rule;
	struct login_origin origin;
	uint64_t now_usec;
	int64_t realtime;
};
struct login_turn login_turn(struct login_book *book, const struct directory *d, struct login_entry *entry,
			     uint64_t now_usec, int64_t realtime);

/* flow_talk.c */
/* May this person choose single sign-on instead of a key? */
bool login_flow_offered(const struct login_book *book, const struct directory *d, const struct user_record *user);
/* An answer of an entry that has a flow, or an empty one of one that has none. The entry may be gone afterwards. */
void login_flow_answer(const struct login_turn *turn, const char *text, size_t length, struct login_reply *reply);
bool login_answer_is_empty(const char *text, size_t length);
/* What is due at this entry by now; true: that is a reply. */
bool login_flow_due_now(struct login_book *book, const struct directory *d, struct login_entry *entry,
			uint64_t now_usec, struct login_reply *ret, uint64_t *ret_owner);

/* flow_providers.c: those of the user's tenant in the order in which they are offered, the preferred one first. */
uint32_t login_providers(const struct directory *d, const struct user_record *user,
			 const struct idp_record *ret[IDP_PER_TENANT_MAX]);
/* The record by which the flow, or the sign-in, began, if it still is the same. */
const struct idp_record *login_provider_same(const struct directory *d, const struct user_record *user, const char *id,
					     const uint8_t digest[SHA256_BYTES]);
int login_provider_digest(const struct idp_record *idp, uint8_t digest[SHA256_BYTES]); /* 0 or -ENOMEM */

/* flow_outcome.c */
/* What the flow came to is written into the entry (and, unless it may be a yes, the audit): it is FLOW_DECIDED. */
void login_flow_decide(const struct login_turn *turn, enum reason outcome, const char *detail);
void login_flow_take(const struct login_turn *turn, const struct flow_result *result);
/* Its time is over; the provider is told. */
void login_flow_expire(const struct login_turn *turn);
/* The end of the sign-in, by a flow that is FLOW_DECIDED: allowed, or the entry is gone. */
void login_flow_conclude(const struct login_turn *turn, struct login_reply *reply);
/* Later stages: does the identity still stand? REASON_ALLOWED, or REASON_LOGIN_EXPIRED. */
enum reason login_identity_stands(struct login_book *book, const struct directory *d, const struct user_record *user,
				  const struct login_identity *identity);

/* flow_book.c */
struct login_flows {
	const struct login_sso *sso; /* borrowed; NULL: there is none */
	uint64_t counter;
	uint32_t waiting; /* flows with a number */
	/* No flow has anything due before `due`; 0: nothing ever. A scan goes on from `cursor`. */
	uint64_t due;
	uint32_t cursor;
	bool scanning;
	struct flow_limits *limits;
};
struct login_flows *login_book_flows(struct login_book *book);
const struct login_sso *login_book_sso(const struct login_book *book); /* NULL: there is none */
/* The entry whose flow this is; NULL: it is nobody's any more. */
struct login_entry *login_flow_find(struct login_book *book, uint64_t number);
/* Has the provider asked. 0 or negative, as the hook. The flow's fields but state and ends are the caller's. */
int login_flow_start(struct login_book *book, struct login_entry *entry, const struct idp_record *idp, uint64_t ends);
/* Not wanted at the provider any more, if it still is under way. */
void login_flow_cancel(struct login_book *book, struct login_entry *entry);
/* It is over there by itself. */
void login_flow_over(struct login_book *book, struct login_entry *entry);
void login_flow_hold(struct login_book *book, struct login_entry *entry, uint64_t now_usec);
/* Something of it is due then. */
void login_flow_due(struct login_book *book, uint64_t when);
void login_flow_free(struct login_flow *flow);             /* wipes; takes NULL */
void login_identity_free(struct login_identity *identity); /* takes NULL */

/* flow_limits.c: how many may wait, and how often one may begin. */
struct flow_limits;
int flow_limits_create(struct flow_limits **ret);
void flow_limits_destroy(struct flow_limits *limits); /* takes NULL */
/* NULL: go on, and it is counted. Else which limit, for the audit; *ret_told: so it was not long ago. */
const char *flow_limits_ask(struct login_book *book, const struct login_entry *entry, uint64_t now_usec,
			    bool *ret_told);
