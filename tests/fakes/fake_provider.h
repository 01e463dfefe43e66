/* SPDX-License-Identifier: MIT
 *
 * An identity provider for tests: a real HTTP server (loopback, TLS or plain) in this process, with discovery, keys,
 * the device flow, and GitHub's way of it. It misbehaves on demand. Everything may be called from the test's thread at
 * any time; what cannot be done fails the test. Needs jws_set_up.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../fakes/fake_tls.h"

#define FAKE_CLIENT "client-1"

struct fake_provider;

/* `tls` NULL: plain. Made for 127.0.0.1, and borrowed; `priority`: GnuTLS's, NULL: TLS 1.2 and 1.3. */
struct fake_provider *fake_provider_start(const struct fake_tls *tls, const char *priority);
void fake_provider_stop(struct fake_provider *provider); /* takes NULL */
const char *fake_provider_issuer(const struct fake_provider *provider);
void fake_provider_die(struct fake_provider *provider);    /* connections are refused from now on … */
void fake_provider_revive(struct fake_provider *provider); /* … and taken again, at the same address */

/* What token requests get. */
enum fake_decision { FAKE_PENDING, FAKE_APPROVED, FAKE_DENIED, FAKE_EXPIRED_TOKEN, FAKE_SLOW_DOWN };
void fake_provider_decide(struct fake_provider *provider, enum fake_decision decision);
void fake_provider_set_code(struct fake_provider *provider, unsigned expires_in, unsigned interval);
/* Of ID tokens: a JSON object whose members take the place of those that a good one has; null takes one away. */
void fake_provider_set_claims(struct fake_provider *provider, const char *claims);
/* Seconds that the provider's clock is ahead. */
void fake_provider_set_clock(struct fake_provider *provider, int ahead);

/* Keys by their place in jws_fixture.h; `kid` NULL: the keys and the tokens have none. At first EC_A as "k1". */
void fake_provider_publish(struct fake_provider *provider, const int *keys, const char *const *kids, unsigned count);
void fake_provider_sign_with(struct fake_provider *provider, int key, const char *kid);

/* The next `times` requests for this path (-1: all from now on; 0: none any more) get this instead. `header`: NULL or
 * one "Name: value". `body` NULL: what it would have said. */
enum fake_body {
	FAKE_BODY_WHOLE,
	FAKE_BODY_STALL,   /* half of it, then nothing, and the connection stays */
	FAKE_BODY_DRIP,    /* byte by byte, a tenth of a second each */
	FAKE_BODY_CUT,     /* half of it, then the end */
	FAKE_BODY_ENDLESS, /* spaces, for ever */
};
void fake_provider_answer(struct fake_provider *provider, const char *path, int times, unsigned status,
			  const char *header, const char *body, enum fake_body how);
unsigned fake_provider_count(struct fake_provider *provider, const char *path); /* requests so far */
/* The last one's Authorization header and body, with a line end between; "" */
void fake_provider_last(struct fake_provider *provider, const char *path, char *out, size_t size);
