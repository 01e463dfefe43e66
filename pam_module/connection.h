/* SPDX-License-Identifier: MIT
 *
 * One connection to the agent for one PAM transaction, kept with the PAM handle. Only a saving: every
 * stage works as well on a fresh one, as it must after sshd's fork has lost the kept one.
 */
#pragma once

#include <security/pam_modules.h>
#include <tenant/client.h>

/* `socket` NULL: the default one. The handle is borrowed. 0 or -errno. */
int connection_of(pam_handle_t *pamh, const char *socket, struct tenant **ret);
/* Hangs up: a session may last for days, and the agent's places are few. */
void connection_drop(pam_handle_t *pamh);
