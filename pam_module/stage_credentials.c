/* SPDX-License-Identifier: MIT
 *
 * setcred: groups come from NSS and nothing secret was kept, so there is nothing to establish or delete.
 * The agent is not asked: account and session decide.
 */
#include "stage.h"

_public_ int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
	struct stage stage;
	enum outcome outcome = stage_begin(pamh, STAGE_CREDENTIALS, flags, argc, argv, &stage);

	return stage_end(&stage, outcome);
}
