/* SPDX-License-Identifier: MIT
 *
 * Requests and errors as OAuth clients know them (RFC 6749, sections 3.1, 3.2 and 5.2).
 */
#pragma once

#include "control_plane/http/router.h"

/* A parameter of the form. One that is not there or has no value is NULL; unknown ones are nobody's concern. */
const char *oauth_field(const struct request *request, const char *name);
/* {"error", "error_description"}, never cached. Returns 0, for `return`. */
int oauth_refuse(struct request *request, unsigned status, const char *error, const char *description);
/* What the frame refuses, in the same words. */
problem_writer oauth_problem;
/* A tenant's id, which is what clients here are called by. */
bool oauth_is_client(const char *text);
/* Does a list that is parted by spaces name it? */
bool oauth_scope_has(const char *scope, const char *word);
