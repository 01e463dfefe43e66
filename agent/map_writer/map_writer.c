/* SPDX-License-Identifier: MIT */
#include "map_writer/map_writer.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "map_writer/map_build.h"
#include "map_writer/map_patch.h"
#include "map_writer/map_spare.h"

struct map_writer {
	char *path;
	struct map_file file;        /* the published one, when we published it */
	struct directory *directory; /* what it shows */
	struct map_options options;
	uint64_t generation;
	struct map_spare spare; /* a copy of `file`, or on the way to one */
};

int map_writer_create(const char *path, struct map_writer **ret)
{
	struct map_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return -ENOMEM;
	writer->file = (struct map_file)MAP_FILE_INIT;
	map_spare_init(&writer->spare);
	writer->path = strdup(path);
	if (!writer->path) {
		free(writer);
		return -ENOMEM;
	}
	map_file_recover(path);
	*ret = writer;
	return 0;
}

void map_writer_destroy(struct map_writer *writer)
{
	if (!writer)
		return;
	map_spare_drop(&writer->spare);
	map_file_finish(&writer->file);
	directory_unref(writer->directory);
	free(writer->path);
	free(writer);
}

/* Whom d's map differs in from the published one; false: perhaps in anybody. */
static bool differs_in(const struct map_writer *writer, const struct directory *d, const struct map_options *options,
		       const uint32_t **ret_uids, uint32_t *ret_count)
{
	const struct map_options *last = &writer->options;

	return writer->file.fd >= 0 && last->enumerate == options->enumerate && last->subids == options->subids &&
	       last->sudo_member == options->sudo_member && last->context == options->context &&
	       directory_touched_users(d, writer->directory, ret_uids, ret_count);
}

/* Has the published file still its name? */
static bool is_there(const struct map_writer *writer)
{
	struct stat st;

	return fstat(writer->file.fd, &st) == 0 && st.st_nlink > 0;
}

static int try_patch(struct map_writer *writer, const struct directory *d, const struct map_options *options,
		     const uint32_t *uids, uint32_t count, struct map_person *person, struct map_file *ret_file)
{
	int r = map_spare_take(&writer->spare, ret_file);

	if (r < 0)
		r = map_file_copy(writer->path, &writer->file, ret_file);
	return r < 0 ? r : map_patch(writer->path, ret_file, d, options, writer->generation + 1, uids, count, person);
}

static void keep(struct map_writer *writer, struct directory *d, const struct map_options *options)
{
	directory_ref(d);
	directory_unref(writer->directory);
	writer->directory = d;
	writer->options = *options;
}

int map_writer_publish(struct map_writer *writer, struct directory *d, const struct map_options *options)
{
	_cleanup_(freep) struct map_person *person = malloc(sizeof(*person));
	_cleanup_(map_file_finish) struct map_file file = MAP_FILE_INIT;
	const uint32_t *uids;
	uint32_t count;
	int r = -ESTALE;

	if (!person)
		return -ENOMEM;
	if (differs_in(writer, d, options, &uids, &count)) {
		if (count == 0 && is_there(writer)) {
			if (options->not_after != writer->options.not_after) {
				r = map_file_extend(&writer->file, options->not_after);
				if (r < 0)
					return r;
			}
			keep(writer, d, options);
			return 0;
		}
		r = try_patch(writer, d, options, uids, count, person, &file);
	}
	if (r < 0) { /* what fails as a change may succeed when the map is built anew */
		map_spare_drop(&writer->spare);
		r = map_build(writer->path, d, options, writer->generation + 1, person, &file);
	}
	if (r < 0)
		return r;
	r = map_file_publish(writer->path, &file);
	if (r < 0) {
		map_file_discard(writer->path, &file);
		return r;
	}
	writer->generation++;
	map_spare_start(&writer->spare, writer->path, &file, &writer->file);
	writer->file = file;
	file = (struct map_file)MAP_FILE_INIT;
	keep(writer, d, options);
	return 0;
}

int map_writer_extend(struct map_writer *writer, int64_t not_after)
{
	int r;

	if (writer->file.fd < 0)
		return -ENOENT;
	r = map_file_extend(&writer->file, not_after);
	if (r == 0)
		writer->options.not_after = not_after;
	return r;
}
