/* SPDX-License-Identifier: MIT
 *
 * How a client proves itself by a key of its own (RFC 7523, section 2.2; "private_key_jwt").
 */
#pragma once

#include <stdint.h>

#include "base/buffer.h"
#include "base/problem.h"

#define ASSERTION_LIFETIME_SEC 60

/* Appends a fresh one. `client_key`: a private JWK, P-256 or RSA. 0; -EINVAL: the key cannot be used, with the problem;
 * -ENOMEM, -EIO. */
int assertion_make(const char *client_key, const char *client_id, const char *audience, int64_t now, struct buffer *ret,
		   struct problem *problem);
