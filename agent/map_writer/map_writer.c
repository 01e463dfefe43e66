/* SPDX-License-Identifier: MIT */
#include "map_writer/map_writer.h"

#include <errno.h>
#include <string.h>

#include "map_writer/map_build.h"
#include "map_writer/map_patch.h"

struct map_writer {
	char *path;
	struct map_file file;        /* the published one, when we published it */
	struct directory *directory; /* what it shows */
	struct map_options options;
	uint64_t generation;
};

int map_writer_create(const char *path, struct map_writer **ret)
{
	struct map_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return -ENOMEM;
	writer->file = (struct map_file)MAP_FILE_INIT;
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
	map_file_finish(&writer->file);
	directory_unref(writer->directory);
	free(writer->path);
	free(writer);
}

/* Tries to bring the published map up to date. What fails here may succeed when the map is built anew. */
static int try_patch(struct map_writer *writer, const struct directory *d, const struct map_options *options,
		     struct map_person *person, struct map_file *ret_file)
{
	const struct map_options *last = &writer->options;
	const uint32_t *uids;
	uint32_t count;

	if (writer->file.fd < 0 || last->enumerate != options->enumerate || last->subids != options->subids ||
	    last->sudo_member != options->sudo_member || last->context != options->context ||
	    !directory_touched_users(d, writer->directory, &uids, &count))
		return -ESTALE;
	return map_patch(writer->path, &writer->file, d, options, writer->generation + 1, uids, count, person,
			 ret_file);
}

int map_writer_publish(struct map_writer *writer, struct directory *d, const struct map_options *options)
{
	_cleanup_(freep) struct map_person *person = malloc(sizeof(*person));
	_cleanup_(map_file_finish) struct map_file file = MAP_FILE_INIT;
	int r;

	if (!person)
		return -ENOMEM;
	r = try_patch(writer, d, options, person, &file);
	if (r < 0)
		r = map_build(writer->path, d, options, writer->generation + 1, person, &file);
	if (r < 0)
		return r;
	r = map_file_publish(writer->path, &file);
	if (r < 0) {
		map_file_discard(writer->path, &file);
		return r;
	}
	map_file_finish(&writer->file);
	writer->file = file;
	file = (struct map_file)MAP_FILE_INIT;
	directory_ref(d);
	directory_unref(writer->directory);
	writer->directory = d;
	writer->options = *options;
	writer->generation++;
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
