/* SPDX-License-Identifier: MIT
 *
 * The rules of single values in records, in one place for files, feeds and the control plane: what a value may be,
 * and what to write instead of one that is refused.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/parse.h"
#include "base/problem.h"
#include "crypto/digest.h"
#include "records/records.h"

enum value_kind {
	VALUE_ID,
	VALUE_REFERENCE, /* an id of another record */
	VALUE_SLUG,
	VALUE_LOGIN,
	VALUE_NAME, /* goes into passwd: printable, no ':' */
	VALUE_TEXT,
	VALUE_EMAIL,
	VALUE_HOME,
	VALUE_SHELL,
	VALUE_ROLE,
	VALUE_WORD,
	VALUE_ROLE_ACTION,  /* of a role that a tenant defines */
	VALUE_HOST_PATTERN, /* a host name, or the beginning of one and '*' */
	VALUE_SSH_KEY,
	VALUE_HOURS,
	VALUE_ISSUER, /* of an identity provider: an https URL */
	VALUE_SUBJECT,
	VALUE_CLIENT_ID,
	VALUE_CLIENT_SECRET, /* secret */
	VALUE_CLIENT_KEY,    /* a private JWK; secret */
	VALUE_SCOPE,
	VALUE_CLAIM,  /* one that a token must have: acr, amr, an audience */
	VALUE_DOMAIN, /* of e-mail addresses */
};

/* Why a value is refused. */
struct value_fault {
	char what[128]; /* after "is": "not a slug" */
	char remedy[PROBLEM_TEXT_MAX];
	bool secret; /* the value is not to be shown */
};

#define VALUE_HOME_MAX 256U /* with NUL */
#define VALUE_WARN_DAYS_MAX 3650U
#define VALUE_LIST_MAX 4096U /* items of one list */

/* 0; -EINVAL with the fault. `text` is terminated and has no NUL inside. */
int value_check(enum value_kind kind, const char *text, size_t length, struct value_fault *fault);
int value_cidr(const char *text, struct cidr *ret, struct value_fault *fault);
int value_verifier(const char *text, uint8_t ret[SHA256_BYTES], struct value_fault *fault);
int value_managed_id(uint32_t value, struct value_fault *fault);
/* Of a choice: the number of the word. `words` ends in NULL. */
int value_choice(const char *text, const char *const *words, uint32_t *ret, struct value_fault *fault);
/* "login" is not a login name …: "x". -EINVAL. */
int value_refuse(struct problem *problem, const char *field, const char *text, size_t length,
		 const struct value_fault *fault);

/* Words of choices, in the order of their enums; NULL at the end. */
extern const char *const value_status_words[];      /* false or USER_ACTIVE: "active" */
extern const char *const value_user_kind_words[];   /* enum user_kind */
extern const char *const value_ssh_keys_words[];    /* enum ssh_key_policy */
extern const char *const value_role_kind_words[];   /* tenant_wide */
extern const char *const value_level_words[];       /* enum group_level */
extern const char *const value_sudo_words[];        /* enum sudo_proof */
extern const char *const value_over_words[];        /* enum session_over */
extern const char *const value_idp_kind_words[];    /* enum idp_kind */
extern const char *const value_client_auth_words[]; /* enum idp_client_auth */
extern const char *const value_bind_words[];        /* enum idp_bind */
