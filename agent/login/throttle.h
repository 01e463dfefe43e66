/* SPDX-License-Identifier: MIT
 *
 * What failed attempts cost: counted for each (user, source) pair, for each source and for each user.
 *
 * - A pair that fails again and again waits, twice as long each time; so does a source that fails with many
 *   users, later. While it waits no sign-in is tried, right or wrong. (A local service's clients may share a
 *   source: there only what fails is answered with the wait.)
 * - A user's own count never refuses anybody, it only delays answers by a moment: an attacker can spend his
 *   own chances, never those of the person at another address.
 * - Counts fade with time. A success clears the pair's count, not the source's (or an attacker would sign in
 *   to an account of his own between guesses).
 *
 * Memory is fixed. A full row gives up its smallest count, so whoever wants his own count forgotten must
 * first make others grow past it, in a row that he cannot choose (keyed hash): dearer than waiting.
 * Pure but for its memory: times come from the caller (boot time, microseconds).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/macros.h"

struct throttle;

int throttle_create(struct throttle **ret);
void throttle_destroy(struct throttle *throttle); /* takes NULL */
DEFINE_CLEANUP(struct throttle, throttle_destroy)

enum throttle_row { THROTTLE_PAIR, THROTTLE_SOURCE, THROTTLE_USER, THROTTLE_ROWS };
struct throttle_key {
	uint64_t hash[THROTTLE_ROWS]; /* 0: that row is left alone */
};
/* A sign-in. `source` NULL: nobody knows from where, so it counts for the user alone, and nobody ever waits.
 * IPv6 sources count by their /64, which is what one network is given. */
struct throttle_key throttle_key_login(const char *user, const char *source);
/* A local program's question, counted for this caller alone: by the source that it tells, or "". */
struct throttle_key throttle_key_caller(uid_t caller, const char *source);

struct throttle_state {
	uint64_t wait_usec;  /* refuse, untried, for so long; 0: go on */
	uint64_t delay_usec; /* hold the answer back, whatever it is */
	bool first;          /* the first refusal of this wait: worth an audit event */
};
/* Before anything is tried. */
void throttle_ask(struct throttle *throttle, const struct throttle_key *key, uint64_t now_usec,
		  struct throttle_state *ret);
/* It was tried, and wrong: counts, and says how long to hold the answer back and what waits from now on. */
void throttle_failed(struct throttle *throttle, const struct throttle_key *key, uint64_t now_usec,
		     struct throttle_state *ret);
void throttle_succeeded(struct throttle *throttle, const struct throttle_key *key, uint64_t now_usec);
