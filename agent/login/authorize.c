/* SPDX-License-Identifier: MIT
 *
 * The account stage: whatever let somebody in, may they be here, now, from there, by this service?
 */
#include <stdio.h>
#include <string.h>

#include "audit/user_event.h"
#include "base/macros.h"
#include "base/parse.h"
#include "base/text.h"
#include "credential/bearer.h"
#include "credential/token.h"
#include "login/flow.h"
#include "login/question.h"
#include "login/ssh_proof.h"
#include "login/standing.h"

/* Everything one decision needs, gathered once. */
struct stage {
	const struct directory *d;
	const struct login_authorize *request;
	const struct service_rule *rule;
	const struct user_record *user, *subject;
	const struct key_record *key;
	int64_t now;
	bool by_root;                     /* root asked, whom nobody here refuses */
	bool ended;                       /* their sign-ins were, since the credential was given */
	bool proof_to_come;               /* sshd names the public key at the session stage only */
	char mistaken[LOGIN_DETAIL_SIZE]; /* a name is one person to the system, another to the directory */
};

/* Whose right is asked. Root and local accounts who become one of ours by sudo were let by the local
 * sudoers, which are not ours to judge; their sudo reaches here only when it opens the session. */
static void find_subject(struct stage *s)
{
	const char *requester = s->request->origin.requesting_user;
	const struct user_record *asking = *requester ? directory_user_by_login(s->d, requester) : NULL;

	s->subject = s->user;
	if (s->rule->root_may && strcmp(requester, "root") == 0)
		s->by_root = true;
	else if (s->rule->of_requester && *requester) {
		s->subject = asking;
		s->by_root = !asking;
	}
	if (s->by_root)
		s->subject = NULL;
}

/* A name carries no right from one uid to another: the map may be older than the directory (a full /run), or
 * somebody else's /etc/passwd entry stand before ours. */
static void find_mistake(struct stage *s)
{
	const struct login_origin *origin = &s->request->origin;
	const char *requester = origin->requesting_user;

	if (!login_uid_differs(s->user, origin->user, origin->uid, s->mistaken, sizeof(s->mistaken)) &&
	    s->rule->of_requester && *requester)
		(void)login_uid_differs(directory_user_by_login(s->d, requester), requester, origin->requesting_uid,
					s->mistaken, sizeof(s->mistaken));
}

static enum reason token_stands(const struct login_book *book, const struct stage *s,
				const struct credential_token *token)
{
	struct credential_providers providers;
	struct credential_context context = login_credentials(book, s->d, s->now, &providers);
	enum reason reason = token_in_force(s->d, s->user, token, s->now);

	if (reason == REASON_ALLOWED && *token->idp_id)
		reason = bearer_stands(&context, s->user, token);
	return reason;
}

/* sudo was let go on without asking. For a proof's key its scope counts, as if it had been given now. */
static enum reason shortcut_stands(const struct login_book *book, struct stage *s, const struct login_entry *entry)
{
	const struct tenant_record *tenant = directory_tenant(s->d, s->user->tenant_id);

	if (!tenant || s->subject != s->user || !s->rule->of_requester)
		return REASON_LOGIN_EXPIRED;
	if (!*entry->proof)
		return tenant->sudo_proof == SUDO_PROOF_NONE ? REASON_ALLOWED : REASON_LOGIN_EXPIRED;
	if (tenant->sudo_proof == SUDO_PROOF_ALWAYS)
		return REASON_LOGIN_EXPIRED;
	return credential_stands(book, s->d, s->user, entry->proof, "", s->now, &s->key);
}

/* The login that the token names: whose it is, and that its key, or access token, still stands. */
static enum reason check_token(struct login_book *book, struct stage *s, uint64_t now_usec,
			       struct login_verdict *verdict)
{
	const struct login_entry *entry = login_book_find(book, s->request->token);

