/* SPDX-License-Identifier: MIT
 *
 * The file: sealed; inside a line {"bindings":1} and then one JSON object a line. Written whole each time, which is
 * once in a person's life on a host.
 */
#include "sso/bindings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "json/json_read.h"
#include "json/json_write.h"

#define PURPOSE "sso-bindings"
#define HEAD "{\"bindings\":1}\n"
#define FILE_BYTES_MAX (128U * 1024 * 1024)
#define LINE_BYTES_MAX 4096U
#define KEY_BYTES 1024U /* ids, an issuer and a subject */

struct bindings {
	char *path;
	const struct seal_key *seal_key;
	bool unreadable;
	struct binding_entry **items; /* each one allocation, with its texts */
	uint32_t count, room;
	struct hash_index by_user, by_identity;
};

/* ---- look-ups ---------------------------------------------------------------------------------------------------- */

static uint64_t hash_of(const char *a, const char *b, const char *c)
{
	const char *const parts[] = {a, b, c};
	char key[KEY_BYTES];
	size_t used = 0;

	/* Longer ones share a hash, and are told apart by what they are. */
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		size_t length = MIN_OF(strlen(parts[i]) + 1, sizeof(key) - used);

		memcpy(key + used, parts[i], length);
		used += length;
	}
	return hash_bytes(key, used);
}

static uint64_t user_hash(const struct binding_entry *entry)
{
	return hash_of(entry->user_id, entry->issuer, "");
}

static uint64_t identity_hash(const struct binding_entry *entry)
{
	return hash_of(entry->tenant_id, entry->issuer, entry->subject);
}

static const struct binding_entry *find_user(const struct bindings *b, const char *user_id, const char *issuer)
{
	uint32_t cursor = 0, at;

	while (hash_index_next(&b->by_user, hash_of(user_id, issuer, ""), &cursor, &at))
		if (text_equal(b->items[at]->user_id, user_id) && text_equal(b->items[at]->issuer, issuer))
			return b->items[at];
	return NULL;
}

static const struct binding_entry *find_identity(const struct bindings *b, const char *tenant_id, const char *issuer,
						 const char *subject)
{
	uint32_t cursor = 0, at;

	while (hash_index_next(&b->by_identity, hash_of(tenant_id, issuer, subject), &cursor, &at))
		if (text_equal(b->items[at]->tenant_id, tenant_id) && text_equal(b->items[at]->issuer, issuer) &&
		    text_equal(b->items[at]->subject, subject))
			return b->items[at];
	return NULL;
}

const char *bindings_subject(const struct bindings *bindings, const char *user_id, const char *issuer)
{
	const struct binding_entry *entry = find_user(bindings, user_id, issuer);

	return entry ? entry->subject : NULL;
}

const char *bindings_user(const struct bindings *bindings, const char *tenant_id, const char *issuer,
			  const char *subject)
{
	const struct binding_entry *entry = find_identity(bindings, tenant_id, issuer, subject);

	return entry ? entry->user_id : NULL;
}

const struct binding_entry *bindings_next(const struct bindings *bindings, uint32_t *cursor)
{
	return *cursor < bindings->count ? bindings->items[(*cursor)++] : NULL;
}

/* ---- in memory --------------------------------------------------------------------------------------------------- */

static struct binding_entry *entry_copy(const struct binding_entry *from)
{
	const char *const texts[] = {from->tenant_id, from->user_id, from->issuer, from->subject};
	const char *copies[ARRAY_LEN(texts)];
	size_t size = sizeof(struct binding_entry);
	struct binding_entry *entry;
	char *at;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		size += strlen(texts[i]) + 1;
	entry = malloc(size);
	if (!entry)
		return NULL;
	at = (char *)(entry + 1);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		copies[i] = at;
		at = stpcpy(at, texts[i]) + 1;
	}
	*entry = (struct binding_entry){copies[0], copies[1], copies[2], copies[3], from->at};
	return entry;
}

/* At the end; takes the entry over when it goes well. */
static int append(struct bindings *b, struct binding_entry *entry)
{
	if (b->count == b->room) {
		uint32_t room = b->room ? b->room * 2 : 16;
		struct binding_entry **items = reallocarray(b->items, room, sizeof(struct binding_entry *));

		if (!items)
			return -ENOMEM;
		b->items = items;
		b->room = room;
	}
	if (hash_index_put(&b->by_user, user_hash(entry), b->count) < 0)
		return -ENOMEM;
	if (hash_index_put(&b->by_identity, identity_hash(entry), b->count) < 0) {
		hash_index_remove(&b->by_user, user_hash(entry), b->count);
		return -ENOMEM;
	}
	b->items[b->count++] = entry;
	return 0;
}

static void take_last(struct bindings *b)
{
	struct binding_entry *entry = b->items[--b->count];

	hash_index_remove(&b->by_user, user_hash(entry), b->count);
	hash_index_remove(&b->by_identity, identity_hash(entry), b->count);
	free(entry);
}

