/* SPDX-License-Identifier: MIT
 *
 * The conversation: a prompt, an answer, and what comes of it.
 */
#include "login/login.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "audit/user_event.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/macros.h"
#include "base/parse.h"
#include "login/book.h"
#include "login/codes.h"
#include "login/flow.h"
#include "login/question.h"

#define UNFINISHED_MAX (120 * USEC_PER_SEC) /* at a prompt for a key; who waits for an approval has longer */
#define FINISHED_MAX (600 * USEC_PER_SEC)   /* from the right answer to the opened session */
#define ATTEMPTS_MAX 3U                     /* in one conversation */

#define PROMPT "API key: "
#define PROMPT_OR_SSO "API key (Enter for single sign-on): "
#define NOT_ACCEPTED "The key was not accepted."
#define TOKEN_NOT_ACCEPTED "The access token was not accepted."

struct throttle_key login_throttle_key(const struct login_origin *origin, const struct service_rule *rule)
{
	char place[2 * ORIGIN_TEXT_SIZE];

	if (*origin->source && rule->place != SERVICE_LOCAL)
		return throttle_key_login(origin->user, origin->source);
	/* A web service that tells no address (JupyterHub) stands for all of its visitors. */
	if (service_place(rule, origin->source, origin->terminal) == SERVICE_NETWORK)
		return throttle_key_login(origin->user, NULL);
	/* Nobody at this host's own su, sudo or console uses up the chances of those at another place. */
	snprintf(place, sizeof(place), "local/%.127s",
		 *origin->requesting_user ? origin->requesting_user : origin->terminal);
	return throttle_key_login(origin->user, place);
}

uint64_t login_local_place(const struct login_origin *origin)
{
	const struct service_rule *rule = service_rule(origin->service);

	if (service_place(rule, origin->source, origin->terminal) == SERVICE_NETWORK)
		return 0;
	return login_throttle_key(origin, rule).hash[THROTTLE_SOURCE];
}

struct audit_event login_event(const struct directory *d, const struct login_origin *origin,
			       const struct user_record *user)
{
	struct audit_event event = {
		.user = origin->user,
		.service = origin->service,
		.source = origin->source,
		.terminal = origin->terminal,
		.directory_generation = directory_generation(d),
	};

	audit_about_user(&event, d, user);
	return event;
}

enum audit_kind login_event_kind(const struct service_rule *rule, enum reason reason)
{
	if (reason_is_broken(reason))
		return AUDIT_LOGIN_BROKEN;
	if (rule->privilege)
		return reason == REASON_ALLOWED ? AUDIT_PRIVILEGE_ALLOWED : AUDIT_PRIVILEGE_DENIED;
	return reason == REASON_ALLOWED ? AUDIT_LOGIN_ALLOWED : AUDIT_LOGIN_DENIED;
}

bool login_uid_differs(const struct user_record *user, const char *name, uint32_t uid, char *detail, size_t size)
{
	if (uid == LOGIN_UID_UNSAID || (user && user->uid == uid))
		return false;
	if (user)
		snprintf(detail, size, "the system gives %.64s the uid %u, the directory %u", name, uid, user->uid);
	else if (uid >= MANAGED_ID_FIRST && uid <= MANAGED_ID_LAST)
		snprintf(detail, size, "the system gives %.64s the uid %u, the directory has no such person", name,
			 uid);
	else
		return false; /* a local account */
	return true;
}

/* All that can be wrong with a key is one thing to whoever has not proven one. */
static enum reason shown_reason(enum reason reason)
{
	switch ((int)reason) {
	case REASON_KEY_UNKNOWN:
	case REASON_KEY_WRONG:
	case REASON_KEY_OTHER_USER:
	case REASON_KEY_NOT_YET:
	case REASON_KEY_EXPIRED:
	case REASON_KEY_REVOKED:
		return REASON_KEY_WRONG;
	case REASON_TOKEN_NOT_YET:
	case REASON_TOKEN_EXPIRED:
	case REASON_TOKEN_REVOKED:
	case REASON_SSO_NOT_BOUND:
		return REASON_TOKEN_WRONG;
	default:
		return reason;
	}
}

void login_reply_undecided(struct login_reply *reply, enum reason reason)
{
	*reply = (struct login_reply){.step = LOGIN_BROKEN, .reason = reason, .final = true};
	snprintf(reply->text, sizeof(reply->text), "%s", reason_text(reason));
}

void login_reply_broken(struct login_reply *reply)
{
	login_reply_undecided(reply, REASON_BROKEN);
}