	if (!entry || !entry->finished || entry->expires <= now_usec || !text_equal(entry->user_id, s->user->id) ||
	    !text_equal(entry->service, s->request->origin.service))
		return REASON_LOGIN_EXPIRED;
	snprintf(verdict->credential, sizeof(verdict->credential), "%s", entry->credential);
	snprintf(verdict->key_id, sizeof(verdict->key_id), "%s", entry->key_id);
	s->ended = s->user->sessions_valid_from > entry->valid_from;
	if (entry->by_code)
		snprintf(verdict->origin, sizeof(verdict->origin), "%s", entry->proof);
	if (entry->by_shortcut)
		return shortcut_stands(book, s, entry);
	if (entry->by_code && !*entry->key_id) /* a code by somebody whom the operator trusts with others' is its own */
		return *entry->proof ? credential_stands(book, s->d, s->user, entry->proof, "", s->now, &s->key)
				     : REASON_ALLOWED;
	if (entry->identity) {
		snprintf(verdict->provider, sizeof(verdict->provider), "%s", entry->identity->idp_id);
		return login_identity_stands(book, s->d, s->user, entry->identity);
	}
	if (*entry->access.id) {
		snprintf(verdict->provider, sizeof(verdict->provider), "%s", entry->access.idp_id);
		return token_stands(book, s, &entry->access);
	}
	s->key = directory_key(s->d, entry->key_id);
	if (!s->key || memcmp(s->key->verifier, entry->verifier, sizeof(entry->verifier)) != 0 ||
	    !text_equal(s->key->user_id, entry->user_id)) {
		s->key = NULL;
		return REASON_KEY_REVOKED; /* gone since, or another key now */
	}
	return policy_key_in_force(s->key, s->now);
}

/* What proves that it is them: our own login, sshd's word about public keys, or the service's nature. */
static enum reason check_proof(struct login_book *book, struct stage *s, uint64_t now_usec,
			       struct login_verdict *verdict)
{
	const struct tenant_record *tenant = directory_tenant(s->d, s->user->tenant_id);
	const char *auth_info = s->request->ssh_auth_info ? s->request->ssh_auth_info : "";

	snprintf(verdict->credential, sizeof(verdict->credential), "none");
	if (s->request->token && *s->request->token)
		return check_token(book, s, now_usec, verdict);
	if (!s->rule->needs_proof && !*auth_info)
		return REASON_ALLOWED;
	/* sshd's monitor runs the account stage before it writes down the method that has just succeeded, so all but
	 * the proof is decided here, and everything again at the session stage. */
	s->proof_to_come = !*auth_info && !s->request->again;
	if (s->proof_to_come)
		return REASON_ALLOWED;
	if (!tenant)
		return REASON_BROKEN;
	return ssh_proof_check(tenant, s->user, auth_info, verdict->credential, sizeof(verdict->credential));
}

static void decide(struct login_book *book, struct stage *s, uint64_t now_usec, struct login_verdict *verdict)
{
	const struct login_origin *origin = &s->request->origin;
	/* A key typed for sudo by somebody else's name (targetpw) limits only its owner's rights. */
	bool own_key = s->key && s->subject && text_equal(s->key->user_id, s->subject->id);
	struct policy_request request = login_question(book, s->rule, origin, now_usec, s->now);
	struct policy_decision decision;

	request.user = s->subject ? s->subject : s->user;
	request.key = own_key ? s->key : NULL;
	request.sign_in_ended = s->ended;
	policy_decide(s->d, &request, &decision);
	verdict->reason = decision.reason;
	verdict->tenant = decision.tenant;
	verdict->project = decision.project;
	verdict->role = decision.role;
	verdict->stale = decision.stale;
	if (!s->by_root)
		return;
	if (decision.reason != REASON_ALLOWED) {
		verdict->project = NULL;
		verdict->role = NULL;
	}
	verdict->reason = REASON_ALLOWED;
}

