/* SPDX-License-Identifier: MIT
 *
 * Between tenantctl's verbs of single sign-on.
 */
#pragma once

#include "ctl/ctl.h"
#include "ctl/provider.h"
#include "oidc/result.h"

int sso_test_verb(struct ctl *ctl, int argc, char **argv);      /* sso_test.c */
int sso_providers_verb(struct ctl *ctl, int argc, char **argv); /* sso.c */
int sso_bindings_verb(struct ctl *ctl, int argc, char **argv);  /* sso.c */
int sso_unbind_verb(struct ctl *ctl, int argc, char **argv);    /* sso.c */

/* What a failure means and what to do about it (sso_advice.c). `reached`: the last step that was begun. */
enum sso_stage { SSO_AT_PROVIDER, SSO_AT_CODE, SSO_AT_APPROVAL, SSO_AT_TOKEN };
const char *sso_advice(const struct idp_record *idp, const struct flow_result *result, enum sso_stage reached);
/* Of a word that binding_decide gives: one sentence for people, and what to do; "" where nothing is to be done. */
const char *sso_binding_sentence(const char *word);
const char *sso_binding_remedy(const char *word);
