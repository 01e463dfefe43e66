/* SPDX-License-Identifier: MIT */
#include "directory/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "base/text.h"
#include "crypto/digest_stream.h"
#include "directory/compiled.h"
#include "directory/last_good.h"
#include "directory/unit.h"
#include "directory/yaml_load.h"

#define DROP_INS_MAX 4000U
#define SUFFIX ".yaml"
#define CACHED_BYTES_MIN 16384          /* smaller files parse as fast as they unseal */
#define STAMP_USEC (20 * USEC_PER_MSEC) /* file systems stamp times no finer than a tick */
#define TRIM_BYTES_MIN (1024 * 1024)

/* What tells that a file is still the one that was read. */
struct identity {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified, changed;
};

struct entry {
	char *path;
	struct identity identity;
	struct unit *unit;
	bool fresh;  /* its identity cannot be relied on: compare the content */
	bool stored; /* its compiled form lies in the cache */
};

struct directory_files {
	char *path, *drop_in_path, *folder_path, *cache_dir, *host_name;
	struct seal_key seal_key;
	bool trust_any;
	struct entry *entries;
	uint32_t count;
	struct directory *picture;
	bool read_large; /* since memory was given back last */
	bool recorded;   /* the entries, as what was accepted last */
};

int directory_files_new(const struct directory_files_options *options, struct directory_files **ret)
{
	_cleanup_(directory_files_freep) struct directory_files *files = calloc(1, sizeof(*files));
	const char *slash = strrchr(options->path, '/');

	if (!files)
		return -ENOMEM;
	files->path = strdup(options->path);
	files->host_name = strdup(options->host_name ? options->host_name : "");
	files->folder_path =
		slash ? strndup(options->path, slash == options->path ? 1 : (size_t)(slash - options->path))
		      : strdup(".");
	if (asprintf(&files->drop_in_path, "%s.d", options->path) < 0)
		files->drop_in_path = NULL;
	if (options->cache_dir) {
		files->cache_dir = strdup(options->cache_dir);
		files->seal_key = *options->seal_key;
	}
	files->trust_any = options->trust_any;
	if (!files->path || !files->host_name || !files->folder_path || !files->drop_in_path ||
	    (options->cache_dir && !files->cache_dir))
		return -ENOMEM;
	*ret = TAKE_PTR(files);
	return 0;
}

static void entries_free(struct entry *entries, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		free(entries[i].path);
		unit_unref(entries[i].unit);
	}
	free(entries);
}

void directory_files_free(struct directory_files *files)
{
	if (!files)
		return;
	entries_free(files->entries, files->count);
	directory_unref(files->picture);
	free(files->path);
	free(files->drop_in_path);
	free(files->folder_path);
	free(files->cache_dir);
	free(files->host_name);
	explicit_bzero(&files->seal_key, sizeof(files->seal_key));
	free(files);
}

bool directory_files_is_drop_in(const char *name)
{
	size_t length = strlen(name);

	return length > strlen(SUFFIX) && name[0] != '.' && name[0] != '#' &&
	       strcmp(name + length - strlen(SUFFIX), SUFFIX) == 0;
}

static int fail_at(struct problem *problem, int error, const char *path, const char *remedy, const char *text)
{
	problem_at(problem, path, 0, 0);
	problem_remedy(problem, "%s", remedy);
	return problem_set(problem, error, "%s", text);
}

static int fail_errno(struct problem *problem, int error, const char *path, const char *what)
{
	char text[128];

	snprintf(text, sizeof(text), "%s: %s", what, strerrordesc_np(error) ? strerrordesc_np(error) : "unknown error");
	return fail_at(problem, error, path, "", text);
}

static int check_trust(const struct directory_files *files, const struct stat *st, const char *path,
		       struct problem *problem)
{
	if (files->trust_any)
		return 0;
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return fail_at(problem, EINVAL, path, "chown root it", "it belongs to somebody else than root");
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return fail_at(problem, EINVAL, path, "chmod go-w it: who may write it decides who may sign in",
			       "others than its owner may write it");
	return 0;
}

