/* SPDX-License-Identifier: MIT
 *
 * account: the agent decides, whatever has let the person in: an API key, an SSH key, cron.
 */
#include "stage.h"

static enum outcome authorize(struct stage *stage)
{
	struct tenant_grant *grant = NULL;
	enum outcome outcome;
	int r;

	outcome = stage_agent(stage);
	if (outcome != OUTCOME_DONE)
		return outcome;
	r = tenant_authorize(stage->tenant, &stage->origin, stage->login, &grant);
	if (r < 0)
		return stage_failed(stage, r);
	outcome = stage_decision(stage, grant);
	tenant_grant_free(grant);
	return outcome;
}

_public_ int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct stage stage;
	enum outcome outcome;

	outcome = stage_begin(pamh, STAGE_ACCOUNT, flags, argc, argv, &stage);
	if (outcome == OUTCOME_DONE)
		outcome = authorize(&stage);
	return stage_end(&stage, outcome);
}
