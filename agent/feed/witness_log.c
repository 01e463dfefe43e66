/* SPDX-License-Identifier: MIT
 *
 * What is kept of a log on disk.
 */
#include "feed/witness_log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "json/json_read.h"
#include "json/json_write.h"

#define FOLDER "witness"
#define PATH_SIZE 512U
#define FILE_BYTES_MAX (128U * 1024)

void witness_log_finish(struct witness_log *log)
{
	free(log->note);
	*log = (struct witness_log){0};
}

static const char *name_of(const struct witness_log *log)
{
	return log->tenant_id[0] ? log->tenant_id : "platform";
}

static int path_of(const char *state_dir, const struct witness_log *log, char out[PATH_SIZE])
{
	return (size_t)snprintf(out, PATH_SIZE, "%s/" FOLDER "/%s", state_dir, name_of(log)) < PATH_SIZE
		       ? 0
		       : -ENAMETOOLONG;
}

/* One log's file does not pass as another's. */
static void purpose_of(const struct witness_log *log, char out[FEED_TENANT_ID_MAX + 32])
{
	(void)snprintf(out, FEED_TENANT_ID_MAX + 32, "audit-witness:%s", name_of(log));
}

struct stored {
	const char *origin, *note, *root;
	uint64_t size;
	int64_t forked_at;
	json_t *picks;
};
static const struct json_field fields[] = {
	{"origin", JSON_FIELD_STRING, offsetof(struct stored, origin), JSON_FIELD_REQUIRED},
	{"checkpoint", JSON_FIELD_STRING, offsetof(struct stored, note), JSON_FIELD_REQUIRED},
	{"size", JSON_FIELD_U64, offsetof(struct stored, size), JSON_FIELD_REQUIRED},
	{"root", JSON_FIELD_STRING, offsetof(struct stored, root), JSON_FIELD_REQUIRED},
	{"forked_at", JSON_FIELD_I64, offsetof(struct stored, forked_at), JSON_FIELD_REQUIRED},
	{"picks", JSON_FIELD_ARRAY, offsetof(struct stored, picks), JSON_FIELD_REQUIRED},
};
struct stored_pick {
	const char *id, *hash;
	uint64_t index;
	bool placed;
};
static const struct json_field pick_fields[] = {
	{"id", JSON_FIELD_STRING, offsetof(struct stored_pick, id), JSON_FIELD_REQUIRED},
	{"hash", JSON_FIELD_STRING, offsetof(struct stored_pick, hash), JSON_FIELD_REQUIRED},
	{"index", JSON_FIELD_U64, offsetof(struct stored_pick, index), JSON_FIELD_REQUIRED},
	{"placed", JSON_FIELD_BOOL, offsetof(struct stored_pick, placed), JSON_FIELD_REQUIRED},
};

static int read_pick(json_t *json, struct witness_pick *ret)
{
	struct stored_pick stored = {0};
	struct problem problem;
	const char *field;

	if (json_fields(json, pick_fields, ARRAY_LEN(pick_fields), &stored, &field, &problem) < 0 ||
	    strlen(stored.id) >= sizeof(ret->id) ||
	    text_from_hex(stored.hash, ret->hash.bytes, sizeof(ret->hash.bytes)) < 0)
		return -EBADMSG;
	(void)snprintf(ret->id, sizeof(ret->id), "%s", stored.id);
	ret->index = stored.index;
	ret->placed = stored.placed;
	return 0;
}

static int read_log(const struct buffer *plain, struct witness_log *log)
{
	_cleanup_(json_decrefp) json_t *json = NULL;
	struct stored stored = {0};
	struct problem problem;
	const char *field;
	json_t *pick;
	size_t i;

	if (json_read(plain->data, plain->length, &json, &problem) < 0 ||
	    json_fields(json, fields, ARRAY_LEN(fields), &stored, &field, &problem) < 0 ||
	    strlen(stored.origin) >= sizeof(log->origin) ||
	    text_from_hex(stored.root, log->root.bytes, sizeof(log->root.bytes)) < 0 ||
	    json_array_size(stored.picks) > WITNESS_PICKS_MAX)
		return -EBADMSG;
	json_array_foreach(stored.picks, i, pick)
	{
		if (read_pick(pick, &log->picks[i]) < 0)
			return -EBADMSG;
		log->pick_count++;
	}
	(void)snprintf(log->origin, sizeof(log->origin), "%s", stored.origin);
	log->size = stored.size;
	log->forked_at = stored.forked_at;
	if (stored.note[0])
		log->note = strdup(stored.note);
	return stored.note[0] && !log->note ? -ENOMEM : 0;
}

