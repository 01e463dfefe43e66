/* SPDX-License-Identifier: MIT
 *
 * Local accounts straight from the passwd file. The agent never asks NSS: it would ask itself.
 */
#pragma once

#include <stdint.h>

/* 1: some account has it; 0: none has; or -errno of the file. */
int account_has_uid(const char *passwd_path, uint32_t uid);
/* 0; -ENOENT: no such account; or -errno of the file. */
int account_uid(const char *passwd_path, const char *user, uint32_t *ret_uid);
