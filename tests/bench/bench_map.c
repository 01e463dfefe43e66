/* SPDX-License-Identifier: MIT
 *
 * What publishing costs: the whole directory, and a change of one person until the next look-up sees it; what a
 * process pays for its first look-up, and for the first one after a change; and the writer's memory.
 *
 * usage: bench_map [PEOPLE …]   (1000 100000 1000000)
 */
#include <dlfcn.h>
#include <errno.h>
#include <nss.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "map_writer/map_writer.h"
#include "measure.h"
#include "nss_host.h"
#include "nss_world.h"

#define CHANGES 31
#define FULL_ROUNDS 5
#define FIRST_ROUNDS 31
#define CHANGING 500U /* people in the unit that changes */

static enum nss_status (*get_pwnam)(const char *, struct passwd *, char *, size_t, int *);

static _Noreturn void die(const char *what, int r)
{
	fprintf(stderr, "bench_map: %s: %s\n", what, strerror(-r));
	exit(1);
}

static void row(uint32_t people, const char *what, double value, const char *unit, const char *budget)
{
	printf("| %u | %s | %.3f %s | %s |\n", people, what, value, unit, budget);
	fflush(stdout);
	fprintf(stderr, "map\t%u\t%s\t%.3f\t%s\n", people, what, value, unit);
}

static double msec_since(uint64_t start)
{
	return (double)(measure_nsec() - start) / 1e6;
}

/* Pages of the map that the process has mapped count, too: so after publishing. */
static double resident_mb(void)
{
	unsigned long size = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file || fscanf(file, "%lu %lu", &size, &resident) != 2)
		return 0;
	fclose(file);
	return (double)resident * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

static void look(uint32_t person, unsigned variant)
{
	char login[WORLD_NAME_SIZE], buffer[1024], wanted[32];
	struct passwd pw;
	int error;

	world_login(person, login);
	snprintf(wanted, sizeof(wanted), "of change %u", variant);
	if (get_pwnam(login, &pw, buffer, sizeof(buffer), &error) != NSS_STATUS_SUCCESS ||
	    (variant && !strstr(pw.pw_gecos, wanted)))
		die("the change is not there", -5);
}

/* A process that has not looked anybody up yet. */
static double first_lookup(void)
{
	double msec = 0;
	int ends[2];
	pid_t child;

	if (pipe(ends) < 0)
		die("pipe", -errno);
	child = fork();
	if (child < 0)
		die("fork", -errno);
	if (child == 0) {
		uint64_t start = measure_nsec();

		look(1, 0);
		msec = msec_since(start);
		_exit(write(ends[1], &msec, sizeof(msec)) == sizeof(msec) ? 0 : 1);
	}
	if (read(ends[0], &msec, sizeof(msec)) != sizeof(msec))
		die("first look-up", -5);
	close(ends[0]);
	close(ends[1]);
	waitpid(child, NULL, 0);
	return msec;
}

static void bench(uint32_t people)
{
	double full[FULL_ROUNDS], patch[CHANGES], visible[CHANGES], remap[CHANGES], first[FIRST_ROUNDS];
	struct directory *before = world_build(people, people - MIN_OF(CHANGING, people / 2), 0, NULL);
	struct map_options options = {.subids = true};
	struct map_writer *writer;
	double memory;
	struct stat st;
	unsigned variant = 0;
	int r;

	memory = resident_mb();
	for (unsigned i = 0; i < FULL_ROUNDS; i++) {
		uint64_t start = measure_nsec();

		r = map_writer_create(NSS_HOST_MAP, &writer);
		if (r == 0)
			r = map_writer_publish(writer, before, &options);
		if (r < 0)
			die("publish", r);
		full[i] = msec_since(start);
		if (i + 1 < FULL_ROUNDS)
			map_writer_destroy(writer);
	}
	memory = resident_mb() - memory;
	if (stat(NSS_HOST_MAP, &st) < 0)
		die(NSS_HOST_MAP, -2);
	for (unsigned i = 0; i < FIRST_ROUNDS; i++)
		first[i] = first_lookup();
	look(people - 1, 0);
	for (unsigned i = 0; i < CHANGES; i++) {
		struct directory *d;
		uint64_t start;

		d = world_build_one(people, people - MIN_OF(CHANGING, people / 2), ++variant, before);
		start = measure_nsec();
		r = map_writer_publish(writer, d, &options);
		if (r < 0)
			die("publish a change", r);
		patch[i] = msec_since(start);
		look(people - 1, variant);
		visible[i] = msec_since(start);
		remap[i] = visible[i] - patch[i];
		directory_unref(before);
		before = d;
	}
	row(people, "map file", (double)st.st_size / 1e6, "MB", "–");
	row(people, "publish everything", measure_median(full, FULL_ROUNDS), "ms", "–");
	row(people, "publish a change of one person", measure_median(patch, CHANGES), "ms", "–");
	row(people, "… until the next look-up sees it", measure_median(visible, CHANGES), "ms",
	    people <= 100000 ? "20 ms" : "–");
	row(people, "the look-up that moves to the new map", measure_median(remap, CHANGES), "ms", "–");
	row(people, "first look-up of a process", measure_median(first, FIRST_ROUNDS), "ms", "–");
	row(people, "memory kept by the writer", memory > 0 ? memory : 0, "MB", "–");
	map_writer_destroy(writer);
	directory_unref(before);
	world_forget();
}

int main(int argc, char **argv)
{
	static const uint32_t sizes[] = {1000, 100000, 1000000};

	nss_host_enter();
	get_pwnam = dlsym(nss_host_open_module(), "_nss_tenant_getpwnam_r");
	if (!get_pwnam)
		die("the module lacks entry points", -2);
	printf("| people | publishing the map | median | budget |\n|---|---|---|---|\n");
	for (unsigned i = 0; i < (argc > 1 ? (unsigned)argc - 1 : ARRAY_LEN(sizes)); i++) {
		uint32_t people = argc > 1 ? (uint32_t)strtoul(argv[i + 1], NULL, 10) : sizes[i];
		pid_t child;
		int status;

		fflush(NULL);
		child = fork(); /* each size in a process of its own */
		if (child == 0) {
			bench(people);
			fflush(NULL);
			_exit(0);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
			return 1;
	}
	return 0;
}
