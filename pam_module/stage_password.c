/* SPDX-License-Identifier: MIT
 *
 * password: says where keys are changed, and ends the change before another module would set a local
 * password for somebody of a tenant.
 */
#include "conversation.h"
#include "stage.h"

_public_ int pam_sm_chauthtok(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct stage stage;
	enum outcome outcome = stage_begin(pamh, STAGE_PASSWORD, flags, argc, argv, &stage);

	if (outcome == OUTCOME_DONE && !stage.silent)
		conversation_tell(pamh, PAM_ERROR_MSG,
				  "Members of a tenant have no password on this host. API keys are made, rotated and "
				  "revoked by the administrators of your tenant.");
	return stage_end(&stage, outcome);
}
