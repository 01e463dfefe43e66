/* SPDX-License-Identifier: MIT
 *
 * SHA-256 of what comes in pieces.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "crypto/digest.h"

struct sha256_stream;

int sha256_stream_new(struct sha256_stream **ret); /* 0, -ENOMEM, -EIO */
int sha256_stream_add(struct sha256_stream *stream, const void *data, size_t length);
int sha256_stream_end(struct sha256_stream *stream, uint8_t out[SHA256_BYTES]); /* once; then only free */
void sha256_stream_free(struct sha256_stream *stream);                          /* takes NULL */
DEFINE_CLEANUP(struct sha256_stream, sha256_stream_free)
