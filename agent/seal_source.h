/* SPDX-License-Identifier: MIT
 *
 * Where the key comes from that seals what rests on this host's disk.
 */
#pragma once

#include "base/problem.h"
#include "crypto/seal.h"

/* The systemd credential "tenantd.seal-key" of $CREDENTIALS_DIRECTORY where there is one, else `path`.
 * 0; -ENOENT: neither is there; -EINVAL, -EPERM … with the problem. */
int seal_source_read(const char *path, struct seal_key *ret, struct problem *problem);