static void say(const struct stage *s, struct login_verdict *verdict)
{
	bool sudo = strcmp(s->rule->action, "host.sudo") == 0;
	const struct tenant_record *tenant = verdict->tenant;

	switch ((int)verdict->reason) {
	case REASON_ALLOWED:
		if (s->key)
			policy_key_warning(s->d, s->key, s->now, verdict->warning, sizeof(verdict->warning));
		break;
	case REASON_ROLE_TOO_LOW:
		snprintf(verdict->message, sizeof(verdict->message),
			 "your role (%s) in the project %s/%s does not allow %s on this host; ask a project owner",
			 verdict->role ? verdict->role : "none", tenant ? tenant->slug : "?",
			 verdict->project ? verdict->project->slug : "?", sudo ? "sudo" : "signing in");
		break;
	default:
		snprintf(verdict->message, sizeof(verdict->message), "%s", reason_text(verdict->reason));
	}
}

static void write_verdict(struct login_book *book, const struct stage *s, const struct login_verdict *verdict)
{
	struct audit_event event = login_event(s->d, &s->request->origin, s->subject ? s->subject : s->user);

	/* A yes is written once: at the account stage, or where the proof came. The person's own service manager is
	 * no news. */
	bool again = s->request->again && (!s->rule->needs_proof || (s->request->token && *s->request->token));

	if (verdict->reason == REASON_ALLOWED && (again || s->proof_to_come || s->rule->implied))
		return;
	event.kind = login_event_kind(s->rule, verdict->reason);
	event.reason = verdict->reason;
	event.action = s->rule->action;
	event.credential = verdict->credential;
	audit_about_project(&event, verdict->project);
	event.role = verdict->role;
	event.stale = verdict->stale && !s->by_root;
	if (s->by_root)
		event.detail = "by root or a local account";
	if (*s->mistaken)
		event.detail = s->mistaken;
	if (s->rule->privilege) {
		bool to_root = s->rule->of_requester && s->subject == s->user;

		event.target_user = to_root ? "root" : s->user->login;
		event.target_user_id = to_root ? NULL : s->user->id;
		if (!s->rule->of_requester && *s->request->origin.requesting_user)
			audit_asked_by(&event, s->d, s->request->origin.requesting_user);
	}
	audit_write(login_book_audit(book), &event);
}

void login_authorize(struct login_book *book, const struct directory *d, const struct login_authorize *request,
		     uint64_t now_usec, int64_t realtime, struct login_verdict *ret)
{
	struct login_verdict verdict = {.reason = REASON_BROKEN};
	struct stage s = {.d = d, .request = request, .rule = service_rule(request->origin.service), .now = realtime};

	login_tick(book, now_usec);
	s.user = d ? directory_user_by_login(d, request->origin.user) : NULL;
	if (!d) {
		snprintf(verdict.message, sizeof(verdict.message), "%s", reason_text(REASON_BROKEN));
	} else if (!s.user) {
		verdict.reason = REASON_UNKNOWN_USER;
		verdict.unknown_user = true;
	} else {
		find_subject(&s);
		find_mistake(&s);
		if (*s.mistaken)
			verdict.reason = REASON_BROKEN;
		else if (!s.by_root && !login_book_admits(book))
			verdict.reason = REASON_AUDIT_FULL;
		else
			verdict.reason = s.by_root ? REASON_ALLOWED : check_proof(book, &s, now_usec, &verdict);
		if (s.by_root)
			snprintf(verdict.credential, sizeof(verdict.credential), "none");
		verdict.user = s.user;
		verdict.subject = s.subject;
		verdict.tenant = directory_tenant(d, s.user->tenant_id);
		if (verdict.reason == REASON_ALLOWED)
			decide(book, &s, now_usec, &verdict);
		say(&s, &verdict);
		write_verdict(book, &s, &verdict);
		/* The right was the requester's; the session is the other one's, who has no part in that project by it.
		 */
		if (verdict.reason == REASON_ALLOWED && s.subject && s.subject != s.user) {
			verdict.tenant = directory_tenant(d, s.user->tenant_id);
			verdict.project = NULL;
			verdict.role = NULL;
		}
	}
	*ret = verdict;
}
