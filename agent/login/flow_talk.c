/* SPDX-License-Identifier: MIT
 *
 * What the person reads and answers on the way: which provider, address and code, "still waiting".
 *
 * All of these prompts are visible, so what is typed there is no credential whatever it looks like.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/macros.h"
#include "crypto/api_key.h"
#include "jose/jwt.h"
#include "login/flow.h"

#define TIMEOUT_DEFAULT_SEC 300U
#define UNCLAIMED_USEC (120 * USEC_PER_SEC) /* what became of it is kept for so long */
#define SLIPS_MAX 3U                        /* a program that answers everything with one text is no person */
#define NOTHING_DELAY_USEC USEC_PER_SEC     /* Enter where it means nothing: so nobody asks all the time */

#define ON_SCREEN "What you typed could be read on the screen, so it counts for nothing here."
#define KEY_ON_SCREEN ON_SCREEN " Was it a key? Others may have seen it: have it replaced."

static const char *skip_blanks(const char *text, size_t *length)
{
	while (*length > 0 && strchr(" \t\r\n", text[*length - 1]))
		--*length;
	for (; *length > 0 && strchr(" \t\r\n", *text); text++)
		--*length;
	return text;
}

bool login_answer_is_empty(const char *text, size_t length)
{
	(void)skip_blanks(text, &length);
	return length == 0;
}

bool login_flow_offered(const struct login_book *book, const struct directory *d, const struct user_record *user)
{
	const struct idp_record *providers[IDP_PER_TENANT_MAX];

	return login_book_sso(book) && user->kind == USER_PERSON && login_providers(d, user, providers) > 0;
}

/* ---- prompts ------------------------------------------------------------------------------------ */

static void ask(const struct login_entry *entry, struct login_reply *reply)
{
	reply->step = LOGIN_PROMPT;
	reply->echo = true;
	memcpy(reply->token, entry->token, sizeof(reply->token));
}

/* Adds to the reply's text; what does not fit is left out, and nobody's picture comes near that. */
_printf_(2, 3) static void say(struct login_reply *reply, const char *format, ...)
{
	size_t length = strlen(reply->text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reply->text + length, sizeof(reply->text) - length, format, arguments);
	va_end(arguments);
}

static const char *provider_name(const struct directory *d, const struct login_entry *entry)
{
	const struct user_record *user = d ? directory_user(d, entry->user_id) : NULL;
	const struct idp_record *idp =
		user ? login_provider_same(d, user, entry->flow->idp_id, entry->flow->idp_digest) : NULL;

	return idp && *idp->name ? idp->name : "your identity provider";
}

static void say_picture(const struct login_book *book, const struct login_entry *entry, struct login_reply *reply)
{
	const struct login_flow *flow = entry->flow;
	size_t length = strlen(reply->text), left = sizeof(reply->text) - length;
	enum qr_form form = entry->has_qr ? entry->qr : login_book_sso(book)->qr;

	/* With the code in it where the provider gives such an address and it fits. */
	if (left > LOGIN_MESSAGE_MAX &&
	    (!*flow->uri_complete ||
	     qr_render(form, flow->uri_complete, reply->text + length, left - LOGIN_MESSAGE_MAX) == 0))
		(void)qr_render(form, flow->uri, reply->text + length, left - LOGIN_MESSAGE_MAX);
}

/* Address and code come first: what follows may be no picture on the client's terminal. */
static void prompt_code(const struct login_book *book, const struct directory *d, struct login_entry *entry,
			struct login_reply *reply)
{
	entry->flow->shown = true;
	ask(entry, reply);
	say(reply, "To sign in with %s, open\n  %s\nand enter the code  %s\n", provider_name(d, entry),
	    entry->flow->uri, entry->flow->user_code);
	say_picture(book, entry, reply);
	say(reply, "Approve the sign-in there, then press Enter: ");
}

static void prompt_still(const struct directory *d, struct login_entry *entry, struct login_reply *reply)
{
	ask(entry, reply);
	if (entry->flow->uri && entry->flow->user_code)
		say(reply, "Still waiting for the approval. Open\n  %s\nand enter the code  %s\nThen press Enter: ",
		    entry->flow->uri, entry->flow->user_code);
	else
		say(reply, "%s has not answered yet. Press Enter to go on waiting: ", provider_name(d, entry));
}

/* A list that people choose from by number must be the one that they saw. */
static uint64_t list_hash(const struct idp_record *const *providers, uint32_t count)
{
	uint64_t hashes[IDP_PER_TENANT_MAX] = {0};

	for (uint32_t i = 0; i < count; i++)
		hashes[i] = hash_text(providers[i]->id);
	return hash_bytes(hashes, count * sizeof(hashes[0]));
}

static void prompt_choice(struct login_entry *entry, const struct idp_record *const *providers, uint32_t count,
			  struct login_reply *reply)
{
	entry->flow->offered = list_hash(providers, count);
	ask(entry, reply);
	say(reply, "Sign in with\n");
	for (uint32_t i = 0; i < count; i++)
		say(reply, "  %2u  %s\n", i + 1, *providers[i]->name ? providers[i]->name : providers[i]->issuer);
	say(reply, "Number (Enter for 1): ");
}