static void reply_wait(struct login_reply *reply, uint64_t wait_usec)
{
	char span[48];

	*reply = (struct login_reply){.step = LOGIN_DENIED, .reason = REASON_TOO_MANY_ATTEMPTS, .final = true};
	format_span((wait_usec + USEC_PER_SEC - 1) / USEC_PER_SEC, span, sizeof(span));
	snprintf(reply->text, sizeof(reply->text), "Too many attempts; wait %s and try again.", span);
}

static void reply_prompt(struct login_reply *reply, const struct login_entry *entry, bool or_sso, const char *before)
{
	reply->step = LOGIN_PROMPT;
	reply->echo = false;
	snprintf(reply->text, sizeof(reply->text), "%s%s%s", before, *before ? "\n" : "",
		 or_sso ? PROMPT_OR_SSO : PROMPT);
	memcpy(reply->token, entry->token, sizeof(reply->token));
}

void login_write_refusal(struct login_book *book, const struct directory *d, const struct login_origin *origin,
			 const struct user_record *user, const struct service_rule *rule, enum reason reason,
			 const char *credential, const char *detail)
{
	struct audit_event event = login_event(d, origin, user);

	event.kind = login_event_kind(rule, reason);
	event.reason = reason;
	event.action = rule->action;
	event.credential = credential;
	event.detail = detail;
	audit_write(login_book_audit(book), &event);
}

/* Nothing is asked for: finished at once, and all else is the account stage's matter. */
static void take_shortcut(struct login_book *book, struct login_entry *entry, const struct login_shortcut *shortcut,
			  uint64_t now_usec, struct login_reply *ret)
{
	entry->by_shortcut = true;
	entry->valid_from = shortcut->valid_from;
	snprintf(entry->proof, sizeof(entry->proof), "%s", shortcut->credential);
	if (*entry->proof)
		snprintf(entry->credential, sizeof(entry->credential), "recent:%.80s", entry->proof);
	else
		snprintf(entry->credential, sizeof(entry->credential), "none");
	login_book_finish(book, entry, now_usec + FINISHED_MAX);
	*ret = (struct login_reply){.step = LOGIN_ALLOWED, .reason = REASON_ALLOWED};
	memcpy(ret->token, entry->token, sizeof(ret->token));
}

void login_start(struct login_book *book, const struct directory *d, const struct login_origin *origin, uint64_t owner,
		 uint64_t now_usec, int64_t realtime, struct login_reply *ret)
{
	const struct service_rule *rule = service_rule(origin->service);
	struct login_reply reply = {0};
	struct throttle_state state;
	struct throttle_key key;
	struct login_entry *entry;
	const struct user_record *user;
	char detail[LOGIN_DETAIL_SIZE];

	login_tick(book, now_usec);
	user = d ? directory_user_by_login(d, origin->user) : NULL;
	if (!d) {
		login_reply_broken(ret);
		return;
	}
	if (!user) {
		reply = (struct login_reply){
			.step = LOGIN_DENIED, .reason = REASON_UNKNOWN_USER, .unknown_user = true, .final = true};
		*ret = reply;
		return;
	}
	if (login_uid_differs(user, origin->user, origin->uid, detail, sizeof(detail))) {
		login_write_refusal(book, d, origin, user, rule, REASON_BROKEN, NULL, detail);
		login_reply_broken(ret);
		return;
	}
	if (!login_book_admits(book)) {
		login_write_refusal(book, d, origin, user, rule, REASON_AUDIT_FULL, NULL, NULL);
		login_reply_undecided(ret, REASON_AUDIT_FULL);
		return;
	}
	key = login_throttle_key(origin, rule);
	throttle_ask(login_book_throttle(book), &key, now_usec, &state);
	if (state.wait_usec > 0) {
		if (state.first)
			login_write_refusal(book, d, origin, user, rule, REASON_TOO_MANY_ATTEMPTS, NULL, NULL);
		reply_wait(ret, state.wait_usec);
		return;
	}
	if (login_book_add(book, now_usec + UNFINISHED_MAX, &entry) < 0) {
		login_write_refusal(book, d, origin, user, rule, REASON_BROKEN, NULL, NULL);
		login_reply_broken(ret);
		return;
	}
	entry->owner = owner;
	entry->throttle = key;
	snprintf(entry->login, sizeof(entry->login), "%s", user->login);
	snprintf(entry->user_id, sizeof(entry->user_id), "%s", user->id);
	snprintf(entry->service, sizeof(entry->service), "%s", origin->service);
	snprintf(entry->source, sizeof(entry->source), "%s", origin->source);
	snprintf(entry->terminal, sizeof(entry->terminal), "%s", origin->terminal);
	snprintf(entry->requesting_user, sizeof(entry->requesting_user), "%s", origin->requesting_user);
	if (origin->shortcut) {
		take_shortcut(book, entry, origin->shortcut, now_usec, ret);
		return;
	}
	entry->has_qr = origin->qr && qr_form_parse(origin->qr, &entry->qr);
	reply_prompt(&reply, entry, login_flow_offered(book, d, user), "");
	*ret = reply;
}

