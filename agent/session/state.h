/* SPDX-License-Identifier: MIT
 *
 * A session's state file: "<dir>/<id>.json", one strict JSON object, 0600, replaced whole.
 */
#pragma once

#include "base/problem.h"
#include "session/session.h"

int session_state_write(int dirfd, const struct session *session);
int session_state_remove(int dirfd, const char *id);
/* Reads "<id>.json". 0 and a session whose strings the caller frees (session_free_strings); -EINVAL or
 * -EBADMSG with `problem`: not one of ours or damaged; -ESTALE: of another boot. */
int session_state_read(int dirfd, const char *id, struct session *ret, struct problem *problem);
void session_free_strings(struct session *session);

/* An id is SESSION_ID_CHARS letters and digits. */
bool session_id_is_valid(const char *id, size_t length);
