/* SPDX-License-Identifier: MIT
 *
 * What a sign-in at a provider comes to: who it is, whether that is this user, and what the person and the audit are
 * told. Also whether what was found out then still holds later on.
 *
 * What failed is written to the audit when it happens; what is proven is judged when the person is there to be let in,
 * by the directory of that moment.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/secret.h"
#include "base/text.h"
#include "login/flow.h"
#include "oidc/binding.h"

#define FINISHED_MAX (600 * USEC_PER_SEC) /* from the approval to the opened session, as with keys */
#define DETAIL_SIZE 1024
#define RECORD_CHANGED "the provider's record is gone, or is another one by now"

static void credential_name(const char *idp_id, char name[CREDENTIAL_NAME_SIZE])
{
	snprintf(name, CREDENTIAL_NAME_SIZE, "sso:%s", idp_id);
}

static void refuse(const struct login_turn *turn, enum reason reason, const char *detail)
{
	char name[CREDENTIAL_NAME_SIZE];

	credential_name(turn->entry->flow->idp_id, name);
	login_write_refusal(turn->book, turn->d, &turn->origin, turn->user, turn->rule, reason, name, detail);
}

/* ---- what the flow brought ------------------------------------------------------------------------ */

void login_flow_decide(const struct login_turn *turn, enum reason outcome, const char *detail)
{
	struct login_flow *flow = turn->entry->flow;

	login_flow_cancel(turn->book, turn->entry);
	flow->state = FLOW_DECIDED;
	flow->outcome = outcome;
	if (outcome != REASON_ALLOWED && turn->d)
		refuse(turn, outcome, detail && *detail ? detail : NULL);
}

void login_flow_expire(const struct login_turn *turn)
{
	/* The provider that never gave a code is what was too slow, not the person. */
	if (turn->entry->flow->state == FLOW_ASKING)
		login_flow_decide(turn, REASON_SSO_UNREACHABLE, "the provider gave no code in time");
	else
		login_flow_decide(turn, REASON_SSO_EXPIRED, NULL);
}

void login_flow_take(const struct login_turn *turn, const struct flow_result *result)
{
	struct login_flow *flow = turn->entry->flow;
	char detail[DETAIL_SIZE];

	switch ((int)result->end) {
	case FLOW_PROVEN:
		flow->identity = malloc(sizeof(*flow->identity));
		if (!flow->identity) {
			login_flow_decide(turn, REASON_BROKEN, "out of memory");
			return;
		}
		*flow->identity = result->identity;
		login_flow_decide(turn, REASON_ALLOWED, NULL);
		return;
	case FLOW_DENIED:
		login_flow_decide(turn, REASON_SSO_DENIED, result->detail);
		return;
	case FLOW_EXPIRED:
		login_flow_decide(turn, REASON_SSO_EXPIRED, result->detail);
		return;
	case FLOW_BAD_TOKEN:
		snprintf(detail, sizeof(detail), "%s%s%s", token_fault_word(result->token), *result->detail ? ": " : "",
			 result->detail);
		login_flow_decide(turn, REASON_SSO_TOKEN_REFUSED, detail);
		return;
	case FLOW_REFUSED:
		/* The thread ends what was begun by a record that changed: then nobody there has refused anything. */
		if (turn->d && turn->user && !login_provider_same(turn->d, turn->user, flow->idp_id, flow->idp_digest))
			login_flow_decide(turn, REASON_LOGIN_EXPIRED, RECORD_CHANGED);
		else
			login_flow_decide(turn, REASON_SSO_REFUSED, result->detail);
		return;
	default:
		login_flow_decide(turn, REASON_SSO_UNREACHABLE, result->detail);
	}
}

/* ---- is it this user? ------------------------------------------------------------------------------- */

/* Another user who is known by this identity. */
static const struct user_record *other_owner(const struct login_sso *sso, const struct directory *d,
					     const struct user_record *user, const struct oidc_identity *identity)
{
	const struct user_record *owner =
		directory_user_by_identity(d, user->tenant_id, identity->issuer, identity->subject);
	const char *id;

	if (owner)
		return owner == user ? NULL : owner;
	id = sso->owner(sso->context, user->tenant_id, identity->issuer, identity->subject);
	return id && !text_equal(id, user->id) ? directory_user(d, id) : NULL;
}

