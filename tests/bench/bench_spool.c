/* SPDX-License-Identifier: MIT
 *
 * The audit spool on this disk: events made durable a second, with as many waiting as a busy host has, how long one
 * waits that is alone, and a start with much on disk; beside the bare write and fdatasync of the same bytes in pieces
 * of the same size, in runs that take turns.
 *
 * usage: bench_spool [DIRECTORY]     (default /var/tmp: a disk, not memory)
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "measure.h"
#include "spool/spool.h"

#define ROUNDS 9
#define EVENTS 20000U
#define ALONE 200U
#define BACKLOG 100000U /* a day of a busy host that is offline */
#define RECORD_BYTES 1200U
#define PERSONAL_BYTES 300U
#define BUDGET 20000.0

static void fail(const char *what, int r)
{
	fprintf(stderr, "bench_spool: %s: %s\n", what, strerror(-r));
	exit(1);
}

static char place[512];
static struct spool *spool;
static sd_event *event;
static struct spool_reader *reader;
static uint64_t durable;

static void on_durable(void *context, uint64_t sequence)
{
	durable = sequence;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	return remove(path);
}

static double open_spool(enum spool_durability durability)
{
	static const struct seal_key key = {{1}};
	struct spool_options options = {
		.directory = place,
		.seal_key = &key,
		.max_bytes = 1U << 30,
		.durability = durability,
	};
	const struct spool_hooks hooks = {.durable = on_durable};
	struct problem problem = {0};
	uint64_t begun = measure_nsec();
	double seconds;
	int r;

	durable = 0;
	r = spool_create(event, &options, &hooks, &spool, &problem);
	if (r < 0)
		fail(problem.text, r);
	seconds = (double)(measure_nsec() - begun) / 1e9;
	r = spool_reader_open(spool, "bench", &reader);
	if (r < 0)
		fail("reader", r);
	return seconds;
}

