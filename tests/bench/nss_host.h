/* SPDX-License-Identifier: MIT
 *
 * A place to measure in: a mount namespace with a /run of its own, an nsswitch.conf that asks files only,
 * a passwd and a group file of NSS_HOST_LOCAL entries each, and Debian's nscd in front of them.
 */
#pragma once

#include <stdbool.h>

#define NSS_HOST_LOCAL 1000U
#define NSS_HOST_MAP "/run/tenantd/nss.map"

/* Ends the program when it cannot be made (not root). */
void nss_host_enter(void);
/* False: there is no nscd, or it does not answer. */
bool nss_host_start_nscd(void);
void nss_host_stop_nscd(void);
/* The module that was built beside this program. */
void *nss_host_open_module(void);
