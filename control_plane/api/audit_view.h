/* SPDX-License-Identifier: MIT
 *
 * What all readings of a log have in common: filters, that they see what was committed before, and that reading is
 * itself written down in the log that was read, before the answer leaves.
 */
#pragma once

#include "control_plane/audit/reading.h"
#include "control_plane/http/router.h"

/* ?since= &until= &actor= &project= &host= &class= &kind= &outcome= &person= &id= . 0; 1: a problem was set. */
int audit_view_filter(struct request *request, struct audit_filter *ret);
/* Ends the request's transaction and begins another one, after all that waits for its place has one. */
int audit_view_refresh(struct request *request, const char *log_id);
/* Writes that the caller read: `kind` "audit.view" or "audit.export". In a transaction of its own, committed on return;
 * the request's is ended and begun anew. The same reading by the same caller is written once a minute. */
int audit_view_tell(struct request *request, const char *log_id, const char *kind);
/* The same in another log than the one that is read: one that has ended takes nothing more. */
int audit_view_tell_in(struct request *request, const char *told_in, const char *log_id, const char *kind);
/* An entry as the API shows it. NULL: out of memory. */
json_t *audit_view_entry(const struct audit_row *row);
