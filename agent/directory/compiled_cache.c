/* SPDX-License-Identifier: MIT
 *
 * Compiled forms at rest: one sealed file a source, named by the source's hash.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "directory/compiled.h"
#include "directory/compiled_io.h"

#define PURPOSE "directory-cache"
#define NAME_PREFIX "directory-"
#define NAME_SUFFIX ".cache"
#define NAME_HASH_BYTES 16
#define NAME_SIZE (sizeof(NAME_PREFIX) + 2 * NAME_HASH_BYTES + sizeof(NAME_SUFFIX))

static const char *cache_name(const uint8_t hash[SHA256_BYTES], char out[NAME_SIZE])
{
	char hex[2 * NAME_HASH_BYTES + 1];

	text_to_hex(hash, NAME_HASH_BYTES, hex);
	snprintf(out, NAME_SIZE, NAME_PREFIX "%s" NAME_SUFFIX, hex);
	return out;
}

int compiled_store(const char *directory, const struct seal_key *key, const struct unit *unit)
{
	_cleanup_(buffer_finish) struct buffer form = {.wipe = unit->secrets != NULL};
	_cleanup_(closep) int dirfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[NAME_SIZE];
	int r;

	if (dirfd < 0)
		return -errno;
	r = compiled_write(unit, &form);
	if (r == 0)
		r = seal_in_place(key, PURPOSE, &form); /* large: one copy of it is enough */
	if (r == 0)
		r = file_replace(dirfd, cache_name(unit->source_hash, name), form.data, form.length, 0600, NULL);
	return r;
}

typedef int (*read_fn)(const char *name, const uint8_t source_hash[SHA256_BYTES], const void *data, size_t length,
		       struct unit **ret);

static int load(const char *directory, const struct seal_key *key, const char *name,
		const uint8_t source_hash[SHA256_BYTES], read_fn read_form, struct unit **ret)
{
	_cleanup_(buffer_finish) struct buffer plain = {.wipe = true}, sealed = BUFFER_INIT;
	_cleanup_(closep) int dirfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char file[NAME_SIZE];
	int r;

	if (dirfd < 0)
		return -errno;
	r = file_read(dirfd, cache_name(source_hash, file), COMPILED_BYTES_MAX, FILE_TRUST_OWNER, geteuid(), &sealed,
		      NULL);
	if (r == 0)
		r = unseal(key, PURPOSE, sealed.data, sealed.length, &plain);
	if (r < 0)
		return r;
	buffer_finish(&sealed); /* large: gone before the unit comes */
	return read_form(name, source_hash, plain.data, plain.length, ret);
}

int compiled_load(const char *directory, const struct seal_key *key, const char *name,
		  const uint8_t source_hash[SHA256_BYTES], struct unit **ret)
{
	return load(directory, key, name, source_hash, compiled_read, ret);
}

int compiled_load_last(const char *directory, const struct seal_key *key, const char *name,
		       const uint8_t source_hash[SHA256_BYTES], struct unit **ret)
{
	return load(directory, key, name, source_hash, compiled_read_last, ret);
}

void compiled_sweep(const char *directory, struct unit *const *units, uint32_t count)
{
	DIR *dir = opendir(directory);

	if (!dir)
		return;
	for (struct dirent *entry; (entry = readdir(dir));) {
		char name[NAME_SIZE];
		size_t length = strlen(entry->d_name);
		bool wanted = false;

		if (!text_starts(entry->d_name, NAME_PREFIX) || length != NAME_SIZE - 2 ||
		    strcmp(entry->d_name + length - strlen(NAME_SUFFIX), NAME_SUFFIX) != 0)
			continue;
		for (uint32_t i = 0; i < count && !wanted; i++)
			wanted = strcmp(cache_name(units[i]->source_hash, name), entry->d_name) == 0;
		if (!wanted)
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	}
	closedir(dir);
}
