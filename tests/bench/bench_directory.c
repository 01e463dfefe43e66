/* SPDX-License-Identifier: MIT
 *
 * The directory: how long parsing, loading the compiled form, building the picture and changing one
 * person take, and what a person costs in memory. One row a size: bench_directory [PEOPLE …].
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/text.h"
#include "directory/compiled.h"
#include "directory/directory.h"
#include "directory/yaml_load.h"
#include "gen_directory.h"

#define DROP_PEOPLE 100U
#define CHANGES 20U
#define LOOKUPS 1000000U

static double now_ms(void)
{
	return (double)clock_boottime_usec() / 1000.0;
}

static long resident_kib(void)
{
	_cleanup_(freep) char *line = NULL;
	size_t size = 0;
	long kib = 0;
	FILE *status = fopen("/proc/self/status", "re");

	while (status && getline(&line, &size, status) > 0)
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	if (status)
		fclose(status);
	return kib;
}

static int fail(const char *what, int r, const struct problem *problem)
{
	char text[1400];

	fprintf(stderr, "bench_directory: %s: %s %s\n", what, strerror(-r),
		problem_render(problem, text, sizeof(text)));
	return 1;
}

static void row(uint32_t people, const char *what, double value, const char *unit)
{
	printf("directory\t%u\t%s\t%.3f\t%s\n", people, what, value, unit);
}

static int bench_lookups(uint32_t people, const struct directory *d)
{
	char id[16], login[16];
	double start = now_ms();
	uint32_t found = 0;

	for (uint32_t i = 0; i < LOOKUPS; i++) {
		snprintf(login, sizeof(login), "u%07u", (uint32_t)((i * 2654435761ULL) % people));
		found += directory_user_by_login(d, login) != NULL;
	}
	row(people, "by-login", (now_ms() - start) * 1e6 / LOOKUPS, "ns");
	start = now_ms();
	for (uint32_t i = 0; i < LOOKUPS; i++) {
		snprintf(id, sizeof(id), "usr_%07u", (uint32_t)((i * 2654435761ULL) % people));
		found += directory_role(d, id, "prj_0_1") != NULL;
	}
	row(people, "role", (now_ms() - start) * 1e6 / LOOKUPS, "ns");
	return found > LOOKUPS ? 0 : 1;
}

/* One person of a drop-in changes, over and over: parse the drop-in, build from the picture before. */
static int bench_change(uint32_t people, struct unit *large)
{
	struct unit *units[2] = {large, NULL};
	struct directory *picture = NULL;
	struct problem problem = {0};
	double worst_build = 0, worst_parse = 0;

	for (unsigned i = 0; i <= CHANGES; i++) {
		_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
		struct directory *next;
		const uint32_t *uids;
		uint32_t count = 0;
		double start, parsed, built;
		int r = gen_directory_drop_in(people, DROP_PEOPLE, i, &text);

		start = now_ms();
		if (r == 0)
			r = directory_yaml_load_text("drop-in", text.data, text.length, &units[1], &problem);
		parsed = now_ms();
		if (r == 0)
			r = directory_build(units, 2, "host", picture, &next, &problem);
		built = now_ms();
		if (r < 0)
			return fail("change", r, &problem);
		if (i > 0 && (!directory_touched_users(next, picture, &uids, &count) || count > 1))
			return fail("touched users", -EINVAL, &problem);
		if (i > 0) {
			worst_parse = MAX_OF(worst_parse, parsed - start);
			worst_build = MAX_OF(worst_build, built - parsed);
		}
		unit_unref(units[1]);
		directory_unref(picture);
		picture = next;
	}
	directory_unref(picture);
	row(people, "change-parse-worst", worst_parse, "ms");
	row(people, "change-build-worst", worst_build, "ms");
	return 0;
}

static int bench(uint32_t people)
{
	_cleanup_(unit_unrefp) struct unit *unit = NULL, *loaded = NULL;
	_cleanup_(directory_unrefp) struct directory *d = NULL;
	struct buffer yaml = BUFFER_INIT, compiled = BUFFER_INIT;
	struct problem problem = {0};
	long before, after;
	double start;
	int r = gen_directory(people, &yaml);

	if (r < 0)
		return fail("generating", r, &problem);
	row(people, "yaml-size", (double)yaml.length / 1048576.0, "MiB");
	malloc_trim(0);
	before = resident_kib();
	start = now_ms();
	r = directory_yaml_load_text("bench", yaml.data, yaml.length, &unit, &problem);
	if (r < 0)
		return fail("parsing", r, &problem);
	row(people, "parse", now_ms() - start, "ms");
	start = now_ms();
	r = directory_build(&unit, 1, "host", NULL, &d, &problem);
	if (r < 0)
		return fail("building", r, &problem);
	row(people, "build", now_ms() - start, "ms");
	malloc_trim(0);
	after = resident_kib();
	row(people, "memory", (double)(after - before) / 1024.0, "MiB");
	row(people, "memory-per-person", (double)(after - before) * 1024.0 / people, "bytes");
	if (bench_lookups(people, d))
		return fail("looking up", -EINVAL, &problem);
	r = bench_change(people, unit);
	if (r)
		return r;
	start = now_ms();
	r = compiled_write(unit, &compiled);
	if (r < 0)
		return fail("compiling", r, &problem);
	row(people, "compile", now_ms() - start, "ms");
	row(people, "compiled-size", (double)compiled.length / 1048576.0, "MiB");
	start = now_ms();
	r = compiled_read("bench", unit->source_hash, compiled.data, compiled.length, &loaded);
	if (r < 0)
		return fail("loading the compiled form", r, &problem);
	row(people, "compiled-load", now_ms() - start, "ms");
	buffer_finish(&compiled);
	buffer_finish(&yaml);
	return 0;
}

int main(int argc, char **argv)
{
	static const uint32_t usual[] = {1000, 100000, 1000000};
	uint32_t people;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2) {
		for (size_t i = 0; i < ARRAY_LEN(usual); i++)
			if (bench(usual[i]))
				return 1;
		return 0;
	}
	for (int i = 1; i < argc; i++)
		if (parse_u32(argv[i], &people) < 0 || people == 0 || bench(people)) {
			fprintf(stderr, "usage: bench_directory [PEOPLE …]\n");
			return 2;
		}
	return 0;
}
