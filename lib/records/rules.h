/* SPDX-License-Identifier: MIT
 *
 * What the values of one record must be to each other, and what stands in for those left out: for files, feeds and the
 * control plane alike. 0; -EINVAL with text and remedy, and no place, in the problem.
 */
#pragma once

#include "base/problem.h"
#include "records/records.h"

#define RULES_DEFAULT_SHELL "/bin/bash"
#define RULES_HOME_PREFIX "/home/" /* before the login */
#define RULES_KEY_WARN_DAYS 14U

/* Project roles that a host rule lets in when it does not say. */
extern const char *const rules_login_roles[];
#define RULES_LOGIN_ROLE_COUNT 2U

int rules_ids(const struct tenant_record *tenant, struct problem *problem); /* the block alone */
int rules_tenant(const struct tenant_record *tenant, struct problem *problem);
int rules_role(const struct role_record *role, struct problem *problem);
int rules_key(const struct key_record *key, struct problem *problem);
bool rules_key_id_valid(const char *id);