/* What the person is told about a refused answer. `own`: what its kind says itself, NULL: nothing. */
static const char *refusal_text(const struct credential_result *result, const char *own)
{
	const char *hint = own ? own : credential_hint(result->type);

	if (hint)
		return hint;
	if (result->type == CREDENTIAL_TOKEN)
		return TOKEN_NOT_ACCEPTED;
	return result->reason == REASON_KEY_MALFORMED ? reason_text(REASON_KEY_MALFORMED) : NOT_ACCEPTED;
}

static void answer_right(struct login_book *book, struct login_entry *entry, const struct audit_event *event,
			 const struct credential_result *result, uint64_t now_usec, struct login_reply *reply)
{
	struct audit_event used = *event;

	throttle_succeeded(login_book_throttle(book), &entry->throttle, now_usec);
	if (result->key) {
		snprintf(entry->key_id, sizeof(entry->key_id), "%s", result->key->id);
		memcpy(entry->verifier, result->key->verifier, sizeof(entry->verifier));
	}
	entry->access = result->token;
	entry->by_code = result->type == CREDENTIAL_CODE;
	snprintf(entry->credential, sizeof(entry->credential), "%s", result->name);
	entry->valid_from = result->user->sessions_valid_from;
	login_book_finish(book, entry, now_usec + FINISHED_MAX);
	used.kind = entry->by_code ? AUDIT_CODE_USED : AUDIT_KEY_USED;
	used.reason = REASON_ALLOWED;
	used.credential = entry->credential;
	used.count = 1;
	audit_write(login_book_audit(book), &used);
	reply->step = LOGIN_ALLOWED;
	reply->reason = REASON_ALLOWED;
	memcpy(reply->token, entry->token, sizeof(reply->token));
}

/* A wrong answer: another prompt, or the end. */
static void answer_wrong(struct login_book *book, struct login_entry *entry, const struct credential_result *result,
			 bool or_sso, const char *text, uint64_t answer_hash, struct login_reply *reply)
{
	/* A client with one stored answer gives it to every prompt (sshd's PasswordAuthentication does):
	 * asking again would only count the same mistake three times. */
	bool same = entry->last_answer == answer_hash;

	entry->last_answer = answer_hash;
	reply->reason = shown_reason(result->reason);
	if (!same && entry->attempts < ATTEMPTS_MAX) {
		reply_prompt(reply, entry, or_sso, text);
		return;
	}
	reply->step = LOGIN_DENIED;
	reply->final = entry->attempts >= ATTEMPTS_MAX;
	snprintf(reply->text, sizeof(reply->text), "%s", text);
	login_book_remove(book, entry);
}

/* A good key, and not for this. Said where the key is shown, since a program that takes a handle of its own for each
 * stage (JupyterHub) has the account stage decide without it. */
static void answer_out_of_scope(enum reason reason, struct login_reply *reply)
{
	reply->step = LOGIN_DENIED;
	reply->reason = reason;
	reply->final = true;
	snprintf(reply->text, sizeof(reply->text), "%s", reason_text(reason));
}

static void answer_expired(struct login_reply *reply)
{
	*reply = (struct login_reply){.step = LOGIN_DENIED, .reason = REASON_LOGIN_EXPIRED, .final = true};
	snprintf(reply->text, sizeof(reply->text), "%s", reason_text(REASON_LOGIN_EXPIRED));
}

struct login_origin login_entry_origin(const struct login_entry *entry)
{
	return (struct login_origin){.user = entry->login,
				     .service = entry->service,
				     .source = entry->source,
				     .terminal = entry->terminal,
				     .requesting_user = entry->requesting_user};
}

struct login_turn login_turn(struct login_book *book, const struct directory *d, struct login_entry *entry,
			     uint64_t now_usec, int64_t realtime)
{
	return (struct login_turn){.book = book,
				   .d = d,
				   .entry = entry,
				   .user = d ? directory_user(d, entry->user_id) : NULL,
				   .rule = service_rule(entry->service),
				   .origin = login_entry_origin(entry),
				   .now_usec = now_usec,
				   .realtime = realtime};
}