static void start(enum spool_durability durability)
{
	(void)nftw(place, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	(void)open_spool(durability);
}

static void stop(void)
{
	spool_reader_close(reader);
	spool_destroy(spool);
	spool = NULL;
	(void)nftw(place, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void append(void)
{
	static char leaf[RECORD_BYTES], personal[PERSONAL_BYTES];
	char prev[2 * SHA256_BYTES + 1];
	struct leaf_link link;
	int length, r;

	r = spool_next(spool, &link);
	if (r < 0)
		fail("spool_next", r);
	text_to_hex(link.prev, sizeof(link.prev), prev);
	memset(leaf, 'x', sizeof(leaf));
	memset(personal, 'y', sizeof(personal));
	length = snprintf(leaf, sizeof(leaf), "{\"sequence\":%llu,\"prev\":\"%s\",\"",
			  (unsigned long long)link.sequence, prev);
	leaf[length] = ' ';
	r = spool_append(spool, leaf, sizeof(leaf) - sizeof(personal), personal, sizeof(personal));
	if (r < 0)
		fail("spool_append", r);
}

/* Seconds until all are durable, with at most `waiting` of them under way. */
static double run_spool(unsigned events, unsigned waiting)
{
	uint64_t begun = measure_nsec();

	while (durable < events) {
		while (spool_last(spool) < events && spool_last(spool) - durable < waiting)
			append();
		if (sd_event_run(event, UINT64_MAX) < 0)
			fail("loop", -EIO);
	}
	return (double)(measure_nsec() - begun) / 1e9;
}

/* The same bytes in as many pieces, each written and synced. */
static double run_floor(uint64_t bytes, unsigned pieces)
{
	size_t piece = (size_t)(bytes / pieces);
	char *data = malloc(piece), path[600];
	uint64_t begun;
	double seconds;
	int fd;

	(void)snprintf(path, sizeof(path), "%s.floor", place);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || !data)
		fail(path, -errno);
	memset(data, 'z', piece);
	begun = measure_nsec();
	for (unsigned i = 0; i < pieces; i++)
		if (fd_write_all(fd, data, piece) < 0 || fdatasync(fd) < 0)
			fail("floor", -errno);
	seconds = (double)(measure_nsec() - begun) / 1e9;
	(void)close(fd);
	(void)unlink(path);
	free(data);
	return seconds;
}

struct row {
	const char *name;
	enum spool_durability durability;
	unsigned events, waiting;
	bool has_budget;
};

static int measure(const struct row *row)
{
	double rates[ROUNDS], ratios[ROUNDS], groups[ROUNDS], rate, ratio, size;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct spool_state state;
		double taken, bare;

		start(row->durability);
		taken = run_spool(row->events, row->waiting);
		spool_state(spool, &state);
		stop();
		bare = run_floor(state.bytes, (unsigned)state.groups);
		rates[i] = row->events / taken;
		ratios[i] = taken / bare;
		groups[i] = (double)row->events / (double)state.groups;
	}
	rate = measure_median(rates, ROUNDS);
	ratio = measure_median(ratios, ROUNDS);
	size = measure_median(groups, ROUNDS);
	printf("| %s | %.0f | %.0f | %.2f × |%s\n", row->name, rate, size, ratio,
	       !row->has_budget ? " |"
	       : rate >= BUDGET ? " met |"
				: " missed |");
	fprintf(stderr, "spool\t%s\t%.0f\t%.2f\n", row->name, rate, ratio);
	return row->has_budget && rate < BUDGET;
}

/* One at a time: how long it waits. */
static void measure_alone(void)
{
	double waits[ALONE], bares[ALONE], wait, bare;
	struct spool_state state;

	start(SPOOL_GROUP);
	for (unsigned i = 0; i < ALONE; i++) {
		uint64_t begun = measure_nsec();

		append();
		while (durable < spool_last(spool))
			(void)sd_event_run(event, UINT64_MAX);
		waits[i] = (double)(measure_nsec() - begun) / 1000;
		spool_state(spool, &state);
		bares[i] = run_floor(state.bytes / state.groups, 1) * 1e6;
	}
	stop();
	wait = measure_median(waits, ALONE);
	bare = measure_median(bares, ALONE);
	printf("\n| one event, alone | µs | bare write and sync | |\n|---|---|---|---|\n");
	printf("| median | %.0f | %.0f | %.2f × |\n", wait, bare, wait / bare);
	printf("| 99th percentile | %.0f | %.0f | |\n", waits[ALONE * 99 / 100], bares[ALONE * 99 / 100]);
	fprintf(stderr, "spool\talone\t%.0f\t%.2f\n", wait, wait / bare);
}

/* What a host that was offline does: starts with all of it on disk, and reads it. */
static void measure_backlog(void)
{
	uint64_t next, begun, bytes = 0;
	struct spool_state state;
	double seconds;
	int r = 0;

	start(SPOOL_RELAXED);
	(void)run_spool(BACKLOG, 10000);
	spool_reader_close(reader);
	spool_destroy(spool);
	seconds = open_spool(SPOOL_GROUP);
	spool_state(spool, &state);
	printf("\n| %u events on disk, %.0f MB in %llu segments | |\n|---|---|\n", BACKLOG, (double)state.bytes / 1e6,
	       (unsigned long long)state.segments);
	printf("| start | %.1f ms |\n", seconds * 1000);
	fprintf(stderr, "spool\tstart-backlog\t%.2f\tms\n", seconds * 1000);
	begun = measure_nsec();
	for (next = spool_reader_next(reader); r == 0;) {
		struct buffer groups = BUFFER_INIT;

		r = spool_read(reader, next, 2000000, &groups, &next);
		bytes += groups.length;
		buffer_finish(&groups);
	}
	seconds = (double)(measure_nsec() - begun) / 1e9;
	if (r < 0 || next != BACKLOG + 1)
		fail("backlog", r);
	printf("| reading all of it, segments looked through | %.0f MB/s, %.0f events/s |\n",
	       (double)bytes / 1e6 / seconds, BACKLOG / seconds);
	fprintf(stderr, "spool\tread-backlog\t%.0f\tevents/s\n", BACKLOG / seconds);
	stop();
}

int main(int argc, char **argv)
{
	static const struct row rows[] = {
		{"group, 16 waiting", SPOOL_GROUP, 2000, 16, false},
		{"group, 256 waiting", SPOOL_GROUP, EVENTS, 256, false},
		{"group, 4096 waiting", SPOOL_GROUP, EVENTS, 4096, true},
		{"each", SPOOL_EACH, 300, 256, false},
		{"relaxed", SPOOL_RELAXED, EVENTS, EVENTS, false},
	};
	int missed = 0;

	(void)snprintf(place, sizeof(place), "%s/bench-spool.%d", argc > 1 ? argv[1] : "/var/tmp", (int)getpid());
	if (sd_event_new(&event) < 0)
		fail("loop", -ENOMEM);
	printf("| %u-byte events | durable events/s | events a group | beside write and fdatasync of the same bytes | "
	       "budget |\n"
	       "|---|---|---|---|---|\n",
	       RECORD_BYTES);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		missed |= measure(&rows[i]);
	measure_alone();
	measure_backlog();
	sd_event_unref(event);
	return missed;
}
