/* SPDX-License-Identifier: MIT
 *
 * What sudo wants to see before it acts, beside the right itself, as the tenant has it (`sudo:` of its record):
 *
 * always   a credential each time.
 * recent   none where a person proved no longer ago than `within`, in the same session and at the same terminal, who
 * they are: to sudo, or (where the front end gave that terminal: sshd, a console) by the sign-in itself. none nothing.
 *
 * Session and terminal are what the kernel shows of the process that asks (session/place.h), not what it says. Whatever
 * is unclear asks: no session (cron, a user's service manager), no terminal (`ssh host sudo`), a shell within su, sudo
 * for somebody else than the one who asks (targetpw). A terminal that a program opened for itself (tmux, script) has
 * proofs of its own, and never the sign-in's: the person did not sign in there, and what did may be any program.
 *
 * A proof is an event and not a lease: sudo without one does not make it younger. It ends with the session, with the
 * credential it was given by (a revoked key), and when the person's sign-ins are ended; a one-time code is none. It is
 * never worth more than its credential: a key whose scope leaves out host.sudo proves nothing here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "login/login.h"
#include "session/place.h"

/* Is it sudo that asks, and of a person who asks for themself? Only then there is anything to look up. */
bool sudo_proof_matters(const struct directory *d, const struct login_origin *origin);
/* True: no credential needs to be asked for, and why, for login_origin. `place`: of whoever asks. */
bool sudo_proof_has(const struct login_book *book, const struct directory *d, struct session_table *sessions,
		    const struct login_origin *origin, const struct place *place, uint64_t now_usec, int64_t realtime,
		    struct login_shortcut *ret);
/* sudo was allowed: was a credential given for it, which counts from now on? */
void sudo_proof_given(const struct directory *d, struct session_table *sessions, const struct login_origin *origin,
		      const struct place *place, const struct login_verdict *verdict, uint64_t now_usec);
/* What the sign-in that opens a session is worth later: fills session->sign_in, or leaves it. Of a one-time code it is
 * what the code was made by, with which the session ends; no proof comes of that. */
void sudo_proof_sign_in(const struct login_verdict *verdict, uint64_t now_usec, struct session *session);
