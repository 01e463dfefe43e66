/* SPDX-License-Identifier: MIT
 *
 * Lingering: logind starts the service manager of those who have a file in /var/lib/systemd/linger, signed in or not.
 */
#pragma once

#include <stdint.h>

/* 0, also where it was off already or logind does not know the user; -EPERM: their name is a local account's; others:
 * it could not be switched off. */
int linger_off(uint32_t uid);
