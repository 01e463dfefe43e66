/* SPDX-License-Identifier: MIT */
#include "control_plane/feed/keys.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/text.h"

struct entry {
	char tenant_id[ID_MAX_BYTES + 1];
	uint64_t trust_version;
	uint32_t count;
	struct note_key keys[]; /* count of them */
};
struct keyring {
	struct signer *signer;
	pthread_mutex_t lock;
	struct hash_index index;
	struct entry **entries;
	uint32_t count, room;
};

int keyring_create(struct signer *signer, struct keyring **ret)
{
	struct keyring *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	if (hash_index_init(&k->index, 16) < 0) {
		free(k);
		return -ENOMEM;
	}
	(void)pthread_mutex_init(&k->lock, NULL);
	k->signer = signer;
	*ret = k;
	return 0;
}

void keyring_destroy(struct keyring *keyring)
{
	if (!keyring)
		return;
	for (uint32_t i = 0; i < keyring->count; i++)
		free(keyring->entries[i]);
	free(keyring->entries);
	hash_index_finish(&keyring->index);
	(void)pthread_mutex_destroy(&keyring->lock);
	free(keyring);
}

/* Locked. Where the tenant's entry is; NULL: nowhere. */
static struct entry **find(struct keyring *k, const char *tenant_id)
{
	uint32_t cursor = 0, i;

	while (hash_index_next(&k->index, hash_text(tenant_id), &cursor, &i))
		if (strcmp(k->entries[i]->tenant_id, tenant_id) == 0)
			return &k->entries[i];
	return NULL;
}

int keyring_peek(struct keyring *keyring, const char *tenant_id, uint64_t trust_version, struct feed_signers *ret)
{
	struct entry **entry;
	int r = -ENOENT;

	(void)pthread_mutex_lock(&keyring->lock);
	entry = find(keyring, tenant_id);
	if (entry && (*entry)->trust_version == trust_version) {
		ret->count = (*entry)->count;
		memcpy(ret->keys, (*entry)->keys, ret->count * sizeof(ret->keys[0]));
		r = 0;
	}
	(void)pthread_mutex_unlock(&keyring->lock);
	return r;
}

static int keep(struct keyring *k, const char *tenant_id, uint64_t trust_version, const struct feed_signers *signers)
{
	struct entry *made = calloc(1, sizeof(*made) + signers->count * sizeof(made->keys[0])), **entry;
	int r = 0;

	if (!made)
		return -ENOMEM;
	memcpy(made->tenant_id, tenant_id, strlen(tenant_id) + 1);
	made->trust_version = trust_version;
	made->count = signers->count;
	memcpy(made->keys, signers->keys, signers->count * sizeof(made->keys[0]));
	(void)pthread_mutex_lock(&k->lock);
	entry = find(k, tenant_id);
	if (entry) {
		free(*entry);
		*entry = TAKE_PTR(made);
	} else {
		if (k->count == k->room) {
			uint32_t room = MAX_OF(2 * k->room, 64U);
			struct entry **entries = realloc(k->entries, room * sizeof(struct entry *));

			if (entries) {
				k->entries = entries;
				k->room = room;
			}
		}
		r = k->count < k->room ? hash_index_put(&k->index, hash_text(tenant_id), k->count) : -ENOMEM;
		if (r == 0)
			k->entries[k->count++] = TAKE_PTR(made);
	}
	(void)pthread_mutex_unlock(&k->lock);
	free(made);
	return r;
}

static int load_row(struct keyring *k, const struct db_rows *rows, uint32_t row, struct note_key *ret)
{
	const char *vkey = db_text(rows, row, 0);
	_cleanup_(freep) uint8_t *stored = NULL;
	size_t length = 0;
	int r = note_key_parse(vkey, strlen(vkey), ret);

	if (r == 0)
		r = db_bytes(rows, row, 1, &stored, &length);
	return r < 0 ? r : k->signer->class->load(k->signer, ret, stored, length);
}

int keyring_get(struct keyring *keyring, struct db_tx *tx, const char *tenant_id, uint64_t trust_version,
		struct feed_signers *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r;

	if (keyring_peek(keyring, tenant_id, trust_version, ret) == 0)
		return 0;
	if (strlen(tenant_id) > ID_MAX_BYTES)
		return -EINVAL;
	r = db_run(tx, &rows,
		   "SELECT vkey, sealed FROM feed_keys WHERE tenant_id = $1 AND signs ORDER BY created_at, vkey",
		   tenant_id);
	if (r < 0)
		return r;
	*ret = (struct feed_signers){.count = db_row_count(rows)};
	if (ret->count == 0 || ret->count > FEED_KEYS_MAX)
		return -ENOKEY;
	for (uint32_t i = 0; i < ret->count; i++) {
		r = load_row(keyring, rows, i, &ret->keys[i]);
		if (r == -EBADMSG || r == -EINVAL) {
			log_error("feed of %s: key %s cannot be opened with this seal key", tenant_id,
				  db_text(rows, i, 0));
			return -ENOKEY;
		}
		if (r < 0)
			return r;
	}
	return keep(keyring, tenant_id, trust_version, ret);
}

int keyring_sign(struct keyring *keyring, const struct feed_signers *signers, struct buffer *note)
{
	int r = 0;

	for (uint32_t i = 0; i < signers->count && r == 0; i++)
		r = signer_sign_note(keyring->signer, &signers->keys[i], note);
	return r;
}
