/* SPDX-License-Identifier: MIT
 *
 * A certificate for a server inside a test, made on the spot: self-signed, P-256, good for one day.
 */
#pragma once

struct fake_tls {
	char *key, *certificate; /* PEM, malloc'd */
	char pin[64];            /* "sha256//…" of its public key */
};
/* `address`: an IP address or a host name. Fails the test when it cannot. */
void fake_tls_make(const char *address, struct fake_tls *ret);
void fake_tls_finish(struct fake_tls *tls);
