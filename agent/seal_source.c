/* SPDX-License-Identifier: MIT */
#include "seal_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret_file.h"

int seal_source_read(const char *path, struct seal_key *ret, struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer text = {.wipe = true};
	const struct secret_place place = {getenv("CREDENTIALS_DIRECTORY"), "tenantd.seal-key", path, "tenantd"};
	int result = secret_read(&place, SEAL_KEY_BYTES, &text, problem);

	if (result == 0 && text.length != SEAL_KEY_BYTES) {
		problem_at(problem, path, 0, 0);
		result = problem_set(problem, EINVAL, "not a sealing key");
	}
	if (result == -EINVAL || result == -EFBIG)
		problem_remedy(problem, "it holds %d random bytes", SEAL_KEY_BYTES);
	if (result == 0)
		memcpy(ret->bytes, text.data, SEAL_KEY_BYTES);
	return result;
}
