/* SPDX-License-Identifier: MIT
 *
 * The file: magic and the set's digest in the clear, so that a start can tell without unsealing whether it is of
 * this set; then, sealed: magic, digest, count, and for each file path, hash and form, each length before its
 * bytes (little-endian). A form of length 0 lies apart.
 */
#include "directory/last_good.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "crypto/digest_stream.h"
#include "directory/compiled.h"
#include "directory/compiled_io.h"

#define PURPOSE "directory-last"
#define MAGIC "TNTLAST1"
#define MAGIC_BYTES 8U
#define HEAD_BYTES (MAGIC_BYTES + SHA256_BYTES)
#define FILES_MAX 4001U /* directory.yaml and its drop-ins */
#define FILE_BYTES_MIN (4U + 1U + SHA256_BYTES + 4U)

void last_good_free(struct last_good_file *files, uint32_t count)
{
	for (uint32_t i = 0; files && i < count; i++) {
		free(files[i].path);
		unit_unref(files[i].unit);
	}
	free(files);
}

int last_good_digest(const struct last_good_file *files, uint32_t count, uint8_t out[SHA256_BYTES])
{
	_cleanup_(sha256_stream_freep) struct sha256_stream *stream = NULL;
	int r = sha256_stream_new(&stream);

	if (r == 0)
		r = sha256_stream_add(stream, TENANTD_VERSION, sizeof(TENANTD_VERSION));
	for (uint32_t i = 0; r == 0 && i < count; i++) {
		r = sha256_stream_add(stream, files[i].path, strlen(files[i].path) + 1);
		if (r == 0)
			r = sha256_stream_add(stream, files[i].unit->source_hash, SHA256_BYTES);
	}
	return r < 0 ? r : sha256_stream_end(stream, out);
}

