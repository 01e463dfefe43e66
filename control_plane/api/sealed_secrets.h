/* SPDX-License-Identifier: MIT
 *
 * Secrets of a record, by name, as a column has them: a JSON object under the platform's seal key, bound to what it is
 * of (`purpose`), so that a row's secrets open in no other row.
 */
#pragma once

#include <jansson.h>

#include "control_plane/db/db.h"
#include "control_plane/http/router.h"

/* NULL in the column: an empty object. `purpose` NULL: it could not be written for want of memory. 0 or -errno. */
int sealed_secrets_open(struct request *request, const char *purpose, const struct db_rows *rows, uint32_t row,
			unsigned column, json_t **ret);
/* As a parameter, in the request's arena. 0 or -errno. */
int sealed_secrets_make(struct request *request, const char *purpose, json_t *secrets, const char **ret);
