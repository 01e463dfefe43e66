/* SPDX-License-Identifier: MIT */
#include "secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

int secret_read(const struct secret_place *place, size_t most, struct buffer *ret, struct problem *problem)
{
	const char *path = place->path;
	char credential[4096];
	int result = -ENOENT;
	struct stat st;

	if (place->credentials && (size_t)snprintf(credential, sizeof(credential), "%s/%s", place->credentials,
						   place->name) < sizeof(credential)) {
		result = file_read(AT_FDCWD, credential, most, FILE_TRUST_ANY, geteuid(), ret, &st);
		if (result != -ENOENT)
			path = credential;
	}
	if (result == -ENOENT && path) {
		result = file_read(AT_FDCWD, path, most, FILE_TRUST_OWNER, geteuid(), ret, &st);
		if (result >= 0 && (st.st_mode & S_IRWXO))
			result = -EPERM;
	}
	if (result >= 0)
		return 0;
	if (result == -ENOENT)
		return result;
	problem_at(problem, path, 0, 0);
	if (result == -EPERM) {
		problem_remedy(problem, "chown root:%s and chmod 0640", place->group);
		return problem_set(problem, EPERM, "others can read or change this secret");
	}
	return problem_set(problem, -result, "%s",
			   result == -EFBIG ? "longer than such a secret is" : strerror(-result));
}
