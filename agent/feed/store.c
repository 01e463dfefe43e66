/* SPDX-License-Identifier: MIT */
#include "feed/store.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "feed/feed.h"

#define STATE_NAME "state"
#define STATE_PURPOSE "feed-state"
#define STATE_MAGIC "TNTFEED1"
#define STATE_MAGIC_BYTES 8U
#define STATE_BYTES_MAX ((size_t)64 * NOTE_BYTES_MAX)
#define SNAPSHOT_PURPOSE "feed-snapshot"
#define DELTA_PURPOSE "feed-delta"
#define PIECE_BYTES_MAX (FEED_DELTA_BYTES_MAX + 1024U) /* sealed */
#define NAME_MAX_BYTES_HERE 40U
#define PIECE_BYTES_LEAST 262144U /* of a snapshot, but for the last one */
#define SEALED_PIECE_MORE 64U     /* what sealing and its length add */

struct feed_store {
	char *directory;
	const struct seal_key *key;
	int dirfd;
	int snapshot_fd; /* of the generation being written; -1 */
	struct buffer sealed;
};

void feed_state_file_finish(struct feed_state_file *state)
{
	buffer_finish(&state->trusts);
	buffer_finish(&state->head);
	buffer_finish(&state->snapshot);
}

static int put_counted(struct buffer *out, const char *data, size_t length)
{
	uint32_t count = htole32((uint32_t)length);
	int r = buffer_add(out, &count, sizeof(count));

	return r < 0 ? r : buffer_add(out, data, length);
}

/* The counted bytes at *at; NULL past the end or when they do not fit. */
static const char *take_counted(const char *data, size_t size, size_t *at, size_t *ret_length)
{
	const char *found;
	uint32_t count;

	if (size - *at < sizeof(count))
		return NULL;
	memcpy(&count, data + *at, sizeof(count));
	count = le32toh(count);
	if (count > size - *at - sizeof(count))
		return NULL;
	found = data + *at + sizeof(count);
	*at += sizeof(count) + count;
	*ret_length = count;
	return found;
}

int feed_state_file_add_trust(struct feed_state_file *state, const char *note, size_t length)
{
	return put_counted(&state->trusts, note, length);
}

bool feed_state_file_next_trust(const struct feed_state_file *state, size_t *at, const char **ret_note,
				size_t *ret_length)
{
	const char *note = state->trusts.length > *at
				   ? take_counted(state->trusts.data, state->trusts.length, at, ret_length)
				   : NULL;

	*ret_note = note;
	return note != NULL;
}

void feed_store_close(struct feed_store *store)
{
	if (!store)
		return;
	if (store->snapshot_fd >= 0)
		(void)close(store->snapshot_fd);
	if (store->dirfd >= 0)
		(void)close(store->dirfd);
	buffer_finish(&store->sealed);
	free(store->directory);
	free(store);
}

int feed_store_open(const char *directory, const struct seal_key *key, struct feed_store **ret)
{
	_cleanup_(feed_store_closep) struct feed_store *store = calloc(1, sizeof(*store));

	if (!store)
		return -ENOMEM;
	store->dirfd = store->snapshot_fd = -1;
	store->key = key;
	store->directory = strdup(directory);
	if (!store->directory)
		return -ENOMEM;
	if (key) {
		if (mkdir(directory, 0700) < 0 && errno != EEXIST)
			return -errno;
		store->dirfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (store->dirfd < 0)
			return -errno;
	}
	*ret = TAKE_PTR(store);
	return 0;
}

static int take_state(const char *data, size_t size, struct feed_state_file *state)
{
	struct buffer *const parts[] = {&state->trusts, &state->head, &state->snapshot};
	size_t at = STATE_MAGIC_BYTES;
	uint64_t numbers[2];

	if (size < at + sizeof(numbers) + BOOT_ID_BYTES || memcmp(data, STATE_MAGIC, STATE_MAGIC_BYTES) != 0)
		return -EBADMSG;
	memcpy(numbers, data + at, sizeof(numbers));
	state->generation = le64toh(numbers[0]);
	state->fresh_until = le64toh(numbers[1]);
	at += sizeof(numbers);
	memcpy(state->boot_id, data + at, BOOT_ID_BYTES);
	state->boot_id[BOOT_ID_BYTES] = '\0';
	at += BOOT_ID_BYTES;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		size_t length;
		const char *part = take_counted(data, size, &at, &length);

		if (!part)
			return -EBADMSG;
		if (buffer_add(parts[i], part, length) < 0)
			return -ENOMEM;
	}
	return at == size ? 0 : -EBADMSG;
}

int feed_store_load(struct feed_store *store, struct feed_state_file *ret)
{
	_cleanup_(buffer_finish) struct buffer sealed = BUFFER_INIT, plain = BUFFER_INIT;
	struct feed_state_file state = {0};
	int r;

	if (!store->key)
		return -ENOENT;
	r = file_read(store->dirfd, STATE_NAME, STATE_BYTES_MAX, FILE_TRUST_OWNER, geteuid(), &sealed, NULL);
	if (r == 0)
		r = unseal(store->key, STATE_PURPOSE, sealed.data, sealed.length, &plain);
	if (r == 0)
		r = take_state(plain.data, plain.length, &state);
	if (r < 0) {
		feed_state_file_finish(&state);
		return r;
	}
	*ret = state;
	return 0;
}

