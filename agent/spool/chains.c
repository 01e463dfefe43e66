/* SPDX-License-Identifier: MIT
 *
 * Chains: the key file, and how a new one begins. Its first segment is on disk before its key is: a key without any
 * segment has lost them.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"
#include "spool/internal.h"

#define KEY_MAGIC "TNTAUDK1"
#define KEY_MAGIC_BYTES 8U
#define KEY_PURPOSE "audit-chain-key"
#define KEY_BYTES (KEY_MAGIC_BYTES + sizeof(uint32_t) + CHAIN_ID_CHARS + ED25519_SECRET_BYTES + ED25519_PUBLIC_BYTES)
#define KEY_FILE_MAX 4096U

void chain_free(struct spool_chain *chain)
{
	if (!chain)
		return;
	secret_wipe(chain->secret, sizeof(chain->secret));
	free(chain);
}

struct spool_chain *chain_find(const struct spool *spool, uint32_t generation)
{
	struct spool_chain *chain = spool->chains;

	while (chain && chain->generation != generation)
		chain = chain->next;
	return chain;
}

/* Without a bias: what is no multiple of 62 any more is drawn again. */
static int make_id(char out[CHAIN_ID_CHARS + 1])
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	unsigned have = 0;

	while (have < CHAIN_ID_CHARS) {
		uint8_t bytes[CHAIN_ID_CHARS];
		int r = random_bytes(bytes, sizeof(bytes));

		if (r < 0)
			return r;
		for (size_t i = 0; i < sizeof(bytes) && have < CHAIN_ID_CHARS; i++)
			if (bytes[i] < 248)
				out[have++] = digits[bytes[i] % 62];
	}
	out[CHAIN_ID_CHARS] = '\0';
	return 0;
}

static int chain_begin(struct spool_chain *chain)
{
	int r = chain_start(&chain->key, &chain->appended);

	chain->durable = chain->readable = chain->appended;
	return r;
}

int chain_load(const struct spool *spool, struct spool_chain **ret)
{
	_cleanup_(buffer_finish) struct buffer sealed = BUFFER_INIT, plain = {.wipe = true};
	struct spool_chain *chain;
	uint8_t public[ED25519_PUBLIC_BYTES];
	const char *at;
	uint32_t generation;
	int r;

	r = file_read(spool->dirfd, SPOOL_KEY_NAME, KEY_FILE_MAX, FILE_TRUST_OWNER, geteuid(), &sealed, NULL);
	if (r < 0)
		return r == -EFBIG ? -EBADMSG : r;
	r = unseal(&spool->seal_key, KEY_PURPOSE, sealed.data, sealed.length, &plain);
	if (r < 0)
		return r;
	if (plain.length != KEY_BYTES || memcmp(plain.data, KEY_MAGIC, KEY_MAGIC_BYTES) != 0)
		return -EBADMSG;
	chain = calloc(1, sizeof(*chain));
	if (!chain)
		return -ENOMEM;
	at = plain.data + KEY_MAGIC_BYTES;
	memcpy(&generation, at, sizeof(generation));
	chain->generation = le32toh(generation);
	at += sizeof(generation);
	memcpy(chain->id, at, CHAIN_ID_CHARS);
	at += CHAIN_ID_CHARS;
	memcpy(chain->secret, at, ED25519_SECRET_BYTES);
	memcpy(public, at + ED25519_SECRET_BYTES, sizeof(public));
	chain->has_key = true;
	r = chain_key_init(&chain->key, chain->id, public);
	if (r == 0)
		r = chain_begin(chain);
	if (r < 0 || chain->generation == 0) {
		chain_free(chain);
		return r < 0 ? r : -EBADMSG;
	}
	*ret = chain;
	return 0;
}

static int save_key(const struct spool *spool, const struct spool_chain *chain)
{
	_cleanup_(buffer_finish) struct buffer plain = {.wipe = true};
	uint32_t generation = htole32(chain->generation);
	int r;

	(void)buffer_add(&plain, KEY_MAGIC, KEY_MAGIC_BYTES);
	(void)buffer_add(&plain, &generation, sizeof(generation));
	(void)buffer_add(&plain, chain->id, CHAIN_ID_CHARS);
	(void)buffer_add(&plain, chain->secret, ED25519_SECRET_BYTES);
	(void)buffer_add(&plain, chain->key.public, ED25519_PUBLIC_BYTES);
	if (plain.failed)
		return -ENOMEM;
	r = seal_in_place(&spool->seal_key, KEY_PURPOSE, &plain);
	return r < 0 ? r : file_replace(spool->dirfd, SPOOL_KEY_NAME, plain.data, plain.length, 0600, NULL);
}

int chain_block(const struct seal_key *key, const struct spool_chain *chain, uint64_t first,
		const struct tlog_hash *prev, struct buffer *ret)
{
	struct block_place place = {.key = key, .chain = chain->id, .segment = first};
	struct block block = {.kind = BLOCK_CHAIN, .first = first};
	char vkey[NOTE_VKEY_MAX];
	int r;

	buffer_clear(ret);
	if (chain->has_key && prev) {
		r = note_key_render(&chain->key, vkey);
		if (r < 0)
			return r;
		(void)buffer_add(ret, prev->bytes, sizeof(prev->bytes));
		(void)buffer_add_text(ret, vkey);
	}
	return ret->failed ? -ENOMEM : block_seal(&place, &block, ret);
}

static int create_segment(const struct spool *spool, struct spool_chain *chain, struct segment **ret)
{
	_cleanup_(buffer_finish) struct buffer block = BUFFER_INIT;
	_cleanup_(freep) struct segment *segment = calloc(1, sizeof(*segment));
	_cleanup_(closep) int fd = -1;
	char name[SEGMENT_NAME_MAX];
	int r;

	if (!segment)
		return -ENOMEM;
	segment->chain = chain;
	segment->first = 1;
	segment->checked = true;
	r = chain_block(&spool->seal_key, chain, 1, &chain->durable.hash, &block);
	if (r < 0)
		return r;
	segment->size = block.length;
	segment_name_of(segment, name);
	fd = openat(spool->dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, block.data, block.length);
	if (r == 0 && (fsync(fd) < 0 || fsync(spool->dirfd) < 0))
		r = -errno;
	if (r < 0) {
		(void)unlinkat(spool->dirfd, name, 0);
		return r;
	}
	*ret = TAKE_PTR(segment);
	return 0;
}

int chain_create(struct spool *spool, uint32_t generation, struct spool_chain **ret, struct segment **ret_segment)
{
	struct spool_chain *chain = calloc(1, sizeof(*chain));
	uint8_t public[ED25519_PUBLIC_BYTES];
	struct segment *segment = NULL;
	char name[SEGMENT_NAME_MAX];
	int r;

	if (!chain)
		return -ENOMEM;
	chain->generation = generation;
	chain->has_key = true;
	r = make_id(chain->id);
	if (r == 0)
		r = ed25519_make(chain->secret, public);
	if (r == 0)
		r = chain_key_init(&chain->key, chain->id, public);
	if (r == 0)
		r = chain_begin(chain);
	if (r == 0)
		r = create_segment(spool, chain, &segment);
	if (r == 0)
		r = save_key(spool, chain);
	if (r == 0) {
		*ret = chain;
		*ret_segment = segment;
		return 0;
	}
	if (segment) {
		segment_name_of(segment, name);
		(void)unlinkat(spool->dirfd, name, 0);
		free(segment);
	}
	chain_free(chain);
	return r;
}
