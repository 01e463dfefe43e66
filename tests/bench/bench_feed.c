/* SPDX-License-Identifier: MIT
 *
 * What a feed costs a host: a cold bootstrap (the snapshot's bytes, verified, inflated, read, the picture built, the
 * map published) with its time and its peak of memory; and one delta, from its bytes until picture and map show it. The
 * floor of the same run: inflating and parsing alone; for a delta, reading and verifying its bytes.
 *
 * usage: bench_feed [PEOPLE …]   (100000 1000000)
 */
#include <errno.h>
#include <malloc.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "directory/feed_picture.h"
#include "feed/delta.h"
#include "feed/feed.h"
#include "feed/snapshot.h"
#include "map_writer/map_writer.h"
#include "measure.h"
#include "nss_host.h"
#include "json/json_read.h"

#define TENANT "ten_8fJ2kQpL0aZx4TyB"
#define ORIGIN "bench.example/feed/" TENANT
#define FIRST 0x70000000U
#define PROJECTS 100U
#define DELTAS 101U
#define VERIFIER "sha256:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static _Noreturn void die(const char *what, const struct problem *problem)
{
	fprintf(stderr, "bench_feed: %s: %s\n", what, problem ? problem->text : "");
	exit(1);
}

static void row(uint32_t people, const char *what, double value, const char *unit, const char *budget)
{
	printf("| %u | %s | %.3f %s | %s |\n", people, what, value, unit, budget);
	fflush(stdout);
	fprintf(stderr, "feed\t%u\t%s\t%.3f\t%s\n", people, what, value, unit);
}

static double msec_since(uint64_t start)
{
	return (double)(measure_nsec() - start) / 1e6;
}

static double peak_mb(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)usage.ru_maxrss * 1024 / 1e6;
}

