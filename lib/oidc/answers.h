/* SPDX-License-Identifier: MIT
 *
 * What providers answer: device authorization (RFC 8628, 3.2), tokens and errors (RFC 6749, 5.1 and 5.2; RFC
 * 8628, 3.5), GitHub's user. Everything that reaches a terminal is checked for control characters and length here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/problem.h"
#include "jose/jws_verify.h"

#define OIDC_ANSWER_MAX 65536U
#define OIDC_DEVICE_CODE_MAX 2048U

struct device_answer {
	char device_code[OIDC_DEVICE_CODE_MAX]; /* secret */
	char user_code[64];                     /* printable ASCII */
	char uri[256];                          /* https, printable ASCII */
	char uri_complete[512];                 /* with the code in it; "" where the provider gives none */
	uint32_t expires_in;                    /* seconds; at most an hour is taken */
	uint32_t interval;                      /* seconds, 1 to 60; 5 where none is said */
};
/* 0; -EINVAL; -EACCES: the provider refused, with its own word in the problem. Accepts "verification_url" (Google). */
int device_answer_parse(unsigned status, const char *text, size_t length, struct device_answer *ret,
			struct problem *problem);

enum token_outcome {
	TOKEN_GRANTED,
	TOKEN_PENDING,   /* authorization_pending */
	TOKEN_SLOW_DOWN, /* five seconds more between polls */
	TOKEN_DENIED,    /* access_denied: the person said no */
	TOKEN_EXPIRED,   /* expired_token */
	TOKEN_REFUSED,   /* another error: the operator's matter; word and description are there */
	TOKEN_AGAIN,     /* 429, 5xx, "temporarily_unavailable": as if it had not been asked */
	TOKEN_UNREADABLE,
};
struct token_answer {
	enum token_outcome outcome;
	char id_token[JWS_BYTES_MAX + 1], access_token[JWS_BYTES_MAX + 1]; /* secret; "" */
	char error[64], description[256];
};
void token_answer_parse(unsigned status, const char *text, size_t length, struct token_answer *ret);

/* GitHub's user API (GET /user) and its list of addresses (GET /user/emails): the numeric id is the subject; the
 * address is the primary one, and verified where GitHub says so. `emails` may be NULL: no address. 0; -EINVAL. */
struct oidc_identity;
int github_user_parse(const char *user, size_t user_length, const char *emails, size_t emails_length,
		      const char *issuer, struct oidc_identity *ret, struct problem *problem);
