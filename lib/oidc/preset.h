/* SPDX-License-Identifier: MIT
 *
 * How the kinds of providers differ. docs/single-sign-on.md says where each of this is written.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "records/records.h"

struct oidc_preset {
	const char *scope;      /* asked for where the record says nothing */
	bool id_tokens;         /* has discovery and ID tokens */
	bool extras;            /* takes nonce, acr_values, max_age and PKCE with a device's request */
	bool proves_at_device;  /* the client proves itself at the device endpoint, too, and not at the token's alone */
	bool audience_is_token; /* assertions (RFC 7523) are for the token endpoint's address; else for the issuer */
	bool needs_nonce;       /* its ID tokens repeat the nonce that was sent; others may leave it out */
};
const struct oidc_preset *oidc_preset(enum idp_kind kind);
/* The directory's id in an issuer of Microsoft's: https://login.microsoftonline.com/<id>/v2.0 or the same of another of
 * its clouds. False: it is none ("common" …). */
bool oidc_microsoft_directory(const char *issuer, const char **ret, size_t *ret_length);
