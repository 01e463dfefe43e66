/* SPDX-License-Identifier: MIT */
#include "feed/line.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "feed/delta.h"

#define RUN_BYTES_MAX (64ULL * 1024 * 1024)
#define RUN_COUNT_MAX 100000U

void feed_run_clear(struct feed_run *run)
{
	feed_run_drop(run, run->count);
}

void feed_run_finish(struct feed_run *run)
{
	feed_run_clear(run);
	free(run->deltas);
	*run = (struct feed_run){0};
}

void feed_run_drop(struct feed_run *run, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		run->bytes -= run->deltas[i].length;
		buffer_finish(&run->deltas[i]);
	}
	run->count -= count;
	if (run->count > 0 && count > 0)
		memmove(run->deltas, run->deltas + count, run->count * sizeof(*run->deltas));
}

static enum feed_fault no_memory(struct problem *problem)
{
	(void)problem_set(problem, ENOMEM, "out of memory");
	return FEED_TOO_LARGE;
}

enum feed_fault feed_run_add(struct feed_run *run, const char *delta, size_t length, struct problem *problem)
{
	struct buffer copy = {.wipe = true}; /* a provider's secret may stand in it */

	if (length > FEED_DELTA_BYTES_MAX || run->bytes + length > RUN_BYTES_MAX || run->count == RUN_COUNT_MAX) {
		(void)problem_set(problem, EMSGSIZE, "more deltas came than may wait for their head");
		return FEED_TOO_LARGE;
	}
	if (run->count == run->capacity) {
		uint32_t capacity = run->capacity > 0 ? 2 * run->capacity : 8;
		struct buffer *deltas = reallocarray(run->deltas, capacity, sizeof(*deltas));

		if (!deltas)
			return no_memory(problem);
		run->deltas = deltas;
		run->capacity = capacity;
	}
	if (buffer_add(&copy, delta, length) < 0)
		return no_memory(problem);
	run->deltas[run->count++] = copy;
	run->bytes += length;
	return FEED_FINE;
}

void feed_line_free(struct feed_line *line)
{
	if (!line)
		return;
	snapshot_reader_free(line->reader);
	feed_picture_free(line->picture);
	buffer_finish(&line->snapshot_note);
	free(line);
}

static int put_record(void *context, enum record_kind kind, const char *id, uint64_t version, struct json_view body,
		      struct problem *problem)
{
	return feed_picture_put(context, kind, id, version, body, problem);
}

int feed_line_new(const char *tenant_id, const struct feed_snapshot *snapshot, const char *note, size_t length,
		  struct feed_line **ret)
{
	_cleanup_(feed_line_freep) struct feed_line *line = calloc(1, sizeof(*line));
	int r;

	if (!line)
		return -ENOMEM;
	line->snapshot = *snapshot;
	line->revision = snapshot->revision;
	memcpy(line->chain, snapshot->chain, SHA256_BYTES);
	r = buffer_add(&line->snapshot_note, note, length);
	if (r == 0)
		r = feed_picture_new(snapshot->origin, tenant_id, &line->picture);
	if (r == 0)
		r = feed_picture_begin(line->picture, true, snapshot->records);
	if (r == 0)
		r = snapshot_reader_new(snapshot, put_record, line->picture, &line->reader);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(line);
	return 0;
}

enum feed_fault feed_line_add(struct feed_line *line, const void *data, size_t length, struct problem *problem)
{
	return snapshot_reader_add(line->reader, data, length, problem);
}

enum feed_fault feed_line_end(struct feed_line *line, struct problem *problem)
{
	enum feed_fault fault = snapshot_reader_end(line->reader, problem);
	int r;

	snapshot_reader_free(TAKE_PTR(line->reader));
	if (fault != FEED_FINE)
		return fault;
	r = feed_picture_commit(line->picture);
	if (r == -ENOMEM)
		return no_memory(problem);
	if (r < 0) {
		(void)problem_set(problem, -r, "the snapshot's records do not go together");
		return FEED_BAD_RECORD;
	}
	return FEED_FINE;
}

/* Do the first `count` deltas lead to the head's chain, and by the bound's? By hashes alone: nothing is read before
 * it is known to be signed for. */
static enum feed_fault judge_chain(const struct feed_line *line, const struct feed_run *run, uint64_t count,
				   const struct feed_head *head, const struct feed_head *bound, struct problem *problem)
{
	uint8_t chain[SHA256_BYTES];

	memcpy(chain, line->chain, SHA256_BYTES);
	for (uint64_t i = 0;; i++) {
		if (bound && bound->epoch == line->snapshot.epoch && bound->revision == line->revision + i &&
		    memcmp(chain, bound->chain, SHA256_BYTES) != 0) {
			(void)problem_set(problem, EBADMSG, "revision %" PRIu64 " is not the one that was known",
					  bound->revision);
			return FEED_FORK;
		}
		if (i == count)
			break;
		if (feed_chain_add(chain, run->deltas[i].data, run->deltas[i].length) < 0)
			return no_memory(problem);
	}
	if (memcmp(chain, head->chain, SHA256_BYTES) != 0) {
		(void)problem_set(problem, EBADMSG, "the deltas up to revision %" PRIu64 " are not those of the head",
				  head->revision);
		return FEED_OTHER_CHAIN;
	}
	return FEED_FINE;
}

