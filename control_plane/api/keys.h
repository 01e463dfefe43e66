/* SPDX-License-Identifier: MIT
 *
 * API keys: what reading and making them (keys.c) and ending them (key_changes.c) share.
 */
#pragma once

#include "control_plane/api/key_sql.h"

/* A new key's id and text; the text is wiped by the caller. 0 or -errno. */
struct new_key {
	const char *id;
	char text[96];
	const char *verifier; /* as a parameter */
};
int keys_make(struct request *request, const char *owner_kind, struct new_key *ret);
/* 201 with the view and the secret, this once. */
int keys_respond_new(struct request *request, const struct new_key *key, const struct db_rows *rows);
/* Whose keys the caller may see: "" everybody's, else their own id. */
const char *keys_owner_filter(const struct request *request);