/* ---- on disk ----------------------------------------------------------------------------------------------------- */

static bool is_text(const char *text)
{
	return text[0] && strlen(text) < KEY_BYTES / 2 && text_is_printable(text, strlen(text));
}

/* What is kept, without those that `drop` names (one byte each; NULL: all). */
static int write_file(const struct bindings *b, const uint8_t *drop)
{
	_cleanup_(buffer_finish) struct buffer text = {.wipe = true};
	int r;

	buffer_add_text(&text, HEAD);
	for (uint32_t i = 0; i < b->count; i++) {
		const struct binding_entry *entry = b->items[i];
		struct json_writer w = json_writer(&text);

		if (drop && drop[i])
			continue;
		json_begin(&w, NULL, '{');
		json_put_string(&w, "tenant", entry->tenant_id);
		json_put_string(&w, "user", entry->user_id);
		json_put_string(&w, "issuer", entry->issuer);
		json_put_string(&w, "subject", entry->subject);
		json_put_i64(&w, "at", entry->at);
		json_end(&w, '}');
		buffer_add_char(&text, '\n');
	}
	if (text.failed)
		return -ENOMEM;
	r = seal_in_place(b->seal_key, PURPOSE, &text);
	return r < 0 ? r : file_replace(AT_FDCWD, b->path, text.data, text.length, 0600, NULL);
}

struct line {
	const char *tenant, *user, *issuer, *subject;
	int64_t at;
};
static const struct json_field line_fields[] = {
	{"tenant", JSON_FIELD_STRING, offsetof(struct line, tenant), JSON_FIELD_REQUIRED},
	{"user", JSON_FIELD_STRING, offsetof(struct line, user), JSON_FIELD_REQUIRED},
	{"issuer", JSON_FIELD_STRING, offsetof(struct line, issuer), JSON_FIELD_REQUIRED},
	{"subject", JSON_FIELD_STRING, offsetof(struct line, subject), JSON_FIELD_REQUIRED},
	{"at", JSON_FIELD_I64, offsetof(struct line, at), JSON_FIELD_REQUIRED},
};

static int check_entry(const struct bindings *b, const struct binding_entry *entry)
{
	if (!is_text(entry->tenant_id) || !is_text(entry->user_id) || !is_text(entry->issuer) ||
	    !is_text(entry->subject))
		return -EINVAL;
	if (find_user(b, entry->user_id, entry->issuer) ||
	    find_identity(b, entry->tenant_id, entry->issuer, entry->subject))
		return -EEXIST;
	return b->count >= BINDINGS_MAX ? -ENOSPC : 0;
}

static int add_copy(struct bindings *b, const struct binding_entry *from)
{
	struct binding_entry *entry;
	int r = check_entry(b, from);

	if (r < 0)
		return r;
	entry = entry_copy(from);
	r = entry ? append(b, entry) : -ENOMEM;
	if (r < 0)
		free(entry);
	return r;
}

static int read_line(struct bindings *b, const char *text, size_t length)
{
	_cleanup_(json_decrefp) json_t *object = NULL;
	struct problem problem;
	struct line line = {0};
	const char *field;
	int r = length > LINE_BYTES_MAX ? -EBADMSG : json_read(text, length, &object, &problem);

	if (r == 0)
		r = json_fields(object, line_fields, ARRAY_LEN(line_fields), &line, &field, &problem);
	if (r < 0)
		return r == -ENOMEM ? r : -EBADMSG;
	r = add_copy(b, &(struct binding_entry){line.tenant, line.user, line.issuer, line.subject, line.at});
	return r == -ENOMEM || r == 0 ? r : -EBADMSG;
}

static int read_text(struct bindings *b, const char *text, size_t length)
{
	const char *at = text + strlen(HEAD), *end = text + length;
	int r = 0;

	if (length < strlen(HEAD) || memcmp(text, HEAD, strlen(HEAD)) != 0)
		return -EBADMSG;
	while (r == 0 && at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));

		if (!line_end)
			return -EBADMSG;
		r = read_line(b, at, (size_t)(line_end - at));
		at = line_end + 1;
	}
	return r;
}

/* -ENOENT: there is none. */
static int read_file(struct bindings *b)
{
	_cleanup_(buffer_finish) struct buffer sealed = BUFFER_INIT, text = {.wipe = true};
	int r = file_read(AT_FDCWD, b->path, FILE_BYTES_MAX, FILE_TRUST_OWNER, geteuid(), &sealed, NULL);

	if (r < 0)
		return r;
	if (!b->seal_key)
		return -ENOKEY;
	r = unseal(b->seal_key, PURPOSE, sealed.data ? sealed.data : "", sealed.length, &text);
	return r < 0 ? r : read_text(b, text.data ? text.data : "", text.length);
}

