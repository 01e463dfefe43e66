/* SPDX-License-Identifier: MIT */
#include "seal_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/secret.h"

#define CREDENTIAL "tenantd.seal-key"

static int read_key(const char *path, enum file_trust trust, struct seal_key *ret, struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer text = {.wipe = true};
	struct stat st;
	int result = file_read(AT_FDCWD, path, SEAL_KEY_BYTES, trust, geteuid(), &text, &st);

	if (result == -ENOENT)
		return result;
	problem_at(problem, path, 0, 0);
	if (result == -EPERM || (result >= 0 && trust == FILE_TRUST_OWNER && (st.st_mode & S_IRWXO))) {
		problem_remedy(problem, "chown root:tenantd and chmod 0640");
		return problem_set(problem, EPERM, "others can read or change the sealing key");
	}
	if (result >= 0 && text.length != SEAL_KEY_BYTES)
		result = -EFBIG;
	if (result < 0) {
		problem_remedy(problem, "it holds %d random bytes", SEAL_KEY_BYTES);
		return result == -EFBIG ? problem_set(problem, EINVAL, "not a sealing key")
					: problem_set(problem, -result, "%s", strerror(-result));
	}
	memcpy(ret->bytes, text.data, SEAL_KEY_BYTES);
	return 0;
}

int seal_source_read(const char *path, struct seal_key *ret, struct problem *problem)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	char credential[4096];
	int result = -ENOENT;

	if (folder && (size_t)snprintf(credential, sizeof(credential), "%s/" CREDENTIAL, folder) < sizeof(credential))
		result = read_key(credential, FILE_TRUST_ANY, ret, problem);
	if (result == -ENOENT)
		result = read_key(path, FILE_TRUST_OWNER, ret, problem);
	return result;
}