void login_answer(struct login_book *book, const struct directory *d, const char *token, uint64_t owner,
		  const char *secret, size_t length, uint64_t now_usec, int64_t realtime, struct login_reply *ret)
{
	struct login_entry *entry = login_book_find(book, token);
	struct login_reply reply = {0};
	struct credential_result result;
	struct throttle_state state;
	struct login_origin origin;
	const struct service_rule *rule;
	const struct user_record *user;
	struct audit_event event;
	uint64_t answer_hash;
	const char *own_text = NULL, *own_detail = NULL;
	struct credential_providers providers;
	struct credential_context context;
	enum reason scope;
	char detail[96];

	if (!d) {
		login_reply_broken(ret);
		return;
	}
	if (!entry || entry->finished || entry->owner != owner || entry->expires <= now_usec) {
		answer_expired(ret);
		return;
	}
	rule = service_rule(entry->service);
	origin = login_entry_origin(entry);
	user = directory_user(d, entry->user_id);
	if (!user) { /* left the directory while typing */
		login_write_refusal(book, d, &origin, NULL, rule, REASON_UNKNOWN_USER, NULL, NULL);
		login_book_remove(book, entry);
		answer_expired(ret);
		return;
	}
	if (!login_book_admits(book)) {
		login_write_refusal(book, d, &origin, user, rule, REASON_AUDIT_FULL, NULL, NULL);
		login_book_remove(book, entry);
		login_reply_undecided(ret, REASON_AUDIT_FULL);
		return;
	}
	if (entry->flow) { /* nothing is guessed there, and others' guesses end nobody's waiting */
		struct login_turn turn = login_turn(book, d, entry, now_usec, realtime);

		login_flow_answer(&turn, secret, length, &reply);
		*ret = reply;
		return;
	}
	/* Asked again: many conversations may have begun before the first of them failed. */
	throttle_ask(login_book_throttle(book), &entry->throttle, now_usec, &state);
	if (state.wait_usec > 0) {
		if (state.first)
			login_write_refusal(book, d, &origin, user, rule, REASON_TOO_MANY_ATTEMPTS, NULL, NULL);
		login_book_remove(book, entry);
		reply_wait(ret, state.wait_usec);
		return;
	}
	if (login_answer_is_empty(secret, length)) {
		struct login_turn turn = login_turn(book, d, entry, now_usec, realtime);

		reply.delay_usec = state.delay_usec;
		login_flow_answer(&turn, secret, length, &reply);
		*ret = reply;
		return;
	}
	context = login_credentials(book, d, realtime, &providers);
	credential_check(&context, secret, length, &result);
	own_detail = result.detail;
	if (result.type == CREDENTIAL_CODE)
		own_text = login_code_check(book, d, user, entry, secret, length, now_usec, realtime, &result,
					    &own_detail);
	if (result.reason == REASON_ALLOWED && !text_equal(result.user->id, user->id))
		result.reason = result.key ? REASON_KEY_OTHER_USER : REASON_TOKEN_WRONG;
	if (reason_is_broken(result.reason)) {
		login_write_refusal(book, d, &origin, user, rule, result.reason, result.name, own_detail);
		login_book_remove(book, entry);
		login_reply_undecided(ret, result.reason);
		return;
	}
	reply.delay_usec = state.delay_usec;
	if (result.reason == REASON_ALLOWED && result.key && !rule->needs_proof && !rule->privilege) {
		scope = login_key_scope(book, d, rule, &origin, user, result.key, now_usec, realtime);
		if (scope != REASON_ALLOWED) {
			login_write_refusal(book, d, &origin, user, rule, scope, result.name, NULL);
			login_book_remove(book, entry);
			answer_out_of_scope(scope, &reply);
			*ret = reply;
			return;
		}
	}
	if (result.reason == REASON_ALLOWED) {
		event = login_event(d, &origin, user);
		answer_right(book, entry, &event, &result, now_usec, &reply);
		*ret = reply;
		return;
	}
	answer_hash = hash_bytes(secret, length) | 1U;
	if (entry->last_answer != answer_hash) { /* the same mistake again is not a new one */
		entry->attempts++;
		throttle_failed(login_book_throttle(book), &entry->throttle, now_usec, &state);
		reply.delay_usec = state.delay_usec;
		snprintf(detail, sizeof(detail), "%s%sattempt %u of %u", own_detail ? own_detail : "",
			 own_detail ? "; " : "", entry->attempts, ATTEMPTS_MAX);
		login_write_refusal(book, d, &origin, user, rule, result.reason, result.name, detail);
	}
	answer_wrong(book, entry, &result, login_flow_offered(book, d, user), refusal_text(&result, own_text),
		     answer_hash, &reply);
	*ret = reply;
}
