/* SPDX-License-Identifier: MIT
 *
 * Inside of the login book: the sign-ins under way and those that finished, by their tokens. Only the
 * files of this folder include it.
 */
#pragma once

#include "credential/credential.h"
#include "crypto/digest.h"
#include "login/login.h"
#include "login/qr.h"
#include "login/services.h"
#include "login/throttle.h"

#define LOGINS_MAX 4096U
#define ORIGIN_TEXT_SIZE 128 /* longer service names and addresses are cut; they are checked elsewhere */

struct login_entry {
	char token[LOGIN_TOKEN_CHARS + 1];
	uint32_t slot; /* its place in the book */
	uint64_t owner;
	uint64_t expires; /* boot time */
	bool finished;
	unsigned attempts;
	uint64_t last_answer; /* keyed hash of what was refused last; 0: nothing yet */
	struct throttle_key throttle;
	char login[NAME_MAX_BYTES + 1], user_id[ID_MAX_BYTES + 1];
	char service[ORIGIN_TEXT_SIZE], source[ORIGIN_TEXT_SIZE], terminal[ORIGIN_TEXT_SIZE],
		requesting_user[ORIGIN_TEXT_SIZE];
	bool has_qr; /* the program wants its pictures so: */
	enum qr_form qr;
	struct login_flow *flow; /* single sign-on was chosen (login/flow.h); NULL: not, or it is finished */
	/* finished: */
	char key_id[ID_MAX_BYTES + 1];
	uint8_t verifier[SHA256_BYTES];   /* of that key then: another key under its id is not this login's */
	struct credential_token access;   /* instead of a key */
	bool by_code;                     /* instead of either, or made by that key */
	bool by_shortcut;                 /* nothing was asked for */
	char proof[CREDENTIAL_NAME_SIZE]; /* why not, "": the tenant wants none; or what the code was made by, "": by
					     root */
	struct login_identity *identity;  /* instead of all of them: an identity provider's word (login/flow.h) */
	char credential[CREDENTIAL_NAME_SIZE];
	/* The person's sessions_valid_from when the credential was found good. Has it moved since, the sign-in was
	 * ended. No clock is asked: it is the control plane's second, rounded up, and this host's clock may lag or
	 * lead. */
	int64_t valid_from;
};

/* What credentials are checked with; valid as long as `room`. */
struct credential_context login_credentials(const struct login_book *book, const struct directory *d, int64_t realtime,
					    struct credential_providers *room);
struct codes;
struct codes *login_book_codes(struct login_book *book);
struct throttle *login_book_throttle(struct login_book *book);
struct audit *login_book_audit(struct login_book *book);
const struct freshness *login_book_freshness(const struct login_book *book);
const struct string_list *login_book_hours(const struct login_book *book);
bool login_book_admits(const struct login_book *book);
/* A new entry with a token of its own; when the book is full the oldest of the source with the most goes. 0, -ENOMEM,
 * or the kernel's word that it has no random bytes. */
int login_book_add(struct login_book *book, uint64_t expires, struct login_entry **ret);
struct login_entry *login_book_find(struct login_book *book, const char *token);
void login_book_remove(struct login_book *book, struct login_entry *entry);
/* It is finished: kept until `expires`, for any owner. */
void login_book_finish(struct login_book *book, struct login_entry *entry, uint64_t expires);
void login_book_expire_at(struct login_book *book, struct login_entry *entry, uint64_t expires);
struct login_entry *login_book_slot(struct login_book *book, uint32_t slot); /* NULL: free */

/* The throttle's and the audit's word for where an attempt comes from. */
struct throttle_key login_throttle_key(const struct login_origin *origin, const struct service_rule *rule);
/* Fills what origin and records say; the caller adds kind, reason and credential. */
struct audit_event login_event(const struct directory *d, const struct login_origin *origin,
			       const struct user_record *user);
/* Is the uid that the system gives for the name another than the directory's (or one of ours that it does not
 * have)? Says so in `detail`. `user`: the directory's record, NULL: none. */
#define LOGIN_DETAIL_SIZE 160
bool login_uid_differs(const struct user_record *user, const char *name, uint32_t uid, char *detail, size_t size);
/* The kinds of a sign-in, or of privilege use, by the service. */
enum audit_kind login_event_kind(const struct service_rule *rule, enum reason reason);
struct login_origin login_entry_origin(const struct login_entry *entry);
void login_write_refusal(struct login_book *book, const struct directory *d, const struct login_origin *origin,
			 const struct user_record *user, const struct service_rule *rule, enum reason reason,
			 const char *credential, const char *detail);
void login_reply_broken(struct login_reply *reply);
void login_reply_undecided(struct login_reply *reply, enum reason reason); /* one of the broken kind */
