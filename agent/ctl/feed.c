/* SPDX-License-Identifier: MIT
 *
 * tenantctl feed verify: files of a feed, checked as a host would check them, with no network and no agent. What a
 * file is, its first bytes say.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/parse.h"
#include "base/text.h"
#include "ctl/verbs.h"
#include "feed/delta.h"
#include "feed/line.h"
#include "json/json_write.h"

#define FILES_MAX 1024U
#define BYTES_MAX ((size_t)512 * 1024 * 1024)
#define DETAIL_MAX PROBLEM_TEXT_MAX

enum file_kind { FILE_TRUST, FILE_HEAD, FILE_SNAPSHOT, FILE_FRAME, FILE_DELTAS, FILE_UNKNOWN };
static const char *const kind_words[] = {
	[FILE_TRUST] = "trust",   [FILE_HEAD] = "head",     [FILE_SNAPSHOT] = "snapshot",
	[FILE_FRAME] = "records", [FILE_DELTAS] = "deltas", [FILE_UNKNOWN] = "unknown",
};

struct checked_file {
	char *path;
	enum file_kind kind;
	struct buffer bytes;
	uint64_t version; /* of a trust document, for the order */
	enum feed_fault fault;
	char detail[DETAIL_MAX];
};

struct checking {
	struct checked_file *files;
	size_t count;
	int64_t now;
	bool has_trust, has_head, has_snapshot;
	struct feed_trust trust;
	struct feed_head head;
	struct feed_snapshot snapshot;
	const struct checked_file *snapshot_file;
	struct feed_line *line;
	struct feed_run run;
};

static void checking_finish(struct checking *checking)
{
	for (size_t i = 0; i < checking->count; i++) {
		free(checking->files[i].path);
		buffer_finish(&checking->files[i].bytes);
	}
	free(checking->files);
	feed_line_free(checking->line);
	feed_run_finish(&checking->run);
}

static bool begins(const struct buffer *bytes, const char *text)
{
	return bytes->length >= strlen(text) && memcmp(bytes->data, text, strlen(text)) == 0;
}

static enum file_kind kind_of(const struct buffer *bytes)
{
	if (begins(bytes, "tenantd-feed-trust/"))
		return FILE_TRUST;
	if (begins(bytes, "tenantd-feed-head/"))
		return FILE_HEAD;
	if (begins(bytes, "tenantd-feed-snapshot/"))
		return FILE_SNAPSHOT;
	if (begins(bytes, "\x28\xB5\x2F\xFD"))
		return FILE_FRAME;
	return begins(bytes, "{") ? FILE_DELTAS : FILE_UNKNOWN;
}

static int add_file(struct checking *checking, const char *path)
{
	struct checked_file *file = &checking->files[checking->count];
	int r;

	if (checking->count == FILES_MAX)
		return -E2BIG;
	*file = (struct checked_file){.path = strdup(path)};
	checking->count++;
	if (!file->path)
		return -ENOMEM;
	r = file_read(AT_FDCWD, path, BYTES_MAX, FILE_TRUST_ANY, 0, &file->bytes, NULL);
	file->kind = kind_of(&file->bytes);
	return r;
}

/* The names that docs/feed.md gives to a folder's files. */
static int add_folder(struct checking *checking, const char *path)
{
	static const char *const names[] = {"head", "snapshot", "snapshot.zst", "deltas"};
	size_t before = checking->count;
	char name[4096];
	struct stat st;
	int r = 0;

	for (unsigned i = 1; r == 0 && i < FILES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "%s/trust.%u", path, i);
		if (stat(name, &st) == 0)
			r = add_file(checking, name);
		else if (checking->count > before)
			break;
	}
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(names); i++) {
		(void)snprintf(name, sizeof(name), "%s/%s", path, names[i]);
		if (stat(name, &st) == 0)
			r = add_file(checking, name);
	}
	return r == 0 && checking->count == before ? -ENOENT : r;
}

static int add_path(struct checking *checking, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	return S_ISDIR(st.st_mode) ? add_folder(checking, path) : add_file(checking, path);
}

