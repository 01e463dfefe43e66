/* SPDX-License-Identifier: MIT
 *
 * One sign-in: prompts, the credential's check, throttling, then authorisation and what later stages
 * need to know. Knows nothing of sockets: the caller brings answers and carries out what comes back.
 *
 * Before the credential is proven every refusal reads the same, so nobody learns which keys, people or
 * roles exist; the precise reason goes to the audit. Afterwards (account stage) the person is told it.
 * The audit events of sign-ins and of keys shown are written in here.
 */
#pragma once

#include <sys/types.h>

#include "audit/audit.h"
#include "base/text.h"
#include "directory/directory.h"
#include "policy/policy.h"

#define LOGIN_TOKEN_CHARS 32 /* base62, random: what PAM carries from stage to stage */
#define LOGIN_MESSAGE_MAX 512
#define LOGIN_PROMPT_MAX 8192 /* with a QR picture */
#define LOGIN_UID_UNSAID UINT32_MAX

/* Why a sign-in needs no credential (login/sudo_proof.h). */
struct login_shortcut {
	char credential[96]; /* what was given before; "": the tenant wants none */
	int64_t valid_from;  /* the person's sessions_valid_from then */
};

struct login_book; /* the logins under way and the throttle */

/* Who signs in where, as the PAM module tells it. Strings may be "". */
struct login_origin {
	const char *user, *service, *source /* rhost */, *terminal, *requesting_user /* ruser */;
	/* What the system gave for the names of `user` and `requesting_user`: the program runs as that uid, whomever
	 * the directory means by the name meanwhile. When the two differ nothing can be decided. */
	uint32_t uid, requesting_uid; /* LOGIN_UID_UNSAID where nobody looked */
	const char *qr;               /* how a QR picture is drawn: "utf8", "ascii", "off"; "" or NULL: as usual here */
	const struct login_shortcut *shortcut; /* no credential is asked for; NULL: one is. Never the caller's word */
};

enum login_step {
	LOGIN_PROMPT, /* ask `text` (hidden unless echo), then login_answer */
	LOGIN_ALLOWED,
	LOGIN_DENIED, /* final: reason, message */
	LOGIN_BROKEN,
	LOGIN_PENDING, /* the reply comes later, by one of the functions of login/sso.h; nothing else is set */
};
struct login_reply {
	enum login_step step;
	enum reason reason; /* what may be told; the precise one is in the audit alone */
	bool echo;
	bool unknown_user;           /* not ours: PAM_USER_UNKNOWN */
	bool final;                  /* no further attempt in this conversation (PAM_MAXTRIES) */
	uint64_t delay_usec;         /* hold the reply back this long (failed attempts grow it) */
	char text[LOGIN_PROMPT_MAX]; /* prompt, or message for the person */
	char token[LOGIN_TOKEN_CHARS + 1];
};

int login_book_create(struct audit *audit, struct login_book **ret);
void login_book_destroy(struct login_book *book); /* takes NULL */
/* How fresh the word about each tenant is: borrowed until the next call. NULL: all come from files. */
void login_book_set_freshness(struct login_book *book, const struct freshness *freshness);
/* When this host itself lets people sign in: borrowed until the next call. NULL: always. */
void login_book_set_hours(struct login_book *book, const struct string_list *hours);
/* May anybody be let in as far as the audit goes? Where not, whoever would need a right is told REASON_AUDIT_FULL; root
 * is not asked. NULL: always. */
void login_book_set_admission(struct login_book *book, bool (*admits)(void *context), void *context);

/* A number for the person, or terminal, at this host's own su, sudo or console whose sign-in it is; 0: it comes from
 * elsewhere. */
uint64_t login_local_place(const struct login_origin *origin);
/* Starts; `owner` is an opaque tag of the connection, for login_cancel_owner. */
void login_start(struct login_book *book, const struct directory *d, const struct login_origin *origin, uint64_t owner,
		 uint64_t now_usec, int64_t realtime, struct login_reply *ret);
/* Gives the answer to a prompt. `secret` is the caller's to wipe. Only the owner may. */
void login_answer(struct login_book *book, const struct directory *d, const char *token, uint64_t owner,
		  const char *secret, size_t length, uint64_t now_usec, int64_t realtime, struct login_reply *ret);
/* The connection went away: its unfinished logins end (finished ones stay for later stages), and so does what was begun
 * for them at identity providers. */
void login_cancel_owner(struct login_book *book, uint64_t owner, uint64_t now_usec);

/* Account stage: decides whatever signed the person in. `token` "" when no API key did. */
struct login_authorize {
	struct login_origin origin;
	const char *token;
	const char *ssh_auth_info; /* SSH_AUTH_INFO_0, "" */
	bool again;                /* session stage: decided anew, but a yes was written to the audit already */
};
struct login_verdict {
	enum reason reason;
	bool unknown_user;
	char message[LOGIN_MESSAGE_MAX];   /* for the person; "" when nothing needs saying */
	char warning[LOGIN_MESSAGE_MAX];   /* allowed, but: "this key ends in 3 days …" */
	const struct user_record *user;    /* in `d`: whose session it is */
	const struct user_record *subject; /* whose right was asked (sudo: who asked for it); NULL: root's */
	const struct project_record *project;
	const struct tenant_record *tenant;
	const char *role;
	bool stale;          /* decided without fresh word of the tenant's control plane */
	char credential[96]; /* as in audit_event */
	char key_id[ID_MAX_BYTES + 1];
	char origin[96];                 /* of a one-time code: the credential that it was made by; "" */
	char provider[ID_MAX_BYTES + 1]; /* the identity provider behind an "sso:" or "token:" credential; "" */
};
void login_authorize(struct login_book *book, const struct directory *d, const struct login_authorize *request,
		     uint64_t now_usec, int64_t realtime, struct login_verdict *ret);
/* Forgets a finished login (session opened, or pam_end). */
void login_forget(struct login_book *book, const char *token);
/* When login_tick (and login_flow_tick, before it) wants to run next (boot time), 0: never. Drops what is too old. */
uint64_t login_next_tick(const struct login_book *book);
void login_tick(struct login_book *book, uint64_t now_usec);

/* A key shown by a local service (VerifyCredential): who, and why not. What fails is throttled by `caller_uid`, and
 * where the caller is trusted by the source that it tells; a right key is never refused for what failed before. */
struct credential_check {
	const char *credential;
	size_t length;
	const char *project, *action, *service, *source; /* "" where not asked */
	uid_t caller_uid;
	bool trusted; /* root or a named service: may ask about others, and its word about service and source counts */
};
struct credential_verdict {
	enum reason reason;
	const struct user_record *user; /* NULL when the credential is not good */
	const struct key_record *key;
	const struct project_record *project;
	const struct tenant_record *tenant;
	const char *role;
	bool stale;          /* decided without fresh word of the tenant's control plane */
	const char *message; /* instead of the reason's own sentence; NULL */
	char warning[LOGIN_MESSAGE_MAX];
};
void credential_verify(struct login_book *book, const struct directory *d, const struct credential_check *check,
		       uint64_t now_usec, int64_t realtime, struct credential_verdict *ret);
