/* SPDX-License-Identifier: MIT
 *
 * Making signed tokens in compact form (RFC 7515), with libjose.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "base/buffer.h"

/* Appends the token. `key`: a private JWK; `header` as it is to stand there, with an "alg" that fits the key. 0;
 * -EMSGSIZE: longer than `most`; -EIO: the key does not sign; -ENOMEM. */
int jws_sign(const json_t *key, const json_t *header, const json_t *claims, size_t most, struct buffer *ret);
