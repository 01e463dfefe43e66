/* SPDX-License-Identifier: MIT
 *
 * Checkpoints into files: one for each log, replaced whole, so that whoever copies it never has half of one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/file.h"
#include "ship/sink.h"

#define FILE_MODE 0644 /* a checkpoint is for everybody to see */

/* "<authority>/audit/<log>" to "<log>.checkpoint": what comes before is the same for all of them. */
static int file_name(const char *origin, char *ret, size_t size)
{
	const char *slash = strrchr(origin, '/'), *name = slash ? slash + 1 : origin;
	size_t length = strlen(name);

	if (length == 0 || length != strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"))
		return -EINVAL;
	return (size_t)snprintf(ret, size, "%s.checkpoint", name) < size ? 0 : -ENAMETOOLONG;
}

enum ship_outcome sink_file_checkpoint(struct sink *sink, const char *origin, const char *note, size_t length,
				       struct problem *problem)
{
	char name[128];
	int result = file_name(origin, name, sizeof(name)), folder = -1;

	if (result == 0) {
		folder = open(sink->options->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		result = folder < 0 ? -errno : file_replace(folder, name, note, length, FILE_MODE, NULL);
	}
	if (folder >= 0)
		close(folder);
	if (result == 0)
		return SHIP_TAKEN;
	problem_at(problem, sink->options->path, 0, 0);
	(void)problem_set(problem, -result, "%s", strerror(-result));
	return SHIP_LATER;
}
