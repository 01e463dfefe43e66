/* SPDX-License-Identifier: MIT
 *
 * The parameters that PAM's stages have in common.
 */
#pragma once

#include "login/login.h"
#include "json/json_read.h"

#define ORIGIN_INIT                                                                             \
	{                                                                                       \
		.user = "", .service = "", .source = "", .terminal = "", .requesting_user = "", \
		.uid = LOGIN_UID_UNSAID, .requesting_uid = LOGIN_UID_UNSAID, .qr = "",          \
	}
#define LOGIN_FIELDS 8
#define AUTHORIZE_FIELDS 9
extern const struct json_field login_fields[LOGIN_FIELDS];         /* into struct login_origin */
extern const struct json_field authorize_fields[AUTHORIZE_FIELDS]; /* into struct login_authorize */

/* `decision` and `warning`. */
void put_verdict(struct json_writer *w, const struct login_verdict *verdict);