/* Of this process: what the clock says depends on what else runs. */
static double cpu_ms(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

/* ---- what the control plane would send -------------------------------------------------------------------- */

struct writing {
	struct snapshot_writer *writer;
};

static void _printf_(4, 5) put(struct writing *writing, const char *kind, const char *id, const char *format, ...)
{
	char body[1024];
	va_list ap;
	int length;

	va_start(ap, format);
	length = vsnprintf(body, sizeof(body), format, ap);
	va_end(ap);
	if (snapshot_writer_add(writing->writer, kind, id, 1, body, (size_t)length) < 0)
		die("writing a record", NULL);
}

static void write_snapshot(uint32_t people, const char *path)
{
	struct feed_snapshot note = {
		.epoch = 1, .revision = 1, .records = 3ULL * people + PROJECTS + 2, .issued = 1790000000};
	struct buffer out = BUFFER_INIT;
	struct writing writing;
	char id[96];
	FILE *file;

	snprintf(note.origin, sizeof(note.origin), ORIGIN);
	if (feed_chain_start(ORIGIN, 1, note.chain) < 0 || snapshot_writer_new(&note, &out, &writing.writer) < 0)
		die("snapshot writer", NULL);
	put(&writing, "tenant", TENANT,
	    "{\"slug\":\"bench\",\"gid\":%u,\"ids\":{\"first\":%u,\"count\":%u,\"next\":%u}}", FIRST, FIRST,
	    people + 4 * PROJECTS + 1000, FIRST + people + 4 * PROJECTS + 900);
	for (uint32_t i = 0; i < PROJECTS; i++) {
		snprintf(id, sizeof(id), "prj_%016u", i);
		put(&writing, "project", id, "{\"slug\":\"p%u\",\"gid\":%u}", i, FIRST + 4 + 4 * i);
	}
	for (uint32_t i = 0; i < people; i++) {
		snprintf(id, sizeof(id), "usr_%016u", i);
		put(&writing, "user", id,
		    "{\"login\":\"u%07u\",\"uid\":%u,\"name\":\"Person %u\",\"email\":\"u%07u@example.org\"}", i,
		    FIRST + 500 + i, i, i);
	}
	for (uint32_t i = 0; i < people; i++) {
		snprintf(id, sizeof(id), "usr_%016u/prj_%016u", i, i % PROJECTS);
		put(&writing, "member", id, "{\"user\":\"usr_%016u\",\"project\":\"prj_%016u\",\"role\":\"editor\"}", i,
		    i % PROJECTS);
	}
	for (uint32_t i = 0; i < people; i++) {
		snprintf(id, sizeof(id), "key_%016u", i);
		put(&writing, "key", id,
		    "{\"user\":\"usr_%016u\",\"label\":\"laptop\",\"verifier\":\"" VERIFIER
		    "\",\"created\":1790000000}",
		    i);
	}
	put(&writing, "host", "hrl_0000000000000000",
	    "{\"name\":\"*\",\"serves\":[{\"project\":\"prj_0000000000000000\"}]}");
	if (snapshot_writer_end(writing.writer) < 0)
		die("ending the snapshot", NULL);
	snapshot_writer_free(writing.writer);
	file = fopen(path, "we");
	if (!file || fwrite(&note, sizeof(note), 1, file) != 1 || fwrite(out.data, out.length, 1, file) != 1 ||
	    fclose(file) != 0)
		die("keeping the snapshot", NULL);
	buffer_finish(&out);
}

/* ---- reading it --------------------------------------------------------------------------------------------- */

static int take(void *context, enum record_kind kind, const char *id, uint64_t version, struct json_view body,
		struct problem *problem)
{
	return feed_picture_put(context, kind, id, version, body, problem);
}

static int pass(void *context, enum record_kind kind, const char *id, uint64_t version, struct json_view body,
		struct problem *problem)
{
	return 0;
}

static void read_snapshot(const char *path, snapshot_record_fn record, struct feed_picture *picture)
{
	static char block[65536];
	struct feed_snapshot note;
	struct snapshot_reader *reader;
	struct problem problem = {0};
	FILE *file = fopen(path, "re");
	size_t n;

	if (!file || fread(&note, sizeof(note), 1, file) != 1)
		die("the snapshot is gone", NULL);
	if (picture && feed_picture_begin(picture, true, note.records) < 0)
		die("begin", NULL);
	if (snapshot_reader_new(&note, record, picture, &reader) < 0)
		die("snapshot reader", NULL);
	while ((n = fread(block, 1, sizeof(block), file)) > 0)
		if (snapshot_reader_add(reader, block, n, &problem) != FEED_FINE)
			die("reading", &problem);
	if (snapshot_reader_end(reader, &problem) != FEED_FINE)
		die("the snapshot's end", &problem);
	snapshot_reader_free(reader);
	fclose(file);
	if (picture && feed_picture_commit(picture) < 0)
		die("commit", NULL);
}

static struct directory *build(const struct feed_picture *picture, const struct directory *before)
{
	struct unit *const *units;
	struct problem problem = {0};
	struct directory *d;
	uint32_t count;

	feed_picture_units(picture, &units, &count);
	if (directory_join(NULL, units, count, "host", before, &d, NULL, &problem) < 0)
		die("building", &problem);
	return d;
}

/* What a host does with a delta's bytes, after the head. */
static struct directory *apply(struct feed_picture *picture, uint8_t chain[SHA256_BYTES], const struct buffer *bytes,
			       const struct directory *before, bool floor)
{
	struct problem problem = {0};
	struct delta delta;
	int r = feed_chain_add(chain, bytes->data, bytes->length);

	if (r < 0 || delta_read(bytes->data, bytes->length, ORIGIN, &delta, &problem) != FEED_FINE)
		die("a delta", &problem);
	if (!floor)
		r = feed_picture_begin(picture, false, 0);
	for (uint32_t i = 0; r == 0 && !floor && i < delta.op_count; i++) {
		const struct delta_operation *op = &delta.ops[i];

		r = op->op == DELTA_PUT
			    ? feed_picture_put(picture, op->kind, op->id, op->version, json_view(op->body), &problem)
			    : feed_picture_revoke(picture, op->kind, op->id, op->version, op->body, &problem);
	}
	if (r == 0 && !floor)
		r = feed_picture_commit(picture);
	if (r < 0)
		die("a delta's operation", &problem);
	delta_finish(&delta);
	return floor ? NULL : build(picture, before);
}

/* One person gets another name, or one key is revoked. */
static void write_delta(struct buffer *out, uint32_t people, unsigned number, bool revoke)
{
	uint32_t who = (uint32_t)(number * 2654435761ULL % people);
	char id[32], body[256];

	out->length = 0;
	delta_write_begin(out, ORIGIN, 1, number, number + 1);
	if (revoke) {
		snprintf(id, sizeof(id), "key_%016u", who);
		snprintf(body, sizeof(body), "{\"at\":1790000000,\"reason\":\"lost\"}");
		delta_write_add(out, DELTA_REVOKE, "key", id, number + 2, body, strlen(body));
	} else {
		snprintf(id, sizeof(id), "usr_%016u", who);
		snprintf(body, sizeof(body),
			 "{\"login\":\"u%07u\",\"uid\":%u,\"name\":\"Changed %u\",\"email\":\"u%07u@example.org\"}",
			 who, FIRST + 500 + who, number, who);
		delta_write_add(out, DELTA_PUT, "user", id, number + 2, body, strlen(body));
	}
	delta_write_end(out);
	if (out->failed)
		die("writing a delta", NULL);
}

static struct directory *deltas(uint32_t people, struct feed_picture *picture, struct directory *d,
				struct map_writer *writer, bool revoke, const char *names[3], const char *budget)
{
	static const struct map_options options = {.subids = true};
	double whole[DELTAS], picture_only[DELTAS], floor[DELTAS];
	uint8_t chain[SHA256_BYTES] = {0};
	struct buffer bytes = BUFFER_INIT;

	for (unsigned i = 0; i < DELTAS; i++) {
		struct directory *next;
		uint64_t start;

		write_delta(&bytes, people, i + (revoke ? DELTAS : 0), revoke);
		start = measure_nsec();
		apply(picture, chain, &bytes, NULL, true);
		floor[i] = msec_since(start);
		/* Deltas that come one by one find the map's copy made. */
		usleep(30000);
		start = measure_nsec();
		next = apply(picture, chain, &bytes, d, false);
		picture_only[i] = msec_since(start);
		if (map_writer_publish(writer, next, &options) < 0)
			die("publishing", NULL);
		whole[i] = msec_since(start);
		directory_unref(d);
		d = next;
	}
	buffer_finish(&bytes);
	row(people, names[0], measure_median(whole, DELTAS), "ms", budget);
	row(people, names[1], measure_median(picture_only, DELTAS), "ms", "–");
	row(people, names[2], whole[DELTAS * 99 / 100], "ms", "–");
	row(people, "floor: the delta's hash and JSON", measure_median(floor, DELTAS), "ms", "–");
	return d;
}

static void bench(uint32_t people, const char *path)
{
	static const struct map_options options = {.subids = true};
	struct feed_picture *picture;
	struct map_writer *writer;
	struct directory *d;
	uint64_t start = measure_nsec();
	double floor, all, published, cpu;

	read_snapshot(path, pass, NULL);
	floor = msec_since(start);
	malloc_trim(0);
	start = measure_nsec();
	cpu = cpu_ms();
	if (feed_picture_new(ORIGIN, TENANT, &picture) < 0 || map_writer_create(NSS_HOST_MAP, &writer) < 0)
		die("start", NULL);
	read_snapshot(path, take, picture);
	row(people, "snapshot read into records", msec_since(start), "ms", "–");
	d = build(picture, NULL);
	all = msec_since(start);
	row(people, "… and the picture built", all, "ms", "–");
	if (map_writer_publish(writer, d, &options) < 0)
		die("publishing", NULL);
	published = msec_since(start);
	cpu = cpu_ms() - cpu;
	row(people, "cold bootstrap: bytes to published map", published, "ms",
	    people <= 100000 ? "2000 ms" : "25000 ms");
	row(people, "… of it on the CPU", cpu, "ms", "–");
	row(people, "floor: hash, inflate and parse", floor, "ms", "–");
	row(people, "peak of memory", peak_mb(), "MB", people <= 100000 ? "96 MB" : "–");
	row(people, "… for each person", peak_mb() * 1e6 / people, "bytes", "–");
	d = deltas(people, picture, d, writer, false,
		   (const char *[]){"delta, one person: bytes to map", "… to the picture", "… to the map, 99th of 100"},
		   people <= 100000 ? "5 ms" : "–");
	d = deltas(people, picture, d, writer, true,
		   (const char *[]){"delta, a key revoked: bytes to picture and map", "… to the picture",
				    "… to both, 99th of 100"},
		   people <= 100000 ? "5 ms" : "–");
	directory_unref(d);
	feed_picture_free(picture);
	map_writer_destroy(writer);
}

static void in_child(void (*work)(uint32_t, const char *), uint32_t people, const char *path)
{
	pid_t child;
	int status;

	fflush(NULL);
	child = fork(); /* each in a process of its own, for its peak of memory */
	if (child == 0) {
		work(people, path);
		fflush(NULL);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		die("a child failed", NULL);
}

int main(int argc, char **argv)
{
	static const uint32_t sizes[] = {100000, 1000000};

	nss_host_enter();
	printf("| people | the feed on a host | median | budget |\n|---|---|---|---|\n");
	for (unsigned i = 0; i < (argc > 1 ? (unsigned)argc - 1 : ARRAY_LEN(sizes)); i++) {
		uint32_t people = argc > 1 ? (uint32_t)strtoul(argv[i + 1], NULL, 10) : sizes[i];
		char path[64];

		snprintf(path, sizeof(path), "/tmp/bench-feed-%d", (int)getpid());
		in_child(write_snapshot, people, path);
		in_child(bench, people, path);
		unlink(path);
	}
	return 0;
}
