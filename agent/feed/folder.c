/* SPDX-License-Identifier: MIT */
#include "feed/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/macros.h"

#define SNAPSHOT_BYTES_MAX ((size_t)512 * 1024 * 1024)
#define DELTAS_BYTES_MAX ((size_t)64 * 1024 * 1024)
#define FILE_NAME_MAX 32U

void feed_folder_finish(struct feed_folder *folder)
{
	for (uint32_t i = 0; i < folder->trust_count; i++)
		buffer_finish(&folder->trusts[i]);
	free(folder->trusts);
	buffer_finish(&folder->head_note);
	buffer_finish(&folder->frame);
	feed_line_free(folder->line);
	feed_run_finish(&folder->run);
	*folder = (struct feed_folder){0};
}

/* Names the file in the problem. -ENOENT without one: the caller knows whether it may be missing. */
static int read_file(int dirfd, const char *name, size_t limit, struct buffer *ret, struct problem *problem)
{
	int r = file_read(dirfd, name, limit, FILE_TRUST_OWNER, geteuid(), ret, NULL);

	problem_at(problem, name, 0, 0);
	if (r < 0)
		(void)problem_set(problem, -r, "cannot be read: %s", strerrordesc_np(-r));
	return r;
}

static enum feed_fault fault_of(int r)
{
	return r == -EFBIG || r == -ENOMEM ? FEED_TOO_LARGE : FEED_MALFORMED;
}

/* The chain of trust documents from the lowest number that is there. */
static enum feed_fault read_trusts(int dirfd, struct feed_folder *folder, struct problem *problem)
{
	bool begun = false;

	folder->trusts = calloc(FEED_FOLDER_TRUSTS_MAX, sizeof(*folder->trusts));
	if (!folder->trusts)
		return fault_of(problem_set(problem, ENOMEM, "out of memory"));
	for (unsigned version = 1; version <= FEED_FOLDER_TRUSTS_MAX; version++) {
		struct buffer *note = &folder->trusts[folder->trust_count];
		struct feed_trust trust;
		char name[FILE_NAME_MAX];
		enum feed_fault fault;
		int r;

		(void)snprintf(name, sizeof(name), "trust.%u", version);
		r = read_file(dirfd, name, NOTE_BYTES_MAX, note, problem);
		if (r == -ENOENT && !begun)
			continue;
		if (r == -ENOENT)
			break;
		folder->trust_count++;
		if (r < 0)
			return fault_of(r);
		fault = feed_trust_read(note->data, note->length, begun ? &folder->trust : NULL, &trust, problem);
		if (fault != FEED_FINE)
			return fault;
		if (trust.version != version) {
			(void)problem_set(problem, EBADMSG, "holds version %" PRIu64, trust.version);
			return FEED_MALFORMED;
		}
		folder->trust = trust;
		begun = true;
	}
	if (begun)
		return FEED_FINE;
	problem_at(problem, "trust.1", 0, 0);
	(void)problem_set(problem, ENOENT, "there is no trust document");
	return FEED_MALFORMED;
}

static enum feed_fault read_snapshot(int dirfd, const char *tenant_id, struct feed_folder *folder,
				     struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	struct feed_snapshot snapshot;
	enum feed_fault fault;
	int r;

	r = read_file(dirfd, "snapshot", NOTE_BYTES_MAX, &note, problem);
	if (r < 0)
		return fault_of(r);
	fault = feed_snapshot_read(note.data, note.length, &folder->trust, 0, &snapshot, problem);
	if (fault == FEED_FINE)
		fault = feed_line_fits(snapshot.records, folder->max_records, problem);
	if (fault != FEED_FINE)
		return fault;
	r = read_file(dirfd, "snapshot.zst", SNAPSHOT_BYTES_MAX, &folder->frame, problem);
	if (r == 0 && feed_line_new(tenant_id, &snapshot, note.data, note.length, &folder->line) < 0)
		r = problem_set(problem, ENOMEM, "out of memory");
	if (r < 0)
		return fault_of(r);
	fault = feed_line_add(folder->line, folder->frame.data, folder->frame.length, problem);
	return fault == FEED_FINE ? feed_line_end(folder->line, problem) : fault;
}

/* One delta a line; the file may be missing, which is the same as empty. */
static enum feed_fault read_deltas(int dirfd, struct feed_folder *folder, struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	enum feed_fault fault = FEED_FINE;
	size_t at = 0;
	int r;

	r = read_file(dirfd, "deltas", DELTAS_BYTES_MAX, &text, problem);
	if (r < 0)
		return r == -ENOENT ? FEED_FINE : fault_of(r);
	for (unsigned line = 1; fault == FEED_FINE && at < text.length; line++) {
		const char *end = memchr(text.data + at, '\n', text.length - at);

		problem_at(problem, NULL, line, 0);
		if (!end) {
			(void)problem_set(problem, EBADMSG, "the last line has no end");
			return FEED_MALFORMED;
		}
		fault = feed_run_add(&folder->run, text.data + at, (size_t)(end - text.data) - at, problem);
		at = (size_t)(end - text.data) + 1;
	}
	return fault;
}

enum feed_fault feed_folder_read(const char *path, const char *tenant_id, struct feed_folder *ret,
				 struct problem *problem)
{
	_cleanup_(closep) int dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum feed_fault fault;
	int r;

	if (dirfd < 0) {
		problem_at(problem, path, 0, 0);
		(void)problem_set(problem, errno, "cannot be read: %s", strerrordesc_np(errno));
		return FEED_MALFORMED;
	}
	fault = read_trusts(dirfd, ret, problem);
	if (fault != FEED_FINE)
		return fault;
	if (!tenant_id)
		tenant_id = strrchr(ret->trust.origin, '/') + 1;
	r = read_file(dirfd, "head", NOTE_BYTES_MAX, &ret->head_note, problem);
	if (r < 0)
		return fault_of(r);
	fault = feed_head_read(ret->head_note.data, ret->head_note.length, &ret->trust, 0, &ret->head, problem);
	if (fault == FEED_FINE)
		fault = read_snapshot(dirfd, tenant_id, ret, problem);
	if (fault == FEED_FINE)
		fault = read_deltas(dirfd, ret, problem);
	if (fault == FEED_FINE && problem)
		*problem = (struct problem){0}; /* of files that need not be there */
	return fault;
}