/* What a file's check found, for the table. */
static void _printf_(3, 4) found(struct checked_file *file, enum feed_fault fault, const char *format, ...)
{
	va_list ap;

	file->fault = fault;
	va_start(ap, format);
	(void)vsnprintf(file->detail, sizeof(file->detail), format, ap);
	va_end(ap);
}

static void check_trust(struct checking *checking, struct checked_file *file)
{
	struct feed_trust trust;
	struct problem problem = {0};
	enum feed_fault fault = feed_trust_read(file->bytes.data, file->bytes.length,
						checking->has_trust ? &checking->trust : NULL, &trust, &problem);

	if (fault != FEED_FINE) {
		found(file, fault, "%s", problem.text);
		return;
	}
	checking->trust = trust;
	checking->has_trust = true;
	found(file, fault, "version %" PRIu64 ", epoch %" PRIu64 ", %" PRIu32 " key%s", trust.version, trust.epoch,
	      trust.key_count, trust.key_count == 1 ? "" : "s");
}

static void check_head(struct checking *checking, struct checked_file *file)
{
	char until[TIME_TEXT_SIZE];
	struct problem problem = {0};
	enum feed_fault fault = feed_head_read(file->bytes.data, file->bytes.length, &checking->trust, checking->now,
					       &checking->head, &problem);

	if (fault != FEED_FINE) {
		found(file, fault, "%s", problem.text);
		return;
	}
	checking->has_head = true;
	found(file, fault, "epoch %" PRIu64 ", revision %" PRIu64 ", until %s", checking->head.epoch,
	      checking->head.revision, format_time(checking->head.expires, until));
}

static void check_snapshot(struct checking *checking, struct checked_file *file)
{
	struct problem problem = {0};
	enum feed_fault fault = feed_snapshot_read(file->bytes.data, file->bytes.length, &checking->trust,
						   checking->now, &checking->snapshot, &problem);

	if (fault != FEED_FINE) {
		found(file, fault, "%s", problem.text);
		return;
	}
	checking->has_snapshot = true;
	checking->snapshot_file = file;
	found(file, fault, "epoch %" PRIu64 ", revision %" PRIu64 ", %" PRIu64 " records", checking->snapshot.epoch,
	      checking->snapshot.revision, checking->snapshot.records);
}

static void check_frame(struct checking *checking, struct checked_file *file)
{
	const char *tenant_id = strrchr(checking->trust.origin, '/') + 1;
	struct problem problem = {0};
	enum feed_fault fault = FEED_TOO_LARGE;

	if (!checking->has_snapshot) {
		found(file, FEED_UNSIGNED, "there is no good snapshot note for it");
		return;
	}
	(void)problem_set(&problem, ENOMEM, "out of memory");
	if (!checking->line && feed_line_new(tenant_id, &checking->snapshot, checking->snapshot_file->bytes.data,
					     checking->snapshot_file->bytes.length, &checking->line) == 0) {
		problem = (struct problem){0};
		fault = feed_line_add(checking->line, file->bytes.data, file->bytes.length, &problem);
		if (fault == FEED_FINE)
			fault = feed_line_end(checking->line, &problem);
	}
	if (fault != FEED_FINE) {
		feed_line_free(TAKE_PTR(checking->line));
		found(file, fault, "%s", problem.text);
		return;
	}
	found(file, fault, "%" PRIu64 " records in order", checking->snapshot.records);
}

/* One delta a line. Form and order here; the chain and the records once head and snapshot are known. */
static void check_deltas(struct checking *checking, struct checked_file *file)
{
	uint64_t first = 0, last = 0;
	struct problem problem = {0};
	enum feed_fault fault = FEED_FINE;
	size_t at = 0;

	while (fault == FEED_FINE && at < file->bytes.length) {
		const char *start = file->bytes.data + at, *end = memchr(start, '\n', file->bytes.length - at);
		size_t length = end ? (size_t)(end - start) : file->bytes.length - at;
		struct delta delta;

		fault = delta_read(start, length, checking->trust.origin, &delta, &problem);
		if (fault != FEED_FINE)
			break;
		if (last > 0 && delta.prev != last) {
			fault = FEED_GAP;
			(void)problem_set(&problem, EBADMSG, "revision %" PRIu64 " follows on %" PRIu64, delta.rev,
					  last);
		} else if (delta.epoch != checking->trust.epoch) {
			fault = FEED_OTHER_EPOCH;
			(void)problem_set(&problem, EBADMSG, "revision %" PRIu64 " is of epoch %" PRIu64, delta.rev,
					  delta.epoch);
		} else {
			fault = feed_run_add(&checking->run, start, length, &problem);
		}
		first = first > 0 ? first : delta.rev;
		last = delta.rev;
		delta_finish(&delta);
		at += length + 1;
	}
	if (fault != FEED_FINE) {
		feed_run_clear(&checking->run);
		found(file, fault, "%s", problem.text);
		return;
	}
	found(file, fault, "revisions %" PRIu64 " to %" PRIu64, first, last);
}

