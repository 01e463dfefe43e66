/* SPDX-License-Identifier: MIT
 *
 * The calling half: one blocking connection with deadlines. Not thread-safe; no descriptor leaks into
 * children (CLOEXEC); never raises SIGPIPE. What went out and came in is wiped.
 */
#pragma once

#include <stdint.h>

#include "varlink/varlink.h"

struct varlink_client;

/* Connects to a UNIX socket within the time. 0; -ETIMEDOUT, -ENOENT, -ECONNREFUSED … */
int varlink_client_connect(const char *path, uint64_t timeout_usec, struct varlink_client **ret);
void varlink_client_destroy(struct varlink_client *client); /* takes NULL */
DEFINE_CLEANUP(struct varlink_client, varlink_client_destroy)
int varlink_client_fd(const struct varlink_client *client); /* to poll for hang-up; do not read */

/* The outgoing buffer, for varlink_call_begin/_end; then varlink_client_exchange sends it and reads
 * one reply. 0: a reply (success or error reply) is in ret; -ETIMEDOUT; -ECONNRESET; -EBADMSG. After
 * any failure the connection is unusable and every later call gives -ENOTCONN. */
struct buffer *varlink_client_outgoing(struct varlink_client *client);
int varlink_client_exchange(struct varlink_client *client, uint64_t timeout_usec, struct varlink_reply *ret);
/* Reads one further reply of a `more` call. */
int varlink_client_next(struct varlink_client *client, uint64_t timeout_usec, struct varlink_reply *ret);
/* Is a whole reply already here, so that varlink_client_next will not wait? */
bool varlink_client_has_frame(const struct varlink_client *client);
/* Frees without closing the descriptor: for when its number belongs to somebody else by now. Takes NULL. */
void varlink_client_abandon(struct varlink_client *client);