int witness_log_load(const char *state_dir, const struct seal_key *key, struct witness_log *log)
{
	_cleanup_(buffer_finish) struct buffer sealed = BUFFER_INIT, plain = BUFFER_INIT;
	char path[PATH_SIZE], purpose[FEED_TENANT_ID_MAX + 32];
	struct witness_log read = {0};
	int r = path_of(state_dir, log, path);

	if (r == 0)
		r = file_read(AT_FDCWD, path, FILE_BYTES_MAX, FILE_TRUST_OWNER, geteuid(), &sealed, NULL);
	if (r < 0)
		return r;
	purpose_of(log, purpose);
	r = unseal(key, purpose, sealed.data, sealed.length, &plain);
	if (r == 0)
		r = read_log(&plain, &read);
	if (r < 0) {
		witness_log_finish(&read);
		return r;
	}
	memcpy(read.tenant_id, log->tenant_id, sizeof(read.tenant_id));
	*log = read;
	return 0;
}

static void write_pick(struct json_writer *w, const struct witness_pick *pick)
{
	char hex[2 * SHA256_BYTES + 1];

	text_to_hex(pick->hash.bytes, sizeof(pick->hash.bytes), hex);
	json_begin(w, NULL, '{');
	json_put_string(w, "id", pick->id);
	json_put_string(w, "hash", hex);
	json_put_u64(w, "index", pick->index);
	json_put_bool(w, "placed", pick->placed);
	json_end(w, '}');
}

int witness_log_store(const char *state_dir, const struct seal_key *key, const struct witness_log *log)
{
	_cleanup_(buffer_finish) struct buffer data = BUFFER_INIT;
	char path[PATH_SIZE], purpose[FEED_TENANT_ID_MAX + 32], hex[2 * SHA256_BYTES + 1];
	struct json_writer w = json_writer(&data);
	int r;

	if ((size_t)snprintf(path, sizeof(path), "%s/" FOLDER, state_dir) >= sizeof(path))
		return -ENAMETOOLONG;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	r = path_of(state_dir, log, path);
	if (r < 0)
		return r;
	text_to_hex(log->root.bytes, sizeof(log->root.bytes), hex);
	json_begin(&w, NULL, '{');
	json_put_string(&w, "origin", log->origin);
	json_put_string(&w, "checkpoint", log->note ? log->note : "");
	json_put_u64(&w, "size", log->size);
	json_put_string(&w, "root", hex);
	json_put_i64(&w, "forked_at", log->forked_at);
	json_begin(&w, "picks", '[');
	for (uint32_t i = 0; i < log->pick_count; i++)
		/* In which log one is to be looked for that came while its tenant's was not, only this process knows.
		 */
		if (log->picks[i].placed || !log->picks[i].tenant_id[0])
			write_pick(&w, &log->picks[i]);
	json_end(&w, ']');
	json_end(&w, '}');
	purpose_of(log, purpose);
	r = data.failed ? -ENOMEM : seal_in_place(key, purpose, &data);
	return r < 0 ? r : file_replace(AT_FDCWD, path, data.data, data.length, 0600, NULL);
}

void witness_wipe(const char *state_dir)
{
	char path[PATH_SIZE];
	const struct dirent *entry;
	DIR *folder;

	if ((size_t)snprintf(path, sizeof(path), "%s/" FOLDER, state_dir) >= sizeof(path))
		return;
	folder = opendir(path);
	if (!folder)
		return;
	while ((entry = readdir(folder))) {
		if (entry->d_name[0] == '.')
			continue;
		if (unlinkat(dirfd(folder), entry->d_name, 0) < 0)
			log_error("cannot remove %s/%s: %s", path, entry->d_name, strerrordesc_np(errno));
	}
	(void)closedir(folder);
}
