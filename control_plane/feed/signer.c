/* SPDX-License-Identifier: MIT */
#include "control_plane/feed/signer.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "base/hash.h"
#include "base/secret.h"

#define SEAL_PURPOSE "feed-key"
#define SLAB_KEYS 1024U

/* Seeds lie together, so that locking costs pages by the thousand keys and not one each. */
struct slab {
	uint8_t seeds[SLAB_KEYS][ED25519_SECRET_BYTES];
};
struct sealed_signer {
	struct signer signer;
	struct seal_key seal_key;
	pthread_mutex_t lock;
	struct hash_index index; /* by public key */
	uint8_t (*publics)[ED25519_PUBLIC_BYTES];
	struct slab **slabs;
	uint32_t count;
};

static struct sealed_signer *from(struct signer *signer)
{
	return (struct sealed_signer *)(void *)signer;
}

static struct slab *slab_new(void)
{
	struct slab *slab = mmap(NULL, sizeof(*slab), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (slab == MAP_FAILED)
		return NULL;
	/* As far as RLIMIT_MEMLOCK allows, like secret_dup. */
	(void)mlock(slab, sizeof(*slab));
	(void)madvise(slab, sizeof(*slab), MADV_DONTDUMP);
	return slab;
}

/* Locked. NULL: not here. */
static const uint8_t *find(const struct sealed_signer *s, const uint8_t public[ED25519_PUBLIC_BYTES])
{
	uint64_t hash = hash_bytes(public, ED25519_PUBLIC_BYTES);
	uint32_t cursor = 0, i;

	while (hash_index_next(&s->index, hash, &cursor, &i))
		if (memcmp(s->publics[i], public, ED25519_PUBLIC_BYTES) == 0)
			return s->slabs[i / SLAB_KEYS]->seeds[i % SLAB_KEYS];
	return NULL;
}

/* Locked. */
static int add(struct sealed_signer *s, const uint8_t public[ED25519_PUBLIC_BYTES],
	       const uint8_t seed[ED25519_SECRET_BYTES])
{
	uint32_t slab = s->count / SLAB_KEYS;

	if (s->count % SLAB_KEYS == 0) {
		void *publics = realloc(s->publics, (size_t)(slab + 1) * SLAB_KEYS * sizeof(*s->publics));
		struct slab **slabs;

		if (!publics)
			return -ENOMEM;
		s->publics = publics;
		slabs = realloc(s->slabs, (slab + 1) * sizeof(struct slab *));
		if (!slabs)
			return -ENOMEM;
		s->slabs = slabs;
		s->slabs[slab] = slab_new();
		if (!s->slabs[slab])
			return -ENOMEM;
	}
	if (hash_index_put(&s->index, hash_bytes(public, ED25519_PUBLIC_BYTES), s->count) < 0) {
		if (s->count % SLAB_KEYS == 0)
			(void)munmap(s->slabs[slab], sizeof(struct slab));
		return -ENOMEM;
	}
	memcpy(s->publics[s->count], public, ED25519_PUBLIC_BYTES);
	memcpy(s->slabs[slab]->seeds[s->count % SLAB_KEYS], seed, ED25519_SECRET_BYTES);
	s->count++;
	return 0;
}

static int keep(struct sealed_signer *s, const struct note_key *key, const uint8_t seed[ED25519_SECRET_BYTES])
{
	int r = 0;

	(void)pthread_mutex_lock(&s->lock);
	if (!find(s, key->public))
		r = add(s, key->public, seed);
	(void)pthread_mutex_unlock(&s->lock);
	return r;
}

static int sealed_make(struct signer *signer, const char *name, struct note_key *ret, struct buffer *ret_stored)
{
	struct sealed_signer *s = from(signer);
	uint8_t seed[ED25519_SECRET_BYTES], public[ED25519_PUBLIC_BYTES];
	int r = ed25519_make(seed, public);

	if (r < 0)
		return r;
	r = note_key_init(ret, name, public);
	if (r == 0)
		r = seal(&s->seal_key, SEAL_PURPOSE, seed, sizeof(seed), ret_stored);
	if (r == 0)
		r = keep(s, ret, seed);
	secret_wipe(seed, sizeof(seed));
	return r;
}

static int sealed_load(struct signer *signer, const struct note_key *key, const void *stored, size_t length)
{
	struct sealed_signer *s = from(signer);
	_cleanup_(buffer_finish) struct buffer plain = {.wipe = true};
	static const uint8_t probe[] = "is this the key?";
	uint8_t signature[ED25519_SIGNATURE_BYTES];
	bool here;
	int r;

	(void)pthread_mutex_lock(&s->lock);
	here = find(s, key->public) != NULL;
	(void)pthread_mutex_unlock(&s->lock);
	if (here)
		return 0;
	r = unseal(&s->seal_key, SEAL_PURPOSE, stored, length, &plain);
	if (r < 0)
		return r;
	if (plain.length != ED25519_SECRET_BYTES)
		return -EBADMSG;
	/* A row whose halves were mixed up would sign what nobody can verify. */
	r = ed25519_sign((const uint8_t *)plain.data, probe, sizeof(probe), signature);
	if (r == 0)
		r = ed25519_verify(key->public, probe, sizeof(probe), signature);
	return r < 0 ? r : keep(s, key, (const uint8_t *)plain.data);
}

static int sealed_sign(struct signer *signer, const struct note_key *key, const void *data, size_t length,
		       uint8_t signature[ED25519_SIGNATURE_BYTES])
{
	struct sealed_signer *s = from(signer);
	const uint8_t *seed;

	/* Seeds never move and live as long as the signer. */
	(void)pthread_mutex_lock(&s->lock);
	seed = find(s, key->public);
	(void)pthread_mutex_unlock(&s->lock);
	return seed ? ed25519_sign(seed, data, length, signature) : -ENOKEY;
}

static void sealed_destroy(struct signer *signer)
{
	struct sealed_signer *s = from(signer);

	if (!s)
		return;
	for (uint32_t i = 0; i * SLAB_KEYS < s->count; i++) {
		secret_wipe(s->slabs[i], sizeof(struct slab));
		(void)munmap(s->slabs[i], sizeof(struct slab));
	}
	free(s->slabs);
	free(s->publics);
	hash_index_finish(&s->index);
	secret_wipe(&s->seal_key, sizeof(s->seal_key));
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

static const struct signer_class sealed_class = {
	.make = sealed_make,
	.load = sealed_load,
	.sign = sealed_sign,
	.destroy = sealed_destroy,
};

int signer_sealed_create(const struct seal_key *seal_key, struct signer **ret)
{
	struct sealed_signer *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	if (hash_index_init(&s->index, 16) < 0) {
		free(s);
		return -ENOMEM;
	}
	(void)pthread_mutex_init(&s->lock, NULL);
	s->signer.class = &sealed_class;
	s->seal_key = *seal_key;
	*ret = &s->signer;
	return 0;
}

void signer_destroy(struct signer *signer)
{
	if (signer)
		signer->class->destroy(signer);
}

int signer_sign_note(struct signer *signer, const struct note_key *key, struct buffer *note)
{
	uint8_t signature[ED25519_SIGNATURE_BYTES];
	int r;

	if (note->failed)
		return -ENOMEM;
	r = signer->class->sign(signer, key, note->data, note_text_length(note), signature);
	return r < 0 ? r : note_add_signature(note, key, signature);
}
