/* SPDX-License-Identifier: MIT
 *
 * Certificates: one that is signed by itself, for a control plane that has no other yet, and what one says.
 */
#pragma once

#include <stdint.h>

#include "base/buffer.h"
#include "base/problem.h"

/* P-256, for the host of `url`, for ten years. PEM. */
int certificate_make(const char *url, struct buffer *ret_certificate, struct buffer *ret_key, struct problem *problem);
/* The first certificate of a PEM file: its last second, whether it is for the host of `url`, and whether the key file
 * is its own. */
struct certificate_facts {
	int64_t not_after;
	bool for_host, own_key;
};
int certificate_read(const char *certificate_path, const char *key_path, const char *url, struct certificate_facts *ret,
		     struct problem *problem);
