/* SPDX-License-Identifier: MIT */
#include "feed/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "json/json_read.h"
#include "json/json_write.h"

#define PURPOSE "host-identity"
#define IDENTITY_BYTES_MAX (64U * 1024)
#define PATH_SIZE 512

static int path_of(const char *state_dir, char out[PATH_SIZE])
{
	return (size_t)snprintf(out, PATH_SIZE, "%s/host.identity", state_dir) < PATH_SIZE ? 0 : -ENAMETOOLONG;
}

struct stored {
	const char *url, *host_id, *x, *y, *d, *disabled, *authority, *digest;
	int64_t version;
	json_t *tenants;
};
static const struct json_field fields[] = {
	{"url", JSON_FIELD_STRING, offsetof(struct stored, url), JSON_FIELD_REQUIRED},
	{"host", JSON_FIELD_STRING, offsetof(struct stored, host_id), JSON_FIELD_REQUIRED},
	{"x", JSON_FIELD_STRING, offsetof(struct stored, x), JSON_FIELD_REQUIRED},
	{"y", JSON_FIELD_STRING, offsetof(struct stored, y), JSON_FIELD_REQUIRED},
	{"d", JSON_FIELD_STRING, offsetof(struct stored, d), JSON_FIELD_REQUIRED},
	{"tenants", JSON_FIELD_STRINGS, offsetof(struct stored, tenants), JSON_FIELD_REQUIRED},
	{"disabled", JSON_FIELD_STRING, offsetof(struct stored, disabled), JSON_FIELD_REQUIRED},
	{"authority", JSON_FIELD_STRING, offsetof(struct stored, authority), JSON_FIELD_REQUIRED},
	{"assignment", JSON_FIELD_I64, offsetof(struct stored, version), JSON_FIELD_REQUIRED},
	{"assignment_digest", JSON_FIELD_STRING, offsetof(struct stored, digest), JSON_FIELD_REQUIRED},
};

static int copy(char *out, size_t size, const char *text)
{
	return (size_t)snprintf(out, size, "%s", text) < size ? 0 : -EBADMSG;
}

static int read_identity(const struct buffer *plain, struct host_identity *ret)
{
	_cleanup_(json_decrefp) json_t *json = NULL;
	struct problem problem = {0};
	struct stored stored = {0};
	const char *field;
	json_t *tenant;
	size_t i;

	if (json_read(plain->data, plain->length, &json, &problem) < 0 ||
	    json_fields(json, fields, ARRAY_LEN(fields), &stored, &field, &problem) < 0)
		return -EBADMSG;
	if (copy(ret->url, sizeof(ret->url), stored.url) < 0 ||
	    copy(ret->host_id, sizeof(ret->host_id), stored.host_id) < 0 ||
	    copy(ret->disabled, sizeof(ret->disabled), stored.disabled) < 0 ||
	    copy(ret->authority, sizeof(ret->authority), stored.authority) < 0 || stored.version < 0 ||
	    text_from_hex(stored.digest, ret->assignment_digest, SHA256_BYTES) < 0 ||
	    text_from_hex(stored.x, ret->key.public.x, P256_BYTES) < 0 ||
	    text_from_hex(stored.y, ret->key.public.y, P256_BYTES) < 0 ||
	    text_from_hex(stored.d, ret->key.d, P256_BYTES) < 0)
		return -EBADMSG;
	ret->assignment_version = (uint64_t)stored.version;
	json_array_foreach(stored.tenants, i, tenant)
	{
		const char *id = json_string_value(tenant);

		if (i >= HOST_TENANTS_MAX || !text_is_id(id))
			return -EBADMSG;
		if (copy(ret->tenants[ret->tenant_count++], FEED_TENANT_ID_MAX, id) < 0)
			return -EBADMSG;
	}
	return jwt_key_name(&ret->key.public) < 0 ? -EBADMSG : 0;
}

int host_identity_load(const char *state_dir, const struct seal_key *key, struct host_identity *ret)
{
	_cleanup_(buffer_finish) struct buffer sealed = BUFFER_INIT, plain = {.wipe = true};
	struct host_identity identity = {0};
	char path[PATH_SIZE];
	struct stat st;
	int r = path_of(state_dir, path);

	if (r < 0)
		return r;
	r = file_read(AT_FDCWD, path, IDENTITY_BYTES_MAX, FILE_TRUST_OWNER, geteuid(), &sealed, &st);
	if (r < 0)
		return r;
	r = unseal(key, PURPOSE, sealed.data, sealed.length, &plain);
	if (r == 0)
		r = read_identity(&plain, &identity);
	if (r == 0)
		*ret = identity;
	host_identity_finish(&identity);
	return r;
}

static void put_hex(struct json_writer *w, const char *name, const uint8_t bytes[P256_BYTES])
{
	char hex[2 * P256_BYTES + 1];

	text_to_hex(bytes, P256_BYTES, hex);
	json_put_string(w, name, hex);
	secret_wipe(hex, sizeof(hex));
}

int host_identity_store(const char *state_dir, const struct seal_key *key, const struct host_identity *identity)
{
	_cleanup_(buffer_finish) struct buffer data = {.wipe = true};
	struct json_writer w = json_writer(&data);
	char path[PATH_SIZE], digest[2 * SHA256_BYTES + 1];
	int r = path_of(state_dir, path);

	if (r < 0)
		return r;
	json_begin(&w, NULL, '{');
	json_put_string(&w, "url", identity->url);
	json_put_string(&w, "host", identity->host_id);
	put_hex(&w, "x", identity->key.public.x);
	put_hex(&w, "y", identity->key.public.y);
	put_hex(&w, "d", identity->key.d);
	json_begin(&w, "tenants", '[');
	for (uint32_t i = 0; i < identity->tenant_count; i++)
		json_put_string(&w, NULL, identity->tenants[i]);
	json_end(&w, ']');
	json_put_string(&w, "disabled", identity->disabled);
	json_put_string(&w, "authority", identity->authority);
	json_put_i64(&w, "assignment", (int64_t)identity->assignment_version);
	text_to_hex(identity->assignment_digest, SHA256_BYTES, digest);
	json_put_string(&w, "assignment_digest", digest);
	json_end(&w, '}');
	r = data.failed ? -ENOMEM : seal_in_place(key, PURPOSE, &data);
	return r < 0 ? r : file_replace(AT_FDCWD, path, data.data, data.length, 0600, NULL);
}

void host_identity_wipe(const char *state_dir)
{
	char path[PATH_SIZE];

	/* Sealed: without the host's key the freed blocks say nothing. */
	if (path_of(state_dir, path) == 0 && unlink(path) < 0 && errno != ENOENT)
		log_error("cannot remove %s: %s", path, strerror(errno));
}

void host_identity_finish(struct host_identity *identity)
{
	secret_wipe(identity, sizeof(*identity));
}
