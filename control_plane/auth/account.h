/* SPDX-License-Identifier: MIT
 *
 * Who has this e-mail address and this password? The one place that checks the two, for the API and for people in a
 * browser.
 *
 * Whatever is wrong (tenant, address, password, a suspended account) the answer is the same, after the same work.
 */
#pragma once

#include "control_plane/http/request.h"

#define ACCOUNT_EMAIL_MAX 254

struct account {
	const char *id, *tenant_id, *hash; /* NULL: nobody; tenant_id: operators have none */
	bool active;
	int64_t valid_from; /* sessions_valid_from */
};
/* `tenant`: a slug, NULL: an operator. The address must be printable and no longer than ACCOUNT_EMAIL_MAX. 0: it is
 * they, and they may sign in; 1: a problem was set, and counted; -EAGAIN, -errno. In transactions of its own. */
int account_prove(struct request *request, const char *tenant, const char *email, const char *password,
		  struct account *ret);
