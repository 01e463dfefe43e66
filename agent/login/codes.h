/* SPDX-License-Identifier: MIT
 *
 * One-time sign-in codes, for programs that ask for a password and can show nothing (JupyterHub). Somebody who is
 * signed in gets one here and types it there.
 *
 * - In this agent's memory alone, as digests: a code is good on the host that made it, and ends with the agent.
 * - One for each person. A new one takes the place of the old, so a code that was seen by others can be ended.
 * - It is taken by the first right answer, and by nothing else: not by wrong guesses, nor by somebody else's name or at
 *   another service than it was made for. So nobody can use up what they cannot use. Guesses are throttled as those of
 *   keys are, against 60 random bits.
 * - It is worth no more than what its session began with: it ends with that key, and has that key's scope.
 * - It proves less than a key: what has it came from a session, and a program in that session could fetch one as well
 *   as its owner. So sudo takes none, a sign-in by code is no fresh proof for sudo, and a session that began with a
 * code makes no further ones: a code that is bound to one service never becomes one for all, and one code that was seen
 *   is one session and not a chain of them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "credential/code.h"
#include "credential/credential.h"
#include "login/login.h"

#define CODES_MAX 4096U      /* at once; a further one is refused, since another's would have to go */
#define CODE_SERVICE_SIZE 49 /* text_is_word, and a NUL */
#define CODE_NAME_PREFIX "code:"
#define CODE_NAME_SIZE 16 /* "code:" and eight characters that name it in the audit; not secret */

struct codes;
int codes_create(struct codes **ret);
void codes_destroy(struct codes *codes); /* takes NULL */
DEFINE_CLEANUP(struct codes, codes_destroy)

struct code_made {
	char text[CODE_TEXT_SIZE]; /* secret: the caller wipes it */
	char name[CODE_NAME_SIZE];
};
/* `service` "": any. `origin`: what the session began with that it was made in, or "". 0; -ENOSPC: CODES_MAX; -ENOMEM;
 * -EIO. On failure the user's old code is as good as it was. */
int codes_make(struct codes *codes, const struct user_record *user, const char *service, const char *origin,
	       uint64_t expires, uint64_t now_usec, struct code_made *ret);

enum code_outcome {
	CODE_RIGHT,         /* and it is gone */
	CODE_NONE,          /* this user has none, or it is another one */
	CODE_TOO_OLD,       /* it was that one */
	CODE_OTHER_SERVICE, /* it is that one, and stays */
	CODE_ENDED,         /* it was that one; the person's sign-ins were ended since, or what it was made by */
	CODE_BROKEN,
};
const char *code_outcome_text(enum code_outcome outcome); /* for the audit */
/* Takes the same time for a user without a code and a wrong one. `ret` is filled in where the code is known. */
struct code_used {
	char name[CODE_NAME_SIZE];
	char origin[CREDENTIAL_NAME_SIZE];
};
enum code_outcome codes_use(struct codes *codes, const struct user_record *user, const char *service, const char *text,
			    size_t length, uint64_t now_usec, struct code_used *ret);
/* The user's code, if there is one, is over. */
void codes_drop(struct codes *codes, const char *user_id);
uint64_t codes_next_tick(const struct codes *codes); /* boot time; 0: there are none */
void codes_tick(struct codes *codes, uint64_t now_usec);
uint32_t codes_count(const struct codes *codes);

/* What the conversation does with an answer of this shape: as credential_check, with `user` set when it is good, and
 * `key` where the code came from one, and
 * entry->proof what it came from. The sentence for the person, where the usual one does not do, or NULL. */
struct login_entry;
const char *login_code_check(struct login_book *book, const struct directory *d, const struct user_record *user,
			     struct login_entry *entry, const char *text, size_t length, uint64_t now_usec,
			     int64_t realtime, struct credential_result *result, const char **ret_detail);

/* Somebody asks for a code. */
struct code_request {
	const struct user_record *user;
	const char *service; /* "": any */
	uint64_t lifetime_usec;
	uint32_t caller_uid, caller_pid;
	/* The caller's own session, as the kernel shows it; NULL: none. Not asked of whom the operator trusts. */
	const char *session_credential, *session_id;
	const char *session_user_id; /* whose it is: a uid may be somebody else's by now */
	int64_t session_valid_from;  /* the person's sessions_valid_from when it was opened */
	bool trusted;
};
struct code_verdict {
	enum reason reason; /* REASON_ALLOWED: `made` */
	char message[LOGIN_MESSAGE_MAX];
	struct code_made made;
};
void login_make_code(struct login_book *book, const struct directory *d, const struct code_request *request,
		     uint64_t now_usec, int64_t realtime, struct code_verdict *ret);
/* The person's session was ended by somebody: what they took out of it a moment ago ends, too. */
void login_drop_code(struct login_book *book, const char *user_id);