/* Of use to nobody once `generation` is in force: what is older, and what a writer that was killed left behind. Newer
 * ones are being written. */
static bool is_left_over(const char *name, uint64_t generation)
{
	const char *dot = strchr(name, '.');
	unsigned long long number;
	char *end;

	if (strcmp(name, STATE_NAME) == 0)
		return false;
	if (!dot || (strncmp(name, "snapshot.", 9) != 0 && strncmp(name, "deltas.", 7) != 0))
		return true;
	number = strtoull(dot + 1, &end, 10);
	return end == dot + 1 || *end != '\0' || number < generation;
}

/* What stays behind by a failure here takes room and nothing else. */
static void remove_left_over(struct feed_store *store, uint64_t generation)
{
	int fd = openat(store->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *entries = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!entries) {
		if (fd >= 0)
			(void)close(fd);
		return;
	}
	while ((entry = readdir(entries)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    is_left_over(entry->d_name, generation))
			(void)unlinkat(store->dirfd, entry->d_name, 0);
	(void)closedir(entries);
}

int feed_store_save(struct feed_store *store, const struct feed_state_file *state)
{
	const uint64_t numbers[] = {htole64(state->generation), htole64(state->fresh_until)};
	struct buffer *out = &store->sealed;
	char boot_id[BOOT_ID_BYTES] = {0};
	int r;

	if (!store->key)
		return 0;
	memcpy(boot_id, state->boot_id, strnlen(state->boot_id, sizeof(boot_id)));
	buffer_clear(out);
	(void)buffer_add(out, STATE_MAGIC, STATE_MAGIC_BYTES);
	(void)buffer_add(out, numbers, sizeof(numbers));
	(void)buffer_add(out, boot_id, sizeof(boot_id));
	(void)put_counted(out, state->trusts.data, state->trusts.length);
	(void)put_counted(out, state->head.data, state->head.length);
	(void)put_counted(out, state->snapshot.data, state->snapshot.length);
	if (out->failed)
		return -ENOMEM;
	r = seal_in_place(store->key, STATE_PURPOSE, out);
	if (r == 0)
		r = file_replace(store->dirfd, STATE_NAME, out->data, out->length, 0600, NULL);
	if (r == 0)
		remove_left_over(store, state->generation);
	return r;
}

static int open_generation(const struct feed_store *store, const char *what, uint64_t generation, int flags)
{
	char name[NAME_MAX_BYTES_HERE];
	int fd;

	(void)snprintf(name, sizeof(name), "%s.%" PRIu64, what, generation);
	fd = openat(store->dirfd, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600);
	return fd < 0 ? -errno : fd;
}

/* What a disk that is full has no room for is better known before it is fetched. A file system that cannot tell says
 * so when it is written. */
static int reserve(int fd, uint64_t bytes)
{
	uint64_t sealed = bytes + (bytes / PIECE_BYTES_LEAST + 1) * SEALED_PIECE_MORE;

	if (sealed > INT64_MAX)
		return -EFBIG;
	if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)sealed) < 0 && (errno == ENOSPC || errno == EDQUOT))
		return -errno;
	return 0;
}

int feed_store_begin(struct feed_store *store, uint64_t generation, uint64_t bytes)
{
	int fd, r;

	if (!store->key)
		return 0;
	if (store->snapshot_fd >= 0)
		(void)close(TAKE_FD(store->snapshot_fd));
	fd = open_generation(store, "deltas", generation, O_WRONLY | O_CREAT | O_TRUNC);
	if (fd < 0)
		return fd;
	(void)close(fd);
	fd = open_generation(store, "snapshot", generation, O_WRONLY | O_CREAT | O_TRUNC);
	if (fd < 0)
		return fd;
	store->snapshot_fd = fd;
	r = reserve(fd, bytes);
	if (r < 0)
		feed_store_abandon(store, generation);
	return r;
}

void feed_store_abandon(struct feed_store *store, uint64_t generation)
{
	static const char *const parts[] = {"snapshot", "deltas"};
	char name[NAME_MAX_BYTES_HERE];

	if (!store->key)
		return;
	if (store->snapshot_fd >= 0)
		(void)close(TAKE_FD(store->snapshot_fd));
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		(void)snprintf(name, sizeof(name), "%s.%" PRIu64, parts[i], generation);
		(void)unlinkat(store->dirfd, name, 0);
	}
}

bool feed_store_has_room(struct feed_store *store, uint64_t generation, uint64_t bytes)
{
	if (feed_store_begin(store, generation, bytes) < 0)
		return false;
	feed_store_abandon(store, generation);
	return true;
}

