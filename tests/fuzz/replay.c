/* SPDX-License-Identifier: MIT
 *
 * Feeds files to a fuzz target without a fuzzer: every file given, and every file in a folder given (not
 * those below it). Prints "<target>: N inputs"; fails when there is none, since a test of nothing passes always.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "fuzz.h"

#define INPUT_MAX ((size_t)16 << 20)

static int replay_file(int dirfd, const char *name)
{
	_cleanup_(buffer_finish) struct buffer content = BUFFER_INIT;
	uint8_t *exact;
	int r;

	r = file_read(dirfd, name, INPUT_MAX, FILE_TRUST_ANY, 0, &content, NULL);
	if (r < 0) {
		(void)fprintf(stderr, "%s: %s\n", name, strerror(-r));
		return r;
	}
	/* Memory of exactly this size, so that the sanitizer sees the first byte read past it. */
	exact = malloc(content.length ? content.length : 1);
	if (!exact)
		return -ENOMEM;
	if (content.length > 0)
		memcpy(exact, content.data, content.length);
	(void)LLVMFuzzerTestOneInput(exact, content.length);
	free(exact);
	return 0;
}

/* Number of inputs, or -errno. */
static int replay_folder(const char *path)
{
	DIR *folder = opendir(path);
	int count = 0, r = 0;

	if (!folder) {
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -errno;
	}
	for (struct dirent *entry; r == 0 && (entry = readdir(folder));) {
		struct stat st;

		if (entry->d_name[0] == '.' || fstatat(dirfd(folder), entry->d_name, &st, 0) < 0 ||
		    !S_ISREG(st.st_mode))
			continue;
		r = replay_file(dirfd(folder), entry->d_name);
		count++;
	}
	(void)closedir(folder);
	return r < 0 ? r : count;
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	int total = 0;

	for (int i = 1; i < argc; i++) {
		struct stat st;
		int r;

		if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode)) {
			r = replay_folder(argv[i]);
		} else {
			r = replay_file(AT_FDCWD, argv[i]);
			if (r == 0)
				r = 1;
		}
		if (r < 0)
			return 1;
		total += r;
	}
	printf("%s: %d inputs\n", slash ? slash + 1 : argv[0], total);
	return total > 0 ? 0 : 1;
}
