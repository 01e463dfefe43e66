/* SPDX-License-Identifier: MIT
 *
 * What hosts send of their chains, and receipts. The first byte says what the rest is: a stream of groups as it comes
 * ('s'), or the text of a group's note ('g') or of a receipt ('r'), which is signed here, since no fuzzer can.
 */
#include <errno.h>
#include <string.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "fuzz.h"
#include "trail/chain.h"

/* The key of RFC 8032, section 7.1, test 1. */
static const uint8_t secret[ED25519_SECRET_BYTES] = {0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a,
						     0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32,
						     0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60};
static const uint8_t public[ED25519_PUBLIC_BYTES] = {0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe,
						     0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6,
						     0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a};

struct seen {
	uint32_t count;
	struct tlog_hash last;
};

static int look(void *context, const struct group_record *record)
{
	struct seen *seen = context;

	FUZZ_CHECK(!memchr(record->leaf, '\n', record->leaf_length));
	FUZZ_CHECK(!memchr(record->personal, '\n', record->personal_length));
	seen->count++;
	seen->last = record->hash;
	return 0;
}

static void read_stream(const struct note_key *key, const char *data, size_t size)
{
	struct problem problem = {0};
	size_t at = 0, body, total;
	struct group group;
	int r;

	while ((r = group_read(data + at, size - at, key, &group, &body, &total, &problem)) == 0) {
		struct seen seen = {0};

		FUZZ_CHECK(total <= size - at && body + group.bytes == total && group.count > 0);
		r = group_each(&group, data + at + body, look, &seen, &problem);
		FUZZ_CHECK(r == 0 || (r == -EBADMSG && seen.count == 0));
		FUZZ_CHECK(r < 0 || (seen.count == group.count && tlog_hash_equal(&seen.last, &group.head)));
		at += total;
	}
	FUZZ_CHECK(r == 1 || ((r == -EBADMSG || r == -EKEYREJECTED) && problem.text[0] != '\0'));
}

/* What is read of a note says all that it says: written again it is the same. */
static void read_signed_group(const struct note_key *key, const char *text, size_t size)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT, data = BUFFER_INIT, again = BUFFER_INIT;
	static char zeros[GROUP_BYTES_MAX];
	const char *bytes = size > 0 ? memmem(text, size, "\nbytes ", 7) : NULL;
	unsigned long length = bytes ? strtoul(bytes + 7, NULL, 10) : 0;
	struct group group;
	size_t body, total;

	if (length > sizeof(zeros) || size == 0 || text[size - 1] != '\n' || buffer_add(&note, text, size) < 0 ||
	    note_sign(&note, key, secret) < 0)
		return;
	(void)buffer_printf(&data, "group %zu %lu\n", note.length, length);
	(void)buffer_add(&data, note.data, note.length);
	(void)buffer_add(&data, zeros, length);
	FUZZ_CHECK(!data.failed);
	if (group_read(data.data, data.length, key, &group, &body, &total, NULL) != 0)
		return;
	FUZZ_CHECK(total == data.length && group.bytes == length);
	FUZZ_CHECK(group_write(&group, key, secret, zeros, &again) == 0);
	FUZZ_CHECK(again.length == data.length && memcmp(again.data, data.data, data.length) == 0);
}

static void read_signed_receipt(const char *text, size_t size)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT, again = BUFFER_INIT;
	struct receipt receipt;
	struct note_key key;

	FUZZ_CHECK(note_key_init(&key, "control.example.org", public) == 0);
	if (size == 0 || text[size - 1] != '\n' || buffer_add(&note, text, size) < 0 ||
	    note_sign(&note, &key, secret) < 0 || receipt_read(note.data, note.length, &key, &receipt, NULL) != 0)
		return;
	FUZZ_CHECK(receipt_write(&receipt, &again) == 0);
	FUZZ_CHECK(again.length == size && memcmp(again.data, text, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;
	struct note_key key;

	if (size == 0)
		return 0;
	FUZZ_CHECK(chain_key_init(&key, "0aA1bB2cC3dD4eE5", public) == 0);
	if (data[0] == 's')
		read_stream(&key, text, size - 1);
	else if (data[0] == 'g')
		read_signed_group(&key, text, size - 1);
	else if (data[0] == 'r')
		read_signed_receipt(text, size - 1);
	return 0;
}