/* Seals one piece into store->sealed, with its length before it. */
static int seal_piece(struct feed_store *store, const char *purpose, const void *data, size_t length)
{
	struct buffer *out = &store->sealed;
	uint32_t count = 0;
	int r;

	buffer_clear(out);
	r = buffer_add(out, &count, sizeof(count));
	if (r == 0)
		r = seal(store->key, purpose, data, length, out);
	if (r < 0)
		return r;
	if (out->length - sizeof(count) > PIECE_BYTES_MAX)
		return -EMSGSIZE;
	count = htole32((uint32_t)(out->length - sizeof(count)));
	memcpy(out->data, &count, sizeof(count));
	return 0;
}

int feed_store_add_piece(struct feed_store *store, const void *data, size_t length)
{
	int r;

	if (!store->key)
		return 0;
	r = seal_piece(store, SNAPSHOT_PURPOSE, data, length);
	return r < 0 ? r : fd_write_all(store->snapshot_fd, store->sealed.data, store->sealed.length);
}

int feed_store_sync_snapshot(struct feed_store *store)
{
	int r;

	if (!store->key)
		return 0;
	r = fsync(store->snapshot_fd) < 0 ? -errno : 0;
	if (close(TAKE_FD(store->snapshot_fd)) < 0 && r == 0 && errno != EINTR)
		r = -errno;
	/* The name, too. */
	if (r == 0 && fsync(store->dirfd) < 0)
		r = -errno;
	return r;
}

int feed_store_add_delta(struct feed_store *store, uint64_t generation, uint64_t offset, const void *data,
			 size_t length, uint64_t *ret_end)
{
	_cleanup_(closep) int fd = -1;
	int r;

	if (!store->key) {
		*ret_end = offset + length;
		return 0;
	}
	fd = open_generation(store, "deltas", generation, O_WRONLY);
	if (fd < 0)
		return fd;
	if (ftruncate(fd, (off_t)offset) < 0 || lseek(fd, 0, SEEK_END) < 0)
		return -errno;
	r = seal_piece(store, DELTA_PURPOSE, data, length);
	if (r == 0)
		r = fd_write_all(fd, store->sealed.data, store->sealed.length);
	if (r == 0)
		*ret_end = offset + store->sealed.length;
	return r;
}

int feed_store_sync_deltas(struct feed_store *store, uint64_t generation)
{
	_cleanup_(closep) int fd = -1;

	if (!store->key)
		return 0;
	fd = open_generation(store, "deltas", generation, O_WRONLY);
	if (fd < 0)
		return fd;
	return fsync(fd) < 0 ? -errno : 0;
}

/* Fills `ret` with exactly `length` bytes; 0, or -ENODATA when the file ends before. */
static int read_exactly(int fd, struct buffer *ret, size_t length)
{
	buffer_clear(ret);
	while (ret->length < length) {
		char *room = buffer_reserve(ret, length - ret->length);
		ssize_t n;

		if (!room)
			return -ENOMEM;
		n = read(fd, room, length - ret->length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		ret->length += (size_t)n;
	}
	return 0;
}

static int read_pieces(struct feed_store *store, const char *what, const char *purpose, uint64_t generation,
		       feed_store_piece_fn piece, void *context)
{
	_cleanup_(buffer_finish) struct buffer plain = {.wipe = true};
	_cleanup_(closep) int fd = -1;
	struct buffer *sealed = &store->sealed;
	uint64_t end = 0;
	int r;

	if (!store->key)
		return -ENOENT;
	fd = open_generation(store, what, generation, O_RDONLY);
	if (fd < 0)
		return fd;
	for (;;) {
		uint32_t count;

		r = read_exactly(fd, sealed, sizeof(count));
		if (r < 0)
			return r == -ENODATA ? 0 : r;
		memcpy(&count, sealed->data, sizeof(count));
		count = le32toh(count);
		if (count > PIECE_BYTES_MAX)
			return -EBADMSG;
		r = read_exactly(fd, sealed, count);
		if (r < 0)
			return r == -ENODATA ? 0 : r;
		buffer_clear(&plain);
		r = unseal(store->key, purpose, sealed->data, sealed->length, &plain);
		if (r < 0)
			return r;
		end += sizeof(count) + count;
		r = piece(context, plain.data, plain.length, end);
		if (r != 0)
			return r;
	}
}

int feed_store_read_snapshot(struct feed_store *store, uint64_t generation, feed_store_piece_fn piece, void *context)
{
	return read_pieces(store, "snapshot", SNAPSHOT_PURPOSE, generation, piece, context);
}

int feed_store_read_deltas(struct feed_store *store, uint64_t generation, feed_store_piece_fn piece, void *context)
{
	return read_pieces(store, "deltas", DELTA_PURPOSE, generation, piece, context);
}

int feed_store_wipe(struct feed_store *store)
{
	int r = 0;

	if (!store->key)
		return 0;
	/* The state first: what is left without it is nobody's. */
	if (unlinkat(store->dirfd, STATE_NAME, 0) < 0 && errno != ENOENT)
		r = -errno;
	remove_left_over(store, UINT64_MAX);
	if (rmdir(store->directory) < 0 && errno != ENOENT && r == 0)
		r = -errno;
	return r;
}
