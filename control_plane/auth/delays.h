/* SPDX-License-Identifier: MIT
 *
 * Growing delays for wrong passwords, counted for each account and for each source, in the database, so they hold
 * across replicas and restarts. After 3 wrong ones for an account (20 from a source) the next has to wait 1 s, then 2
 * s, 4 s … 15 min. A day without a failure forgets them.
 *
 * An attempt is counted before the password is looked at and taken back when it was right: a hundred guesses at once
 * are a hundred failures.
 */
#pragma once

#include "control_plane/http/request.h"

/* `account`: what names the account, known or not. 0; 1: a problem (429 with Retry-After) was set; -EAGAIN, -errno. In
 * a transaction of its own. */
int delays_take(struct request *request, const char *account);
/* It was not looked at: counted as if it had not been made. Never fails the request. */
void delays_give_back(struct request *request, const char *account);
/* It was right: the account's failures are forgotten, and the source's last one. Never fails the request. */
void delays_clear(struct request *request, const char *account);

/* The same for codes that people type (provider/user_code.h), which name no account: after 10 wrong ones from a source
 * the next has to wait. `ret_count`: how many there are, with this one. */
int delays_take_code(struct request *request, uint32_t *ret_count);
/* It was right, or nobody looked. Never fails the request. */
void delays_give_back_code(struct request *request);
