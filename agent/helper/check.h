/* SPDX-License-Identifier: MIT
 *
 * Is a request sound? By its bytes alone: what the kernel says of the processes it names is asked by whoever acts.
 */
#pragma once

#include <stdbool.h>

#include "helper/request.h"

/* 0; -EINVAL, -EPERM (not one of the tenants' ids): refused, and *ret_why says why, as a word for the journal. */
int request_check(const struct helper_request *request, const char **ret_why);
/* What logind names its sessions by: letters and digits. Never "", never part of a path. */
bool request_is_scope(const char scope[HELPER_SCOPE_MAX]);
bool request_keeps(const struct helper_request *request, const char *scope);
const char *request_verb_word(uint32_t verb); /* "kill-user"; "unknown" */