/* ---- what others call -------------------------------------------------------------------------------------------- */

static void forget_all(struct bindings *b)
{
	while (b->count > 0)
		take_last(b);
}

int bindings_open(const char *path, const struct seal_key *seal_key, struct bindings **ret, struct problem *problem)
{
	struct bindings *b = calloc(1, sizeof(*b));
	int r = -ENOMEM;

	if (b) {
		b->seal_key = seal_key;
		b->path = strdup(path);
		r = b->path ? hash_index_init(&b->by_user, 16) : -ENOMEM;
	}
	if (r == 0)
		r = hash_index_init(&b->by_identity, 16);
	if (r == 0)
		r = read_file(b);
	if (r == -ENOMEM) {
		bindings_close(b);
		return r;
	}
	*ret = b;
	if (r == 0 || r == -ENOENT)
		return 0;
	forget_all(b);
	b->unreadable = true;
	problem_at(problem, path, 0, 0);
	problem_remedy(problem,
		       "bring back the sealing key, or take the file away so that people can be bound anew, and "
		       "restart the agent");
	problem_set(problem, -r, "identities that were bound at a first sign-in cannot be read: %s",
		    r == -EBADMSG  ? "it is damaged, or sealed by another key"
		    : r == -ENOKEY ? "there is no sealing key"
				   : strerrordesc_np(-r));
	return BINDINGS_UNREADABLE;
}

void bindings_close(struct bindings *bindings)
{
	if (!bindings)
		return;
	for (uint32_t i = 0; i < bindings->count; i++)
		free(bindings->items[i]);
	free(bindings->items);
	hash_index_finish(&bindings->by_user);
	hash_index_finish(&bindings->by_identity);
	free(bindings->path);
	free(bindings);
}

int bindings_add(struct bindings *bindings, const struct binding_entry *entry)
{
	int r;

	if (bindings->unreadable || !bindings->seal_key)
		return -EROFS;
	r = add_copy(bindings, entry);
	if (r < 0)
		return r;
	r = write_file(bindings, NULL);
	if (r < 0)
		take_last(bindings);
	return r;
}

/* Those that `drop` names, on disk first. */
static int remove_those(struct bindings *b, const uint8_t *drop)
{
	struct hash_index by_user, by_identity;
	uint32_t kept = 0;
	int r = hash_index_init(&by_user, b->count);

	if (r < 0)
		return r;
	r = hash_index_init(&by_identity, b->count);
	for (uint32_t i = 0, at = 0; r == 0 && i < b->count; i++) {
		if (drop[i])
			continue;
		r = hash_index_put(&by_user, user_hash(b->items[i]), at);
		if (r == 0)
			r = hash_index_put(&by_identity, identity_hash(b->items[i]), at);
		at++;
	}
	if (r == 0)
		r = write_file(b, drop);
	if (r < 0) {
		hash_index_finish(&by_user);
		hash_index_finish(&by_identity);
		return r;
	}
	for (uint32_t i = 0; i < b->count; i++) {
		if (drop[i])
			free(b->items[i]);
		else
			b->items[kept++] = b->items[i];
	}
	b->count = kept;
	hash_index_finish(&b->by_user);
	hash_index_finish(&b->by_identity);
	b->by_user = by_user;
	b->by_identity = by_identity;
	return 0;
}

int bindings_remove(struct bindings *bindings, const char *user_id, const char *issuer, uint32_t *ret_count)
{
	_cleanup_(freep) uint8_t *drop = NULL;
	uint32_t count = 0;
	int r;

	if (bindings->unreadable || !bindings->seal_key)
		return -EROFS;
	drop = calloc(bindings->count + 1, 1);
	if (!drop)
		return -ENOMEM;
	for (uint32_t i = 0; i < bindings->count; i++) {
		drop[i] = text_equal(bindings->items[i]->user_id, user_id) &&
			  (!issuer[0] || text_equal(bindings->items[i]->issuer, issuer));
		count += drop[i];
	}
	r = count ? remove_those(bindings, drop) : 0;
	if (r == 0)
		*ret_count = count;
	return r;
}

int bindings_sweep(struct bindings *bindings, const struct directory *d)
{
	_cleanup_(freep) uint8_t *drop = NULL;
	uint32_t count = 0, conflicts;

	if (bindings->count == 0 || directory_conflicts(d, &conflicts))
		return 0;
	drop = calloc(bindings->count, 1);
	if (!drop)
		return -ENOMEM;
	for (uint32_t i = 0; i < bindings->count; i++) {
		const struct binding_entry *entry = bindings->items[i];
		const struct user_record *user = directory_user(d, entry->user_id);

		drop[i] = directory_tenant(d, entry->tenant_id) &&
			  (!user || !text_equal(user->tenant_id, entry->tenant_id));
		count += drop[i];
	}
	return count ? remove_those(bindings, drop) : 0;
}