static enum binding decide(const struct login_sso *sso, const struct directory *d, const struct user_record *user,
			   const struct idp_record *idp, const struct oidc_identity *identity)
{
	return binding_decide(idp, user, sso->remembered(sso->context, user->id, identity->issuer),
			      other_owner(sso, d, user, identity), identity);
}

/* Whom the next first sign-in may bind an identity to: nobody who would be turned away anyway, and nobody of whom the
 * word is old. An identity that was bound stays. */
static enum reason may_bind(const struct login_turn *turn)
{
	struct policy_request request = {
		.user = turn->user,
		.now = turn->realtime,
		.freshness = login_book_freshness(turn->book),
		.boot_now = turn->now_usec,
		.local = true, /* where they come from is the account stage's question */
		.sign_in_ended = turn->user->sessions_valid_from > turn->entry->flow->valid_from,
	};
	struct policy_decision decision;

	policy_decide(turn->d, &request, &decision);
	return decision.reason;
}

static enum reason first_time(const struct login_turn *turn, char detail[DETAIL_SIZE])
{
	const struct login_sso *sso = login_book_sso(turn->book);
	const struct login_flow *flow = turn->entry->flow;
	char name[CREDENTIAL_NAME_SIZE];
	struct audit_event event;
	enum reason reason;
	int r;

	reason = may_bind(turn);
	if (reason != REASON_ALLOWED) {
		snprintf(detail, DETAIL_SIZE, "so the identity was not bound: issuer %s subject %s",
			 flow->identity->issuer, flow->identity->subject);
		return reason;
	}
	r = sso->remember(sso->context, turn->user->tenant_id, turn->user->id, flow->identity->issuer,
			  flow->identity->subject);
	if (r == -EEXIST) { /* of somebody who is not in the directory any more, or not yet */
		snprintf(detail, DETAIL_SIZE, "bound to somebody else already: issuer %s subject %s",
			 flow->identity->issuer, flow->identity->subject);
		return REASON_SSO_NOT_BOUND;
	}
	if (r < 0) {
		snprintf(detail, DETAIL_SIZE, "the identity cannot be kept: %s", strerrordesc_np(-r));
		return REASON_BROKEN;
	}
	snprintf(detail, DETAIL_SIZE, "issuer %s subject %s", flow->identity->issuer, flow->identity->subject);
	credential_name(flow->idp_id, name);
	event = login_event(turn->d, &turn->origin, turn->user);
	event.kind = AUDIT_IDENTITY_BOUND;
	event.reason = REASON_ALLOWED;
	event.credential = name;
	event.detail = detail;
	audit_write(login_book_audit(turn->book), &event);
	return REASON_ALLOWED;
}

/* REASON_ALLOWED, or why not, with the precise word for the audit. */
static enum reason judge(const struct login_turn *turn, char detail[DETAIL_SIZE])
{
	const struct login_sso *sso = login_book_sso(turn->book);
	const struct login_flow *flow = turn->entry->flow;
	const struct idp_record *idp;
	enum binding binding;

	if (!sso) {
		snprintf(detail, DETAIL_SIZE, "single sign-on was switched off meanwhile");
		return REASON_SSO_NOT_OFFERED;
	}
	idp = login_provider_same(turn->d, turn->user, flow->idp_id, flow->idp_digest);
	if (!idp) {
		snprintf(detail, DETAIL_SIZE, "%s", RECORD_CHANGED);
		return REASON_LOGIN_EXPIRED;
	}
	binding = decide(sso, turn->d, turn->user, idp, flow->identity);
	if (binding == BINDING_FIRST)
		return first_time(turn, detail);
	if (binding == BINDING_LISTED || binding == BINDING_OWN)
		return REASON_ALLOWED;
	snprintf(detail, DETAIL_SIZE, "%s: issuer %s subject %s", binding_word(binding), flow->identity->issuer,
		 flow->identity->subject);
	return binding == BINDING_OTHER || binding == BINDING_TAKEN ? REASON_SSO_OTHER_PERSON : REASON_SSO_NOT_BOUND;
}

