/* SPDX-License-Identifier: MIT
 *
 * Which provider `tenantctl sso test` tries, and whom its identity would let in.
 */
#pragma once

#include <jansson.h>

#include "ctl/ctl.h"
#include "ctl/provider.h"
#include "directory/files.h"
#include "oidc/id_token.h"

struct sso_subject {
	struct provider given; /* options */
	struct idp_record idp; /* what is tried */
	/* Where it comes from: */
	struct directory_files *files; /* the directory's files; NULL: another way */
	json_t *answer;                /* the agent's Providers; NULL */
	struct string_list lists[4];   /* of what the agent answered */
};
/* By id or issuer. -1: go on; else the exit code, told. `user`: it has to have an id, then. */
int sso_subject_find(struct ctl *ctl, const char *word, const char *user, struct sso_subject *subject);
void sso_subject_finish(struct sso_subject *subject);

struct sso_verdict {
	char word[32]; /* binding_word; "": nobody asked */
	char owner[64];
	bool allowed, agent_away;
};
/* By the agent; by the files where it does not run. -1: go on; else the exit code, told. */
int sso_judge(struct ctl *ctl, const struct sso_subject *subject, const char *user,
	      const struct oidc_identity *identity, struct sso_verdict *ret);