/* The folder decides which file has the name. */
static int check_folder(const struct directory_files *files, const char *path, struct problem *problem)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOENT ? -ENOENT : fail_errno(problem, errno, path, "cannot look at it");
	if (!S_ISDIR(st.st_mode))
		return fail_at(problem, EINVAL, path, "", "it is not a directory");
	return check_trust(files, &st, path, problem);
}

static struct identity identity_of(const struct stat *st)
{
	return (struct identity){st->st_dev, st->st_ino, st->st_size, st->st_mtim, st->st_ctim};
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_identity(const struct identity *a, const struct identity *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       same_time(&a->modified, &b->modified) && same_time(&a->changed, &b->changed);
}

/* Changed so lately that one more change could carry the same time stamps? */
static bool is_fresh(const struct stat *st)
{
	uint64_t changed = (uint64_t)st->st_ctim.tv_sec * USEC_PER_SEC + (uint64_t)st->st_ctim.tv_nsec / 1000;

	return clock_realtime_usec() < changed + STAMP_USEC;
}

static int hash_file(int fd, uint8_t out[SHA256_BYTES])
{
	_cleanup_(sha256_stream_freep) struct sha256_stream *stream = NULL;
	char block[YAML_BLOCK_BYTES];
	int r = sha256_stream_new(&stream);

	while (r == 0) {
		ssize_t n = read(fd, block, sizeof(block));

		if (n < 0 && errno == EINTR)
			continue;
		r = n < 0   ? -errno
		    : n > 0 ? sha256_stream_add(stream, block, (size_t)n)
			    : sha256_stream_end(stream, out);
		if (n == 0)
			break;
	}
	secret_wipe(block, sizeof(block)); /* a provider's secret may stand in the file */
	return r;
}

/* The compiled form, if it is there and fits what the file holds now. */
static int load_compiled(const struct directory_files *files, int fd, const char *path, struct unit **ret)
{
	uint8_t hash[SHA256_BYTES];
	int r = hash_file(fd, hash);

	if (r == 0)
		r = compiled_load(files->cache_dir, &files->seal_key, path, hash, ret);
	return r;
}

static int load_open(struct directory_files *files, int fd, const struct stat *st, const struct entry *old,
		     struct entry *entry, struct problem *problem)
{
	struct stat after;
	int r = -ENOENT;