/* ---- ends ------------------------------------------------------------------------------------------ */

static void end(const struct login_turn *turn, enum reason reason, const char *text, struct login_reply *reply)
{
	reply->step = LOGIN_DENIED;
	reply->reason = reason;
	say(reply, "%s", text ? text : reason_text(reason));
	login_flow_cancel(turn->book, turn->entry);
	login_book_remove(turn->book, turn->entry);
}

static void too_many(const struct login_turn *turn, const char *limit, bool told, struct login_reply *reply)
{
	if (!told)
		login_write_refusal(turn->book, turn->d, &turn->origin, turn->user, turn->rule,
				    REASON_TOO_MANY_ATTEMPTS, "sso", limit);
	end(turn, REASON_TOO_MANY_ATTEMPTS,
	    "Too many sign-ins wait for an approval; finish one of them, or try again in a few minutes.", reply);
}

/* ---- answers -------------------------------------------------------------------------------------- */

/* Something to say, or nothing for now. */
static void respond(const struct login_turn *turn, struct login_reply *reply)
{
	struct login_flow *flow = turn->entry->flow;

	if (flow->number && flow->ends <= turn->now_usec)
		login_flow_expire(turn);
	if (flow->state == FLOW_DECIDED) {
		login_flow_conclude(turn, reply);
	} else if (flow->state == FLOW_WAITING && !flow->shown) {
		prompt_code(turn->book, turn->d, turn->entry, reply);
	} else {
		login_flow_hold(turn->book, turn->entry, turn->now_usec);
		reply->step = LOGIN_PENDING;
	}
}

static void begin_at(const struct login_turn *turn, const struct idp_record *idp, struct login_reply *reply)
{
	const struct login_sso *sso = login_book_sso(turn->book);
	uint64_t seconds = sso->timeout_sec ? sso->timeout_sec : TIMEOUT_DEFAULT_SEC;
	struct login_flow *flow = turn->entry->flow;
	const char *limit;
	bool told = false;
	int r;

	limit = flow_limits_ask(turn->book, turn->entry, turn->now_usec, &told);
	if (limit) {
		too_many(turn, limit, told, reply);
		return;
	}
	snprintf(flow->idp_id, sizeof(flow->idp_id), "%s", idp->id);
	flow->valid_from = turn->user->sessions_valid_from;
	flow->latest = turn->now_usec + seconds * USEC_PER_SEC;
	r = login_provider_digest(idp, flow->idp_digest);
	if (r == 0)
		r = login_flow_start(turn->book, turn->entry, idp, flow->latest);
	if (r == -EAGAIN) {
		too_many(turn, "sign-ins that wait on this host", false, reply);
		return;
	}
	if (r < 0) {
		login_write_refusal(turn->book, turn->d, &turn->origin, turn->user, turn->rule, REASON_BROKEN, "sso",
				    strerrordesc_np(-r));
		login_book_remove(turn->book, turn->entry);
		login_reply_broken(reply);
		return;
	}
	flow->state = FLOW_ASKING;
	login_book_expire_at(turn->book, turn->entry, flow->latest + UNCLAIMED_USEC);
	respond(turn, reply);
}

static void slip(const struct login_turn *turn, const char *text, size_t length, const char *known,
		 struct login_reply *reply)
{
	const char *word = known;

	if (!word)
		word = api_key_has_shape(text, length) || jwt_has_shape(text, length) ? KEY_ON_SCREEN : ON_SCREEN;
	if (++turn->entry->flow->slips >= SLIPS_MAX) {
		end(turn, REASON_CREDENTIAL_UNSUPPORTED, word, reply);
		return;
	}
	say(reply, "%s\n", word);
}

/* The number of a list's row; 0: none. */
static uint32_t read_number(const char *text, size_t length, uint32_t count)
{
	uint32_t number = 0;

	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9' || number > count)
			return 0;
		number = number * 10 + (uint32_t)(text[i] - '0');
	}
	return number <= count ? number : 0;
}

static void choose(const struct login_turn *turn, const char *text, size_t length, struct login_reply *reply)
{
	const struct idp_record *providers[IDP_PER_TENANT_MAX];
	uint32_t count = login_providers(turn->d, turn->user, providers), number;

	if (count == 0) {
		end(turn, REASON_SSO_NOT_OFFERED, NULL, reply);
		return;
	}
	number = length == 0 ? 1 : read_number(text, length, count);
	if (number > 0 && list_hash(providers, count) == turn->entry->flow->offered) {
		begin_at(turn, providers[number - 1], reply);
		return;
	}
	if (number > 0)
		slip(turn, text, length, "The list has changed.", reply);
	else if (length <= 2)
		slip(turn, text, length, "That is no number of the list.", reply);
	else
		slip(turn, text, length, NULL, reply);
	if (reply->step != LOGIN_DENIED)
		prompt_choice(turn->entry, providers, count, reply);
}