bool last_good_is(const char *directory, const uint8_t digest[SHA256_BYTES])
{
	_cleanup_(closep) int dirfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(closep) int fd =
		dirfd < 0 ? -1 : openat(dirfd, LAST_GOOD_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char head[HEAD_BYTES];

	return fd >= 0 && read(fd, head, sizeof(head)) == (ssize_t)sizeof(head) &&
	       memcmp(head, MAGIC, MAGIC_BYTES) == 0 && memcmp(head + MAGIC_BYTES, digest, SHA256_BYTES) == 0;
}

static void put_u32(struct buffer *out, uint32_t value)
{
	value = htole32(value);
	buffer_add(out, &value, sizeof(value));
}

static void put_head(struct buffer *out, const uint8_t digest[SHA256_BYTES])
{
	buffer_add(out, MAGIC, MAGIC_BYTES);
	buffer_add(out, digest, SHA256_BYTES);
}

static int put_file(struct buffer *out, const struct last_good_file *file)
{
	_cleanup_(buffer_finish) struct buffer form = {.wipe = true};
	int r = file->apart ? 0 : compiled_write(file->unit, &form);

	if (r < 0)
		return r;
	if (form.length > UINT32_MAX)
		return -EFBIG;
	put_u32(out, (uint32_t)strlen(file->path));
	buffer_add_text(out, file->path);
	buffer_add(out, file->unit->source_hash, SHA256_BYTES);
	put_u32(out, (uint32_t)form.length);
	buffer_add(out, form.data, form.length);
	return out->failed ? -ENOMEM : 0;
}

int last_good_store(const char *directory, const struct seal_key *key, const struct last_good_file *files,
		    uint32_t count, const uint8_t digest[SHA256_BYTES])
{
	_cleanup_(buffer_finish) struct buffer plain = {.wipe = true}, sealed = BUFFER_INIT;
	_cleanup_(closep) int dirfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (dirfd < 0)
		return -errno;
	put_head(&plain, digest);
	put_u32(&plain, count);
	for (uint32_t i = 0; r == 0 && i < count; i++)
		r = put_file(&plain, &files[i]);
	if (r < 0)
		return r;
	put_head(&sealed, digest);
	if (plain.failed || sealed.failed)
		return -ENOMEM;
	r = seal(key, PURPOSE, plain.data, plain.length, &sealed);
	return r < 0 ? r : file_replace(dirfd, LAST_GOOD_NAME, sealed.data, sealed.length, 0600, NULL);
}

/* Reads past the end give NULL and set `bad`. */
struct reader {
	const char *data;
	size_t left;
	bool bad;
};

static const void *take(struct reader *reader, size_t size)
{
	const char *at = reader->data;

	if (reader->bad || size > reader->left) {
		reader->bad = true;
		return NULL;
	}
	reader->data += size;
	reader->left -= size;
	return at;
}

static uint32_t take_u32(struct reader *reader)
{
	const void *at = take(reader, sizeof(uint32_t));
	uint32_t value = 0;

	if (at)
		memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

static int take_file(struct reader *reader, const char *directory, const struct seal_key *key,
		     struct last_good_file *ret)
{
	uint32_t path_length = take_u32(reader), form_length;
	const char *path = take(reader, path_length), *form;
	const uint8_t *hash = take(reader, SHA256_BYTES);

	form_length = take_u32(reader);
	form = take(reader, form_length);
	if (reader->bad || path_length == 0 || path_length >= PATH_MAX || memchr(path, '\0', path_length))
		return -EBADMSG;
	ret->path = strndup(path, path_length);
	if (!ret->path)
		return -ENOMEM;
	ret->apart = form_length == 0;
	if (ret->apart)
		return compiled_load_last(directory, key, ret->path, hash, &ret->unit);
	return compiled_read_last(ret->path, hash, form, form_length, &ret->unit);
}

static int take_files(struct reader *reader, const char *directory, const struct seal_key *key, const char *path,
		      struct last_good_file *files, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		int r = take_file(reader, directory, key, &files[i]);

		/* A form that should lie apart and does not. */
		if (r < 0)
			return r == -ENOENT ? -EBADMSG : r;
	}
	/* Another directory's record is none of this one's. */
	return reader->left > 0 || strcmp(files[0].path, path) != 0 ? -EBADMSG : 0;
}

int last_good_load(const char *directory, const struct seal_key *key, const char *path, struct last_good_file **ret,
		   uint32_t *ret_count)
{
	_cleanup_(buffer_finish) struct buffer plain = {.wipe = true}, sealed = BUFFER_INIT;
	_cleanup_(closep) int dirfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct last_good_file *files;
	struct reader reader;
	uint32_t count;
	int r;

	if (dirfd < 0)
		return -errno;
	r = file_read(dirfd, LAST_GOOD_NAME, COMPILED_BYTES_MAX, FILE_TRUST_OWNER, geteuid(), &sealed, NULL);
	if (r < 0)
		return r;
	if (sealed.length < HEAD_BYTES)
		return -EBADMSG;
	r = unseal(key, PURPOSE, sealed.data + HEAD_BYTES, sealed.length - HEAD_BYTES, &plain);
	if (r < 0)
		return r;
	/* The clear copy of the head is only a hint, but it tells what last_good_is believes. */
	if (plain.length < HEAD_BYTES || memcmp(plain.data, sealed.data, HEAD_BYTES) != 0 ||
	    memcmp(plain.data, MAGIC, MAGIC_BYTES) != 0)
		return -EBADMSG;
	buffer_finish(&sealed);
	reader = (struct reader){.data = plain.data + HEAD_BYTES, .left = plain.length - HEAD_BYTES};
	count = take_u32(&reader);
	if (reader.bad || count == 0 || count > FILES_MAX || (uint64_t)count * FILE_BYTES_MIN > reader.left)
		return -EBADMSG;
	files = calloc(count, sizeof(*files));
	if (!files)
		return -ENOMEM;
	r = take_files(&reader, directory, key, path, files, count);
	if (r < 0) {
		last_good_free(files, count);
		return r;
	}
	*ret = files;
	*ret_count = count;
	return 0;
}

int last_good_forget(const char *directory)
{
	_cleanup_(closep) int dirfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dirfd < 0)
		return -errno;
	return unlinkat(dirfd, LAST_GOOD_NAME, 0) < 0 && errno != ENOENT ? -errno : 0;
}