/* ---- the end ------------------------------------------------------------------------------------------ */

static struct login_identity *keep_identity(const struct login_flow *flow)
{
	struct login_identity *kept = calloc(1, sizeof(*kept));

	if (!kept)
		return NULL;
	memcpy(kept->idp_id, flow->idp_id, sizeof(kept->idp_id));
	memcpy(kept->idp_digest, flow->idp_digest, sizeof(kept->idp_digest));
	kept->issuer = strdup(flow->identity->issuer);
	kept->subject = strdup(flow->identity->subject);
	if (kept->issuer && kept->subject)
		return kept;
	login_identity_free(kept);
	return NULL;
}

static void let_in(const struct login_turn *turn, struct login_identity *identity, struct login_reply *reply)
{
	struct login_entry *entry = turn->entry;

	throttle_succeeded(login_book_throttle(turn->book), &entry->throttle, turn->now_usec);
	credential_name(entry->flow->idp_id, entry->credential);
	/* Of when it began: an approval that was given before the person's sign-ins were ended does not outlive that.
	 */
	entry->valid_from = entry->flow->valid_from;
	entry->identity = identity;
	login_flow_free(TAKE_PTR(entry->flow));
	login_book_finish(turn->book, entry, turn->now_usec + FINISHED_MAX);
	reply->step = LOGIN_ALLOWED;
	reply->reason = REASON_ALLOWED;
	memcpy(reply->token, entry->token, sizeof(reply->token));
}

static bool is_somebody_else(enum reason reason)
{
	return reason == REASON_SSO_OTHER_PERSON || reason == REASON_SSO_NOT_BOUND;
}

void login_flow_conclude(const struct login_turn *turn, struct login_reply *reply)
{
	struct login_entry *entry = turn->entry;
	enum reason reason = entry->flow->outcome;
	struct login_identity *identity = NULL;
	struct throttle_state state;
	char detail[DETAIL_SIZE] = "";

	if (!turn->d) {
		reason = REASON_BROKEN;
	} else if (!turn->user) { /* left the directory while waiting */
		reason = REASON_LOGIN_EXPIRED;
		refuse(turn, REASON_UNKNOWN_USER, NULL);
	} else if (reason == REASON_ALLOWED) {
		/* Before anything is bound: what cannot be finished leaves nothing behind. */
		identity = keep_identity(entry->flow);
		reason = identity ? judge(turn, detail) : REASON_BROKEN;
		if (reason != REASON_ALLOWED)
			refuse(turn, reason, *detail ? detail : NULL);
	}
	if (reason == REASON_ALLOWED) {
		let_in(turn, identity, reply);
		return;
	}
	login_identity_free(identity);
	if (is_somebody_else(reason)) {
		throttle_failed(login_book_throttle(turn->book), &entry->throttle, turn->now_usec, &state);
		reply->delay_usec = MAX_OF(reply->delay_usec, state.delay_usec);
	}
	reply->step = reason_is_broken(reason) ? LOGIN_BROKEN : LOGIN_DENIED;
	reply->reason = reason;
	snprintf(reply->text, sizeof(reply->text), "%s", reason_text(reason));
	login_flow_cancel(turn->book, entry);
	login_book_remove(turn->book, entry);
}

enum reason login_identity_stands(struct login_book *book, const struct directory *d, const struct user_record *user,
				  const struct login_identity *identity)
{
	const struct login_sso *sso = login_book_sso(book);
	const struct idp_record *idp = login_provider_same(d, user, identity->idp_id, identity->idp_digest);
	struct oidc_identity shown = {0}; /* without an address: nothing can be bound by it */
	enum binding binding;

	if (!sso || !idp || strlen(identity->issuer) >= sizeof(shown.issuer) ||
	    strlen(identity->subject) >= sizeof(shown.subject))
		return REASON_LOGIN_EXPIRED;
	memcpy(shown.issuer, identity->issuer, strlen(identity->issuer));
	memcpy(shown.subject, identity->subject, strlen(identity->subject));
	binding = decide(sso, d, user, idp, &shown);
	return binding == BINDING_LISTED || binding == BINDING_OWN ? REASON_ALLOWED : REASON_LOGIN_EXPIRED;
}
