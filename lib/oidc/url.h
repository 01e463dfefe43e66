/* SPDX-License-Identifier: MIT
 *
 * Addresses that providers name.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Of printable ASCII, https, a host in it, without a user, a fragment or characters that a URL has only escaped (RFC
 * 3986). `size`: with NUL. `allow_plain`: http:// to loopback, too. */
bool oidc_url_is_good(const char *text, size_t size, bool allow_plain);
