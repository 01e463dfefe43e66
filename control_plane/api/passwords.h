/* SPDX-License-Identifier: MIT
 *
 * The password that somebody is made with.
 */
#pragma once

#include "control_plane/auth/password.h"
#include "control_plane/http/request.h"

/* `password` NULL: none is set. Field "password" of the body. In the request's transaction, after the row was made. 0;
 * 1: a problem was set; -errno. */
int passwords_of_new_user(struct request *request, const char *user_id, const char *password,
			  const struct password_owner *owner);
int passwords_of_new_operator(struct request *request, const char *operator_id, const char *password,
			      const struct password_owner *owner);
