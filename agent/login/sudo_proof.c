/* SPDX-License-Identifier: MIT */
#include "login/sudo_proof.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "login/question.h"
#include "login/services.h"
#include "login/standing.h"

/* What somebody gave themself. */
static bool is_proof(const char *credential)
{
	static const char *const kinds[] = {"api-key:", "token:", "sso:", "ssh-key:SHA256:"};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (text_starts(credential, kinds[i]))
			return true;
	return false;
}

bool sudo_proof_matters(const struct directory *d, const struct login_origin *origin)
{
	const struct user_record *user = directory_user_by_login(d, origin->user);
	const struct tenant_record *tenant = user ? directory_tenant(d, user->tenant_id) : NULL;

	return service_rule(origin->service)->of_requester && tenant && tenant->sudo_proof != SUDO_PROOF_ALWAYS &&
	       text_equal(origin->user, origin->requesting_user) && origin->uid == user->uid &&
	       origin->requesting_uid == user->uid;
}

/* Does the proof still count for somebody who is at its place? */
static bool counts(const struct login_book *book, const struct directory *d, const struct login_origin *origin,
		   const struct session *session, const struct session_proof *proof, uint64_t now_usec,
		   int64_t realtime)
{
	const struct user_record *user = directory_user_by_login(d, origin->user);
	const struct tenant_record *tenant = directory_tenant(d, user->tenant_id);
	/* Whose token it was that a later proof was given with, nobody wrote down. */
	bool opened_it = text_equal(proof->credential, session->credential);
	const char *provider = opened_it && session->provider ? session->provider : "";
	const struct key_record *key = NULL;

	if (!proof->at || proof->at > now_usec || now_usec - proof->at > tenant->sudo_within_sec * USEC_PER_SEC ||
	    user->sessions_valid_from > proof->valid_from)
		return false;
	if (credential_stands(book, d, user, proof->credential, provider, realtime, &key) != REASON_ALLOWED)
		return false;
	return !key || login_key_scope(book, d, service_rule(origin->service), origin, user, key, now_usec, realtime) ==
			       REASON_ALLOWED;
}

/* Does its front end give people the terminal that they sit at? */
static bool gives_terminal(const struct session *session)
{
	const struct service_rule *rule = service_rule(session->service);

	return rule->needs_proof || service_place(rule, session->source, session->terminal) == SERVICE_CONSOLE;
}

static const struct session_proof *find_proof(const struct login_book *book, const struct directory *d,
					      struct session_table *sessions, const struct login_origin *origin,
					      const struct place *place, uint64_t now_usec, int64_t realtime)
{
	const struct session *session = place->session;
	const struct session_proof *sign_in = &session->sign_in;

	for (unsigned i = 0; i < SESSION_PROOFS_MAX; i++)
		if (session_terminal_same(&session->proofs[i].terminal, &place->terminal) &&
		    counts(book, d, origin, session, &session->proofs[i], now_usec, realtime))
			return &session->proofs[i];
	/* A session that a code opened knows what the code came from, and that was proved elsewhere. */
	if (!text_equal(sign_in->credential, session->credential))
		return NULL;
	if (!place->given || !gives_terminal(session) || !counts(book, d, origin, session, sign_in, now_usec, realtime))
		return NULL;
	if (sign_in->terminal.device)
		return session_terminal_same(&sign_in->terminal, &place->terminal) ? sign_in : NULL;
	/* One connection may have several terminals (ControlMaster): the sign-in was at one of them. */
	if (session_claim_sign_in(sessions, session->id, &place->terminal) < 0)
		return NULL; /* another one could have it, too, once the agent is restarted */
	return sign_in;
}

bool sudo_proof_has(const struct login_book *book, const struct directory *d, struct session_table *sessions,
		    const struct login_origin *origin, const struct place *place, uint64_t now_usec, int64_t realtime,
		    struct login_shortcut *ret)
{
	const struct session_proof *proof;
	const struct user_record *user;

	if (!sudo_proof_matters(d, origin))
		return false;
	user = directory_user_by_login(d, origin->user);
	if (directory_tenant(d, user->tenant_id)->sudo_proof == SUDO_PROOF_NONE) {
		*ret = (struct login_shortcut){.valid_from = user->sessions_valid_from};
		return true;
	}
	if (!place->session || place->session->ending || place->session->uid != user->uid ||
	    !text_equal(place->session->user_id, user->id) || !place->terminal.device)
		return false;
	proof = find_proof(book, d, sessions, origin, place, now_usec, realtime);
	if (!proof)
		return false;
	*ret = (struct login_shortcut){.valid_from = proof->valid_from};
	(void)snprintf(ret->credential, sizeof(ret->credential), "%s", proof->credential);
	return true;
}

void sudo_proof_given(const struct directory *d, struct session_table *sessions, const struct login_origin *origin,
		      const struct place *place, const struct login_verdict *verdict, uint64_t now_usec)
{
	struct session_proof proof = {.terminal = place->terminal, .at = now_usec};
	int r;

	if (verdict->reason != REASON_ALLOWED || !verdict->user || verdict->subject != verdict->user ||
	    !is_proof(verdict->credential) || !sudo_proof_matters(d, origin) || !place->session ||
	    !text_equal(place->session->user_id, verdict->user->id) || !place->terminal.device)
		return;
	proof.valid_from = verdict->user->sessions_valid_from;
	(void)snprintf(proof.credential, sizeof(proof.credential), "%s", verdict->credential);
	r = session_add_proof(sessions, place->session->id, &proof);
	if (r < 0)
		log_warning("a proof given to sudo will not outlive the agent: %s", strerrordesc_np(-r));
}

void sudo_proof_sign_in(const struct login_verdict *verdict, uint64_t now_usec, struct session *session)
{
	const char *credential = *verdict->origin ? verdict->origin : verdict->credential;

	if (!is_proof(credential) || !verdict->user || verdict->subject != verdict->user)
		return;
	session->sign_in.at = now_usec;
	session->sign_in.valid_from = verdict->user->sessions_valid_from;
	(void)snprintf(session->sign_in.credential, sizeof(session->sign_in.credential), "%s", credential);
}