static int apply_operation(struct feed_picture *picture, const struct delta_operation *op, struct problem *problem)
{
	switch (op->op) {
	case DELTA_PUT:
		return feed_picture_put(picture, op->kind, op->id, op->version, json_view(op->body), problem);
	case DELTA_DEL:
		return feed_picture_delete(picture, op->kind, op->id, op->version, problem);
	case DELTA_REVOKE:
		return feed_picture_revoke(picture, op->kind, op->id, op->version, op->body, problem);
	}
	return -EINVAL;
}

/* What is signed for and yet cannot be taken is a bad record, whatever is wrong with it. */
static enum feed_fault apply_delta(struct feed_line *line, const struct buffer *bytes, uint64_t revision,
				   struct problem *problem)
{
	struct delta delta;
	int r = 0;

	if (delta_read(bytes->data, bytes->length, line->snapshot.origin, &delta, problem) != FEED_FINE)
		return FEED_BAD_RECORD;
	if (delta.epoch != line->snapshot.epoch || delta.rev != revision)
		r = problem_set(problem, EINVAL, "the delta says another epoch or revision than its head");
	for (uint32_t i = 0; r == 0 && i < delta.op_count; i++)
		r = apply_operation(line->picture, &delta.ops[i], problem);
	delta_finish(&delta);
	if (r == -ENOMEM)
		return no_memory(problem);
	return r < 0 ? FEED_BAD_RECORD : FEED_FINE;
}

enum feed_fault feed_line_fits(uint64_t records, uint64_t max_records, struct problem *problem)
{
	if (max_records == 0 || records <= max_records)
		return FEED_FINE;
	problem_remedy(problem, "feeds.max_records in agent.yaml says how many this host takes");
	(void)problem_set(problem, EMSGSIZE, "the feed has %" PRIu64 " records, this host takes %" PRIu64, records,
			  max_records);
	return FEED_TOO_LARGE;
}

static enum feed_fault apply_all(struct feed_line *line, const struct feed_run *run, uint64_t count,
				 struct problem *problem)
{
	enum feed_fault fault = FEED_FINE;
	int r;

	if (count == 0)
		return FEED_FINE;
	if (feed_picture_begin(line->picture, false, count) < 0)
		return no_memory(problem);
	for (uint64_t i = 0; fault == FEED_FINE && i < count; i++)
		fault = apply_delta(line, &run->deltas[i], line->revision + i + 1, problem);
	if (fault == FEED_FINE)
		fault = feed_line_fits(feed_picture_records_begun(line->picture), line->max_records, problem);
	if (fault != FEED_FINE) {
		feed_picture_rollback(line->picture);
		return fault;
	}
	r = feed_picture_commit(line->picture);
	if (r == -ENOMEM)
		return no_memory(problem);
	if (r < 0) {
		(void)problem_set(problem, -r, "the delta's records do not go together");
		return FEED_BAD_RECORD;
	}
	return FEED_FINE;
}

enum feed_fault feed_line_apply(struct feed_line *line, const struct feed_run *run, const struct feed_head *head,
				const struct feed_head *bound, uint32_t *ret_count, struct problem *problem)
{
	enum feed_fault fault;
	uint64_t count;

	if (head->epoch != line->snapshot.epoch) {
		(void)problem_set(problem, EBADMSG, "the head is of epoch %" PRIu64 ", the snapshot of %" PRIu64,
				  head->epoch, line->snapshot.epoch);
		return FEED_OTHER_EPOCH;
	}
	if (head->revision < line->revision || head->revision - line->revision > run->count) {
		(void)problem_set(problem, EBADMSG, "the head is of revision %" PRIu64 ", what came ends at %" PRIu64,
				  head->revision, line->revision + run->count);
		return FEED_GAP;
	}
	count = head->revision - line->revision;
	fault = judge_chain(line, run, count, head, bound, problem);
	if (fault == FEED_FINE)
		fault = apply_all(line, run, count, problem);
	if (fault != FEED_FINE)
		return fault;
	for (uint64_t i = 0; i < count; i++)
		line->delta_bytes += run->deltas[i].length;
	line->delta_count += count;
	line->revision = head->revision;
	memcpy(line->chain, head->chain, SHA256_BYTES);
	*ret_count = (uint32_t)count;
	return FEED_FINE;
}
