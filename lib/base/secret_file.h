/* SPDX-License-Identifier: MIT
 *
 * Where a program's secrets come from: the service manager's credentials, else files.
 */
#pragma once

#include <stddef.h>

#include "base/buffer.h"
#include "base/problem.h"

struct secret_place {
	const char *credentials; /* $CREDENTIALS_DIRECTORY; NULL: none */
	const char *name;        /* of the credential */
	const char *path;        /* of the file where there is no credential; NULL: none */
	const char *group;       /* that may read the file, for the remedy */
};
/* At most `most` bytes, appended. 0; -ENOENT without a problem: neither is there; -EPERM: others than the file's owner
 * and group can read or change it; -EFBIG … with the problem. */
int secret_read(const struct secret_place *place, size_t most, struct buffer *ret, struct problem *problem);
