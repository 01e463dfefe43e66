/* SPDX-License-Identifier: MIT
 *
 * What providers are sent: forms for the device and token endpoints, and how the client proves itself (RFC 6749, 2.3.1;
 * RFC 7523; RFC 7636).
 */
#pragma once

#include "base/buffer.h"
#include "oidc/client.h"
#include "oidc/endpoints.h"

#define PKCE_VERIFIER_CHARS 43

/* One sign-in's own secrets. The owner wipes it. */
struct oidc_secrets {
	char verifier[PKCE_VERIFIER_CHARS + 1]; /* "" without PKCE */
	char nonce[33]; /* sent where the provider takes one; an ID token that has one must have it */
};
int oidc_secrets_make(const struct oidc_endpoints *endpoints, struct oidc_secrets *ret);

struct oidc_form {
	struct buffer body;          /* application/x-www-form-urlencoded; may hold secrets */
	struct buffer authorization; /* the header's value ("Basic …"); empty: none. Secret */
};
void oidc_form_finish(struct oidc_form *form); /* wipes */
/* 0; -EINVAL: the client's key cannot be used, with the problem; -ENOMEM. `now`: for the assertion's times. */
int oidc_device_form(const struct oidc_client *client, const struct oidc_endpoints *endpoints,
		     const struct oidc_secrets *secrets, int64_t now, struct oidc_form *ret, struct problem *problem);
int oidc_token_form(const struct oidc_client *client, const struct oidc_endpoints *endpoints,
		    const struct oidc_secrets *secrets, const char *device_code, int64_t now, struct oidc_form *ret,
		    struct problem *problem);