/* From the snapshot through the deltas to the head. Found faults stand with the head, which is what says so. */
static void check_chain(struct checking *checking)
{
	struct problem problem = {0};
	enum feed_fault fault;
	uint32_t count;

	if (!checking->line || !checking->has_head)
		return;
	fault = feed_line_apply(checking->line, &checking->run, &checking->head, NULL, &count, &problem);
	for (size_t i = 0; i < checking->count; i++)
		if (checking->files[i].kind == FILE_HEAD && fault != FEED_FINE)
			found(&checking->files[i], fault, "%s", problem.text);
}

static int compare_files(const void *a, const void *b)
{
	const struct checked_file *one = a, *other = b;

	if (one->kind != other->kind)
		return one->kind < other->kind ? -1 : 1;
	if (one->version != other->version)
		return one->version < other->version ? -1 : 1;
	return strcmp(one->path, other->path);
}

static void check_files(struct checking *checking)
{
	static void (*const checks[])(struct checking *, struct checked_file *) = {
		[FILE_TRUST] = check_trust, [FILE_HEAD] = check_head,     [FILE_SNAPSHOT] = check_snapshot,
		[FILE_FRAME] = check_frame, [FILE_DELTAS] = check_deltas,
	};
	struct feed_trust trust;

	/* Trust documents in the order of their versions, then what they speak for. */
	for (size_t i = 0; i < checking->count; i++) {
		struct checked_file *file = &checking->files[i];

		if (file->kind == FILE_TRUST &&
		    feed_trust_read(file->bytes.data, file->bytes.length, NULL, &trust, NULL) == FEED_FINE)
			file->version = trust.version;
	}
	qsort(checking->files, checking->count, sizeof(*checking->files), compare_files);
	for (size_t i = 0; i < checking->count; i++) {
		struct checked_file *file = &checking->files[i];

		if (file->kind == FILE_UNKNOWN)
			found(file, FEED_MALFORMED, "no file of a feed");
		else if (file->kind != FILE_TRUST && !checking->has_trust)
			found(file, FEED_UNSIGNED, "there is no good trust document for it");
		else
			checks[file->kind](checking, file);
	}
	check_chain(checking);
}

static int print_json(const struct checking *checking, bool fine)
{
	_cleanup_(buffer_finish) struct buffer out = BUFFER_INIT;
	struct json_writer w = json_writer(&out);

	json_begin(&w, NULL, '{');
	json_put_bool(&w, "fine", fine);
	json_put_string_if(&w, "origin", checking->trust.origin);
	if (checking->has_head) {
		json_put_u64(&w, "epoch", checking->head.epoch);
		json_put_u64(&w, "revision", checking->head.revision);
	}
	json_begin(&w, "files", '[');
	for (size_t i = 0; i < checking->count; i++) {
		const struct checked_file *file = &checking->files[i];

		json_begin(&w, NULL, '{');
		json_put_string(&w, "file", file->path);
		json_put_string(&w, "kind", kind_words[file->kind]);
		json_put_string(&w, "result", feed_fault_word(file->fault));
		json_put_string(&w, "detail", file->detail);
		json_end(&w, '}');
	}
	json_end(&w, ']');
	json_end(&w, '}');
	return ctl_print_json(&out);
}

