/* SPDX-License-Identifier: MIT
 *
 * The directory from files, as the agent has it: start from YAML and from the compiled form, and how long it
 * takes from the rename of a file until the agent's loop has the new picture. bench_source [PEOPLE …].
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/parse.h"
#include "directory/files.h"
#include "directory/source_file.h"
#include "gen_directory.h"

#define DROP_PEOPLE 100U
#define CHANGES 50U
#define PAUSE_USEC 60000U /* between changes: what an operator does, not a burst */

static const struct seal_key key = {.bytes = {1, 2, 3}};

struct place {
	char folder[32], path[64], drop_in[96], cache[64], next[64];
};

static double now_ms(void)
{
	return (double)clock_boottime_usec() / 1000.0;
}

static void row(uint32_t people, const char *what, double value, const char *unit)
{
	printf("source\t%u\t%s\t%.3f\t%s\n", people, what, value, unit);
}

static int fail(const char *what, int r, const struct problem *problem)
{
	char text[1400];

	fprintf(stderr, "bench_source: %s: %s %s\n", what, strerror(-r), problem_render(problem, text, sizeof(text)));
	return 1;
}

static long status_kib(const char *name)
{
	_cleanup_(freep) char *line = NULL;
	size_t size = 0;
	long kib = 0;
	FILE *status = fopen("/proc/self/status", "re");

	while (status && getline(&line, &size, status) > 0)
		if (strncmp(line, name, strlen(name)) == 0) {
			kib = strtol(line + strlen(name) + 1, NULL, 10);
			break;
		}
	if (status)
		fclose(status);
	return kib;
}

/* Writes the new file beside the old one; publish() renames it over. */
static int prepare(uint32_t people, unsigned variant, bool whole, const struct place *place)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	int r = whole ? gen_directory(people, &text) : gen_directory_drop_in(people, DROP_PEOPLE, variant, &text);

	/* A comment makes a whole file differ; its people stay. */
	if (r == 0 && whole)
		r = buffer_printf(&text, "# variant %u\n", variant);
	if (r == 0)
		r = file_replace(AT_FDCWD, place->next, text.data, text.length, 0640, NULL);
	return r;
}

static int publish(bool whole, const struct place *place)
{
	return rename(place->next, whole ? place->path : place->drop_in) < 0 ? -errno : 0;
}

static int bench_start(uint32_t people, const struct place *place, const char *what)
{
	const struct directory_files_options options = {
		.path = place->path, .cache_dir = place->cache, .seal_key = &key, .host_name = "gpu-1"};
	_cleanup_(directory_files_freep) struct directory_files *files = NULL;
	struct problem problem = {0};
	double start = now_ms();
	int r = directory_files_new(&options, &files);

	if (r == 0)
		r = directory_files_refresh(files, &problem);
	if (r < 0)
		return fail(what, r, &problem);
	row(people, what, now_ms() - start, "ms");
	start = now_ms();
	directory_files_compile(files);
	if (strcmp(what, "start-yaml") == 0)
		row(people, "store-compiled", now_ms() - start, "ms");
	return 0;
}

struct waiter {
	unsigned pictures, problems;
	struct directory *picture;
};

static void changed(void *context, struct directory *picture, const struct problem *problem)
{
	struct waiter *waiter = context;

	if (!picture) {
		waiter->problems++;
		return;
	}
	directory_unref(waiter->picture);
	waiter->picture = directory_ref(picture);
	waiter->pictures++;
}

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static int bench_changes(uint32_t people, const struct place *place, sd_event *event, struct waiter *waiter, bool whole,
			 unsigned count)
{
	double times[CHANGES];
	struct problem problem = {0};

	for (unsigned i = 0; i < count; i++) {
		unsigned before = waiter->pictures;
		double start;
		int r;

		usleep(PAUSE_USEC);
		r = prepare(people, i + 1, whole, place);
		start = now_ms();
		if (r == 0)
			r = publish(whole, place);
		while (r >= 0 && waiter->pictures == before && !waiter->problems)
			r = sd_event_run(event, UINT64_MAX);
		if (r < 0 || waiter->problems)
			return fail("changing", r, &problem);
		times[i] = now_ms() - start;
	}
	qsort(times, count, sizeof(*times), compare_double);
	row(people, whole ? "whole-file-visible" : "change-visible", times[count / 2], "ms");
	row(people, whole ? "whole-file-visible-worst" : "change-visible-worst", times[count - 1], "ms");
	return 0;
}

static int bench_source(uint32_t people, const struct place *place)
{
	const struct source_file_options options = {
		.path = place->path, .cache_dir = place->cache, .seal_key = &key, .host_name = "gpu-1"};
	struct source_file *source = NULL;
	struct waiter waiter = {0};
	struct problem problem = {0};
	sd_event *event = NULL;
	int r = sd_event_new(&event);

	if (r >= 0)
		r = source_file_create(event, &options, changed, &waiter, &source);
	if (r >= 0)
		r = source_file_load(source, &waiter.picture, &problem);
	if (r < 0) {
		fail("loading", r, &problem);
	} else {
		row(people, "resident-after-start", (double)status_kib("VmRSS:") / 1024.0, "MiB");
		r = bench_changes(people, place, event, &waiter, false, CHANGES);
		if (r == 0)
			r = bench_changes(people, place, event, &waiter, true, 3);
		row(people, "resident-peak", (double)status_kib("VmHWM:") / 1024.0, "MiB");
	}
	source_file_destroy(source);
	directory_unref(waiter.picture);
	sd_event_unref(event);
	return r < 0 || r == 1;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int bench(uint32_t people)
{
	struct place place = {.folder = "/tmp/bench-source-XXXXXX"};
	struct problem problem = {0};
	int r;

	if (!mkdtemp(place.folder))
		return fail("making a folder", -errno, &problem);
	snprintf(place.path, sizeof(place.path), "%s/directory.yaml", place.folder);
	snprintf(place.cache, sizeof(place.cache), "%s/cache", place.folder);
	snprintf(place.next, sizeof(place.next), "%s/next", place.folder);
	snprintf(place.drop_in, sizeof(place.drop_in), "%s.d", place.path);
	if (mkdir(place.cache, 0700) < 0 || mkdir(place.drop_in, 0755) < 0)
		return fail("making folders", -errno, &problem);
	snprintf(place.drop_in, sizeof(place.drop_in), "%s.d/10-drop.yaml", place.path);
	r = prepare(people, 0, true, &place);
	if (r == 0)
		r = publish(true, &place);
	if (r == 0)
		r = prepare(people, 0, false, &place);
	if (r == 0)
		r = publish(false, &place);
	if (r < 0)
		return fail("writing the files", r, &problem);
	malloc_trim(0);
	r = bench_start(people, &place, "start-yaml") || bench_start(people, &place, "start-compiled") ||
	    bench_source(people, &place);
	nftw(place.folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	return r;
}

int main(int argc, char **argv)
{
	static const uint32_t usual[] = {1000, 100000, 1000000};
	uint32_t people;

	/* As the agent does: what is freed goes back, and two threads do not keep two heaps. */
	mallopt(M_MMAP_THRESHOLD, 256 * 1024);
	mallopt(M_ARENA_MAX, 1);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2) {
		for (size_t i = 0; i < ARRAY_LEN(usual); i++)
			if (bench(usual[i]))
				return 1;
		return 0;
	}
	for (int i = 1; i < argc; i++)
		if (parse_u32(argv[i], &people) < 0 || people == 0 || bench(people)) {
			fprintf(stderr, "usage: bench_source [PEOPLE …]\n");
			return 2;
		}
	return 0;
}
