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
#define RULES_SUDO_WITHIN_SEC 900U /* SUDO_PROOF_RECENT, where nothing is said */

/* Project roles that a host rule lets in when it does not say. */
extern const char *const rules_login_roles[];
#define RULES_LOGIN_ROLE_COUNT 2U

int rules_ids(const struct tenant_record *tenant, struct problem *problem); /* the block alone */
int rules_tenant(const struct tenant_record *tenant, struct problem *problem);
int rules_role(const struct role_record *role, struct problem *problem);
int rules_key(const struct key_record *key, struct problem *problem);
bool rules_key_id_valid(const char *id);
int rules_sudo(const struct tenant_record *tenant, struct problem *problem); /* what sudo wants to see */
/* Of a tenant or a host: spans of time within reason. (session_rules.c) */
int rules_sessions(const struct session_rules *rules, struct problem *problem);
int rules_grant(const struct grant_record *grant, struct problem *problem);
/* A provider by itself: how its client proves itself, and that nothing is asked of it that its kind cannot tell. Its
 * single values were checked before. (rules_idp.c) */
int rules_idp(const struct idp_record *idp, struct problem *problem);
int rules_identities(const struct user_record *user, struct problem *problem);
/* What a provider is called where its record has no name: "Google", or the host of the issuer. Returns `out`. */
#define RULES_IDP_NAME_MAX 64U
const char *rules_idp_name(enum idp_kind kind, const char *issuer, char out[RULES_IDP_NAME_MAX]);
