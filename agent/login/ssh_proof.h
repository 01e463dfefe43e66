/* SPDX-License-Identifier: MIT
 *
 * What sshd says about how somebody signed in (SSH_AUTH_INFO_0): one line a method, such as
 * "publickey ssh-ed25519 AAAA…".
 */
#pragma once

#include <stddef.h>

#include "directory/directory.h"
#include "policy/policy.h"

/* Do the public keys named there let this user in? REASON_ALLOWED; REASON_SSH_KEY_NOT_REGISTERED: a key that
 * is not in the directory, where the tenant wants that; REASON_CREDENTIAL_UNSUPPORTED: no public key at all.
 * Where several were shown all must do. `name`: "ssh-key:SHA256:…" of the first, or "none". */
enum reason ssh_proof_check(const struct tenant_record *tenant, const struct user_record *user, const char *auth_info,
			    char *name, size_t size);
/* Would the key of this name ("ssh-key:SHA256:…") do today? */
enum reason ssh_proof_stands(const struct tenant_record *tenant, const struct user_record *user, const char *name);