static int print_table(const struct checking *checking)
{
	static const char *const titles[] = {"FILE", "KIND", "RESULT", "DETAIL"};
	struct ctl_table table;
	bool failed;

	ctl_table_begin(&table, ARRAY_LEN(titles), titles);
	for (size_t i = 0; i < checking->count; i++) {
		ctl_table_cell(&table, checking->files[i].path);
		ctl_table_cell(&table, kind_words[checking->files[i].kind]);
		ctl_table_cell(&table, feed_fault_word(checking->files[i].fault));
		ctl_table_cell(&table, checking->files[i].detail);
	}
	ctl_table_print(&table, stdout);
	failed = table.failed || fflush(stdout) != 0;
	ctl_table_finish(&table);
	return failed ? CTL_BROKEN : CTL_OK;
}

static int finish(const struct ctl *ctl, const struct checking *checking)
{
	bool fine = true;
	int code;

	for (size_t i = 0; i < checking->count; i++)
		fine = fine && checking->files[i].fault == FEED_FINE;
	code = ctl->json ? print_json(checking, fine) : print_table(checking);
	if (code != CTL_OK)
		return code;
	return fine ? CTL_OK : CTL_NO;
}

/* A trust document that one has from elsewhere: what is checked has to follow on it. */
static int take_anchor(const struct ctl *ctl, struct checking *checking, const char *path)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	struct problem problem = {0};
	int r = file_read(AT_FDCWD, path, NOTE_BYTES_MAX, FILE_TRUST_ANY, 0, &note, NULL);

	problem_at(&problem, path, 0, 0);
	if (r < 0)
		return ctl_fail(ctl, CTL_BROKEN, "%s: %s", path, strerrordesc_np(-r));
	if (feed_trust_read(note.data, note.length, NULL, &checking->trust, &problem) != FEED_FINE)
		return ctl_fail_problem(ctl, CTL_NO, &problem);
	checking->has_trust = true;
	return CTL_OK;
}

static int verify(struct ctl *ctl, int argc, char **argv)
{
	const char *trust = NULL, *now = NULL;
	const struct ctl_option options[] = {
		{.name = "trust", .metavar = "FILE", .help = "a trust document that you have already", .value = &trust},
		{.name = "now", .metavar = "TIME", .help = "check as of this time, not of now", .value = &now},
	};
	const struct ctl_command command = {
		.name = "feed verify",
		.usage = "FILE… [OPTIONS]",
		.text = "Checks files of a feed as a host would, without network and agent: signatures, times, "
			"hashes,\n"
			"every record, and the chain from the snapshot through the deltas to the head. A folder "
			"stands\n"
			"for what `tenant-control export` writes there. Without --trust the first trust document is\n"
			"believed as it is; with it, those among the files have to follow on that one.\n"
			"Exit code: 0 all is in order; 1 something is not; 3 a file cannot be read.\n",
		.options = options,
		.option_count = ARRAY_LEN(options),
		.min = 1,
		.max = -1,
	};
	_cleanup_(checking_finish) struct checking checking = {.now = clock_realtime_sec()};
	int count, code = ctl_parse(ctl, &command, argc, argv, &count), r;

	if (code >= 0)
		return code;
	if (now && (parse_time(now, &checking.now) < 0 || checking.now == 0))
		return ctl_fail(ctl, CTL_USAGE, "--now takes a time such as 2026-11-22T08:00:00Z");
	checking.files = calloc(FILES_MAX, sizeof(*checking.files));
	if (!checking.files)
		return ctl_fail(ctl, CTL_BROKEN, "out of memory");
	code = trust ? take_anchor(ctl, &checking, trust) : CTL_OK;
	if (code != CTL_OK)
		return code;
	for (int i = 0; i < count; i++) {
		r = add_path(&checking, argv[i]);
		if (r < 0)
			return ctl_fail(ctl, CTL_BROKEN, "%s: %s", argv[i], strerrordesc_np(-r));
	}
	check_files(&checking);
	return finish(ctl, &checking);
}

int ctl_feed(struct ctl *ctl, int argc, char **argv)
{
	static const struct ctl_verb verbs[] = {{"verify", verify, "check files of a feed"}};

	return ctl_dispatch(ctl, "tenantctl feed",
			    "What comes from a control plane: signed trust documents, heads, snapshots and deltas.\n",
			    verbs, ARRAY_LEN(verbs), argc - 1, argv + 1);
}
