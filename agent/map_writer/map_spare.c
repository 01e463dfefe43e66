/* SPDX-License-Identifier: MIT */
#include "map_writer/map_spare.h"

#include <errno.h>
#include <sys/stat.h>

#define WORTH_BYTES (1024 * 1024) /* smaller ones are copied in the time that a thread takes to start */

void map_spare_init(struct map_spare *spare)
{
	*spare = (struct map_spare){.from = MAP_FILE_INIT, .old = MAP_FILE_INIT, .copy = MAP_FILE_INIT};
}

static void *work(void *context)
{
	struct map_spare *spare = context;

	map_file_finish(&spare->old);
	if (map_file_copy(spare->path, &spare->from, &spare->copy) < 0)
		spare->copy = (struct map_file)MAP_FILE_INIT; /* then the publisher copies for itself */
	return NULL;
}

void map_spare_start(struct map_spare *spare, const char *path, const struct map_file *published, struct map_file *old)
{
	struct stat st;

	spare->path = path;
	spare->from = *published;
	spare->old = *old;
	*old = (struct map_file)MAP_FILE_INIT;
	if (fstat(published->fd, &st) == 0 && st.st_size >= WORTH_BYTES &&
	    pthread_create(&spare->thread, NULL, work, spare) == 0)
		spare->running = true;
	else
		map_file_finish(&spare->old);
}

int map_spare_take(struct map_spare *spare, struct map_file *ret)
{
	if (spare->running)
		pthread_join(spare->thread, NULL);
	spare->running = false;
	if (spare->copy.fd < 0)
		return -ENOENT;
	*ret = spare->copy;
	spare->copy = (struct map_file)MAP_FILE_INIT;
	return 0;
}

void map_spare_drop(struct map_spare *spare)
{
	struct map_file copy = MAP_FILE_INIT;

	if (map_spare_take(spare, &copy) == 0)
		map_file_discard(spare->path, &copy);
}