	if (!old && files->cache_dir && st->st_size >= CACHED_BYTES_MIN) {
		r = load_compiled(files, fd, entry->path, &entry->unit);
		entry->stored = r == 0;
		if (r < 0 && lseek(fd, 0, SEEK_SET) < 0)
			return fail_errno(problem, errno, entry->path, "cannot read it");
	}
	if (r < 0)
		r = directory_yaml_load_fd(entry->path, fd, &entry->unit, problem);
	if (fstat(fd, &after) < 0)
		return fail_errno(problem, errno, entry->path, "cannot look at it");
	/* Written while we read: whatever came of it says nothing. */
	if (after.st_size != st->st_size || !same_time(&after.st_mtim, &st->st_mtim))
		return fail_at(problem, EAGAIN, entry->path, "write a new file and rename it over the old one",
			       "it is being written in place");
	if (r < 0 && r != -EINVAL)
		return fail_errno(problem, -r, entry->path, "cannot read it");
	if (st->st_size >= TRIM_BYTES_MIN)
		files->read_large = true;
	return r;
}

static const struct entry *find_entry(const struct directory_files *files, const char *path)
{
	for (uint32_t i = 0; i < files->count; i++)
		if (strcmp(files->entries[i].path, path) == 0)
			return &files->entries[i];
	return NULL;
}

/* Fills entry->unit and ->identity; the path is set. -ENOENT when there is no such file. */
static int load_file(struct directory_files *files, struct entry *entry, struct problem *problem)
{
	const struct entry *old = find_entry(files, entry->path);
	_cleanup_(closep) int fd = open(entry->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	uint8_t hash[SHA256_BYTES];
	struct identity identity;
	struct stat st;
	bool same;
	int r;

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : fail_errno(problem, errno, entry->path, "cannot open it");
	if (fstat(fd, &st) < 0)
		return fail_errno(problem, errno, entry->path, "cannot look at it");
	if (!S_ISREG(st.st_mode))
		return fail_at(problem, EINVAL, entry->path, "", "it is not a regular file");
	r = check_trust(files, &st, entry->path, problem);
	if (r < 0)
		return r;
	identity = identity_of(&st);
	same = old && same_identity(&old->identity, &identity);
	entry->identity = identity;
	entry->fresh = is_fresh(&st);
	if (same && old->fresh) {
		same = hash_file(fd, hash) == 0 && memcmp(hash, old->unit->source_hash, SHA256_BYTES) == 0;
		if (lseek(fd, 0, SEEK_SET) < 0)
			return fail_errno(problem, errno, entry->path, "cannot read it");
	}
	r = same ? 0 : load_open(files, fd, &st, old, entry, problem);
	if (r < 0)
		return r;
	if (same || (old && memcmp(old->unit->source_hash, entry->unit->source_hash, SHA256_BYTES) == 0)) {
		unit_unref(entry->unit); /* at most touched */
		entry->unit = unit_ref(old->unit);
		entry->stored = old->stored;
	}
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void names_free(char ***names)
{
	for (char **name = *names; name && *name; name++)
		free(*name);
	free(*names);
}

/* NULL-terminated, sorted names of the drop-ins. */
static int list_drop_ins(const struct directory_files *files, char ***ret, uint32_t *ret_count, struct problem *problem)
{
	_cleanup_(names_free) char **names = calloc(DROP_INS_MAX + 1, sizeof(*names));
	uint32_t count = 0;
	DIR *dir;
	int r;

	if (!names)
		return -ENOMEM;
	r = check_folder(files, files->drop_in_path, problem);
	if (r < 0 && r != -ENOENT)
		return r;
	dir = r == 0 ? opendir(files->drop_in_path) : NULL;
	if (!dir && r == 0 && errno != ENOENT)
		return fail_errno(problem, errno, files->drop_in_path, "cannot list it");
	r = 0;
	for (struct dirent *entry; dir && r == 0 && (entry = readdir(dir));) {
		if (!directory_files_is_drop_in(entry->d_name))
			continue;
		if (count == DROP_INS_MAX)
			r = fail_at(problem, EINVAL, files->drop_in_path, "put several into one",
				    "more than 4000 files");
		else if (!(names[count++] = strdup(entry->d_name)))
			r = -ENOMEM;
	}
	if (dir)
		closedir(dir);
	if (r < 0)
		return r;
	qsort(names, count, sizeof(*names), compare_names);
	*ret = TAKE_PTR(names);
	*ret_count = count;
	return 0;
}

static int load_all(struct directory_files *files, struct entry *entries, uint32_t *ret_count, char *const *names,
		    struct problem *problem)
{
	int r;

	entries[0].path = strdup(files->path);
	if (!entries[0].path)
		return -ENOMEM;
	*ret_count = 1;
	r = load_file(files, &entries[0], problem);
	if (r == -ENOENT) {
		fail_at(problem, ENOENT, files->path, "`tenantctl directory init` makes one", "there is no such file");
		return r;
	}
	for (uint32_t i = 0; r == 0 && names[i]; i++) {
		struct entry *entry = &entries[*ret_count];

		if (asprintf(&entry->path, "%s/%s", files->drop_in_path, names[i]) < 0) {
			entry->path = NULL;
			return -ENOMEM;
		}
		r = load_file(files, entry, problem);
		if (r == -ENOENT) { /* gone since it was listed */
			free(TAKE_PTR(entry->path));
			r = 0;
		} else {
			++*ret_count;
		}
	}
	return r;
}

static bool same_units(const struct directory_files *files, const struct entry *entries, uint32_t count)
{
	if (!files->picture || count != files->count)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (files->entries[i].unit != entries[i].unit)
			return false;
	return true;
}

static int build(struct directory_files *files, const struct entry *entries, uint32_t count, struct problem *problem)
{
	_cleanup_(freep) struct unit **units = calloc(count, sizeof(*units));
	struct directory *picture;
	int r;

	if (!units)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		units[i] = entries[i].unit;
	r = directory_build(units, count, files->host_name, files->picture, &picture, problem);
	if (r < 0)
		return r;
	directory_unref(files->picture);
	files->picture = picture;
	return FILES_CHANGED;
}

static bool is_large(const struct entry *entry)
{
	return entry->unit->source_bytes >= CACHED_BYTES_MIN;
}

/* The entries as last_good.h wants them. Borrows; the array itself is the caller's. */
static int describe(const struct directory_files *files, struct last_good_file **ret, uint8_t digest[SHA256_BYTES])
{
	struct last_good_file *all = calloc((size_t)files->count + 1, sizeof(*all));
	int r;

	if (!all)
		return -ENOMEM;
	for (uint32_t i = 0; i < files->count; i++)
		all[i] = (struct last_good_file){.path = files->entries[i].path,
						 .unit = files->entries[i].unit,
						 .apart = is_large(&files->entries[i])};
	r = last_good_digest(all, files->count, digest);
	if (r < 0)
		free(all);
	else
		*ret = all;
	return r;
}

/* Before anybody acts on the new picture: a record of another set would bring back what this one took away. */
static void drop_other_record(struct directory_files *files)
{
	_cleanup_(freep) struct last_good_file *all = NULL;
	uint8_t digest[SHA256_BYTES];

	if (!files->cache_dir)
		return;
	files->recorded = describe(files, &all, digest) == 0 && last_good_is(files->cache_dir, digest);
	if (!files->recorded)
		directory_files_forget(files);
}

int directory_files_refresh(struct directory_files *files, struct problem *problem)
{
	_cleanup_(names_free) char **names = NULL;
	struct entry *entries;
	uint32_t name_count = 0, count = 0;
	int r = check_folder(files, files->folder_path, problem);

	if (r == -ENOENT) {
		fail_at(problem, ENOENT, files->path, "`tenantctl directory init` makes one", "there is no such file");
		return r;
	}
	if (r == 0)
		r = list_drop_ins(files, &names, &name_count, problem);
	if (r < 0)
		return r;
	entries = calloc((size_t)name_count + 1, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	r = load_all(files, entries, &count, names, problem);
	if (r == 0 && !same_units(files, entries, count))
		r = build(files, entries, count, problem);
	if (r < 0) {
		/* What was read well meanwhile is read again next time: simple, and failures are rare. */
		entries_free(entries, (uint32_t)name_count + 1);
		return r;
	}
	entries_free(files->entries, files->count);
	files->entries = entries;
	files->count = count;
	if (r == FILES_CHANGED)
		drop_other_record(files);
	return r;
}

void directory_files_forget(struct directory_files *files)
{
	/* Should it fail, the folder takes no writes at all, and there is nothing that could be done. */
	if (files->cache_dir)
		(void)last_good_forget(files->cache_dir);
	files->recorded = false;
}

/* The set of the record, but of each file what it says now where that can be read by itself, and without those
 * that were removed: a key revoked while no agent ran must not come back because another file is broken. NULL: out
 * of memory, or nothing is newer. */
static struct entry *take_newer(struct directory_files *files, const struct entry *last, uint32_t count,
				uint32_t *ret_count)
{
	struct entry *entries = calloc(count, sizeof(*entries));
	uint32_t used = 0;
	bool newer = false;

	for (uint32_t i = 0; entries && i < count; i++) {
		struct entry *entry = &entries[used];
		struct problem ignored = {0};
		int r;

		entry->path = strdup(last[i].path);
		r = entry->path ? load_file(files, entry, &ignored) : -ENOMEM;
		if (r == -ENOMEM || r == -ENOENT) {
			free(TAKE_PTR(entry->path));
			newer |= r == -ENOENT;
			if (r == -ENOENT)
				continue;
			newer = false;
			break;
		}
		if (r < 0) {
			unit_unref(entry->unit);
			*entry = (struct entry){.path = entry->path,
						.unit = unit_ref(last[i].unit),
						.fresh = true,
						.stored = last[i].stored};
		} else {
			newer |= memcmp(entry->unit->source_hash, last[i].unit->source_hash, SHA256_BYTES) != 0;
		}
		used++;
	}
	if (!newer || used == 0) {
		if (entries)
			entries_free(entries, used);
		return NULL;
	}
	*ret_count = used;
	return entries;
}

static void put_entries(struct directory_files *files, struct entry *entries, uint32_t count)
{
	entries_free(files->entries, files->count);
	files->entries = entries;
	files->count = count;
}

int directory_files_fall_back(struct directory_files *files)
{
	struct last_good_file *last;
	struct problem problem = {0};
	struct entry *entries, *newer;
	uint32_t count, newer_count = 0;
	int r = files->cache_dir ? last_good_load(files->cache_dir, &files->seal_key, files->path, &last, &count)
				 : -ENOENT;

	if (r < 0)
		return r;
	entries = calloc(count, sizeof(*entries));
	for (uint32_t i = 0; entries && i < count; i++)
		/* Without an identity: every file is read again at the next look. */
		entries[i] = (struct entry){.path = TAKE_PTR(last[i].path),
					    .unit = TAKE_PTR(last[i].unit),
					    .fresh = true,
					    .stored = last[i].apart};
	last_good_free(last, count);
	if (!entries)
		return -ENOMEM;
	newer = take_newer(files, entries, count, &newer_count);
	if (newer && build(files, newer, newer_count, &problem) >= 0) {
		entries_free(entries, count);
		put_entries(files, newer, newer_count);
		drop_other_record(files);
		directory_files_compile(files);
		return 0;
	}
	if (newer) /* they do not fit together */
		entries_free(newer, newer_count);
	r = build(files, entries, count, &problem);
	if (r < 0) {
		entries_free(entries, count);
		return r == -EINVAL ? -EBADMSG : r; /* another release's rules */
	}
	put_entries(files, entries, count);
	files->recorded = true;
	return 0;
}

struct directory *directory_files_picture(struct directory_files *files)
{
	return files->picture;
}

static void record(struct directory_files *files)
{
	_cleanup_(freep) struct last_good_file *all = NULL;
	uint8_t digest[SHA256_BYTES];

	files->recorded = describe(files, &all, digest) == 0 &&
			  last_good_store(files->cache_dir, &files->seal_key, all, files->count, digest) == 0;
}

void directory_files_compile(struct directory_files *files)
{
	_cleanup_(freep) struct unit **units = calloc((size_t)files->count + 1, sizeof(*units));
	bool wrote = false, complete = files->count > 0;

	for (uint32_t i = 0; units && i < files->count; i++)
		units[i] = files->entries[i].unit;
	for (uint32_t i = 0; units && files->cache_dir && i < files->count; i++) {
		struct entry *entry = &files->entries[i];

		if (entry->stored || !is_large(entry))
			continue;
		/* A cache: when it cannot be written the next start takes longer, and that is all. */
		entry->stored = compiled_store(files->cache_dir, &files->seal_key, entry->unit) == 0;
		wrote = files->read_large = true;
		complete &= entry->stored;
	}
	if (complete && units && files->cache_dir && !files->recorded)
		record(files);
	if (wrote)
		compiled_sweep(files->cache_dir, units, files->count);
	if (files->read_large)
		malloc_trim(0);
	files->read_large = false;
}

const char *directory_files_path(const struct directory_files *files, uint32_t number)
{
	return number < files->count ? files->entries[number].path : NULL;
}

struct unit *directory_files_unit(const struct directory_files *files, uint32_t number)
{
	return number < files->count ? files->entries[number].unit : NULL;
}
