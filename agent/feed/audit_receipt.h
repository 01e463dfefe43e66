/* SPDX-License-Identifier: MIT
 *
 * The last receipt, kept as it came: what the control plane cannot take back. Rests sealed in <state>/audit.receipt.
 */
#pragma once

#include "crypto/seal.h"
#include "trail/chain.h"

#define AUDIT_RECEIPT_BYTES_MAX 4096U /* of a note, with NUL */

/* 0; -ENOENT: none is kept; -EBADMSG: what is kept cannot be used, or is not by that key. */
int audit_receipt_load(const char *state_dir, const struct seal_key *key, const struct note_key *authority,
		       struct receipt *ret);
int audit_receipt_store(const char *state_dir, const struct seal_key *key, const char *note);
void audit_receipt_wipe(const char *state_dir);