static void begin(const struct login_turn *turn, struct login_reply *reply)
{
	const struct idp_record *providers[IDP_PER_TENANT_MAX];
	uint32_t count = 0;

	if (login_flow_offered(turn->book, turn->d, turn->user))
		count = login_providers(turn->d, turn->user, providers);
	if (count == 0) {
		reply->delay_usec = MAX_OF(reply->delay_usec, NOTHING_DELAY_USEC);
		end(turn, REASON_SSO_NOT_OFFERED, NULL, reply);
		return;
	}
	turn->entry->flow = calloc(1, sizeof(*turn->entry->flow));
	if (!turn->entry->flow) {
		login_book_remove(turn->book, turn->entry);
		login_reply_broken(reply);
		return;
	}
	if (count > 1)
		prompt_choice(turn->entry, providers, count, reply);
	else
		begin_at(turn, providers[0], reply);
}

void login_flow_answer(const struct login_turn *turn, const char *text, size_t length, struct login_reply *reply)
{
	struct login_flow *flow = turn->entry->flow;

	text = skip_blanks(text, &length);
	if (!flow) {
		begin(turn, reply);
	} else if (!login_book_sso(turn->book)) { /* the operator has switched it off */
		end(turn, REASON_SSO_NOT_OFFERED, NULL, reply);
	} else if (flow->state == FLOW_CHOOSING) {
		choose(turn, text, length, reply);
	} else if (length == 0) {
		respond(turn, reply);
	} else {
		slip(turn, text, length, NULL, reply);
		if (reply->step != LOGIN_DENIED)
			prompt_still(turn->d, turn->entry, reply);
	}
}

/* ---- what comes from elsewhere --------------------------------------------------------------------- */

/* Was somebody waiting? They are not any more. */
static bool wake(struct login_entry *entry, uint64_t *ret_owner)
{
	bool held = entry->flow->held_until != 0;

	entry->flow->held_until = 0;
	*ret_owner = entry->owner;
	return held;
}

bool login_flow_prompt(struct login_book *book, const struct directory *d, uint64_t flow_number,
		       const struct device_answer *answer, uint64_t now_usec, struct login_reply *ret,
		       uint64_t *ret_owner)
{
	struct login_entry *entry = login_flow_find(book, flow_number);
	struct login_flow *flow = entry ? entry->flow : NULL;
	struct login_reply reply = {0};

	if (!flow || flow->state != FLOW_ASKING)
		return false;
	flow->uri = strdup(answer->uri);
	flow->uri_complete = strdup(answer->uri_complete);
	flow->user_code = strdup(answer->user_code);
	if (!flow->uri || !flow->uri_complete || !flow->user_code) {
		struct login_turn turn = login_turn(book, d, entry, now_usec, 0);

		login_flow_decide(&turn, REASON_BROKEN, "out of memory");
		if (!wake(entry, ret_owner))
			return false;
		login_flow_conclude(&turn, &reply);
		*ret = reply;
		return true;
	}
	flow->state = FLOW_WAITING;
	flow->ends = MIN_OF(flow->latest, now_usec + answer->expires_in * USEC_PER_SEC);
	login_flow_due(book, flow->ends);
	if (!wake(entry, ret_owner))
		return false;
	prompt_code(book, d, entry, &reply);
	*ret = reply;
	return true;
}

bool login_flow_done(struct login_book *book, const struct directory *d, uint64_t flow_number,
		     const struct flow_result *result, uint64_t now_usec, int64_t realtime, struct login_reply *ret,
		     uint64_t *ret_owner)
{
	struct login_entry *entry = login_flow_find(book, flow_number);
	struct login_reply reply = {0};
	struct login_turn turn;

	if (!entry || entry->flow->state == FLOW_DECIDED)
		return false;
	turn = login_turn(book, d, entry, now_usec, realtime);
	login_flow_over(book, entry);
	login_flow_take(&turn, result);
	if (!wake(entry, ret_owner))
		return false;
	login_flow_conclude(&turn, &reply);
	*ret = reply;
	return true;
}

bool login_flow_due_now(struct login_book *book, const struct directory *d, struct login_entry *entry,
			uint64_t now_usec, struct login_reply *ret, uint64_t *ret_owner)
{
	struct login_flow *flow = entry->flow;
	struct login_turn turn = login_turn(book, d, entry, now_usec, 0);
	struct login_reply reply = {0};

	if (flow->number && flow->ends <= now_usec) {
		login_flow_expire(&turn);
		if (!wake(entry, ret_owner))
			return false;
		login_flow_conclude(&turn, &reply);
	} else if (flow->held_until && flow->held_until <= now_usec) {
		(void)wake(entry, ret_owner);
		prompt_still(d, entry, &reply);
	} else {
		return false;
	}
	*ret = reply;
	return true;
}
