/* SPDX-License-Identifier: MIT
 *
 * What a host sends of its chain, taken apart and judged. The first byte says what the rest is: a request as it comes
 * ('r'), or the body of one group ('b'), which is signed here, since no fuzzer can.
 */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/audit/accept.h"
#include "tests/fuzz/fuzz.h"

#define CHAIN "0123456789abcdef"
#define HOST "hst_0123456789abcdef"

/* The key of RFC 8032, section 7.1, test 2. */
static const uint8_t secret[ED25519_SECRET_BYTES] = {0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda, 0x9d, 0xb6, 0xc3,
						     0x46, 0xec, 0x11, 0x4e, 0x0f, 0x5b, 0x8a, 0x31, 0x9f, 0x35, 0xab,
						     0xa6, 0x24, 0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8, 0xa6, 0xfb};
static const uint8_t public[ED25519_PUBLIC_BYTES] = {0x3d, 0x40, 0x17, 0xc3, 0xe8, 0x43, 0x89, 0x5a, 0x92, 0xb7, 0x0a,
						     0xa7, 0x4d, 0x1b, 0x7e, 0xbc, 0x9c, 0x98, 0x2c, 0xcf, 0x2e, 0xc4,
						     0x96, 0x8c, 0xc0, 0xcd, 0x55, 0xf1, 0x2a, 0xf4, 0x66, 0x0c};

/* Whatever was sent: what is taken is in a row, and what is in order is what it says. */
static void check(const struct sent *sent, const struct chain_known *known)
{
	struct problem problem = {0};
	struct judged judged;
	int r = sent_judge(sent, known, HOST, &judged, &problem);

	FUZZ_CHECK(r == 0 || r == -EBADMSG);
	if (r < 0)
		return;
	FUZZ_CHECK(judged.count <= sent->record_count);
	FUZZ_CHECK((judged.judgement == JUDGED_FINE) == !judged.why);
	for (uint32_t i = 0; i < judged.count; i++) {
		const struct judged_record *record = &judged.records[i];

		FUZZ_CHECK(record->sequence == judged.records[0].sequence + i);
		FUZZ_CHECK(!memchr(record->text, '\n', record->length));
		if (record->why)
			continue;
		FUZZ_CHECK(record->leaf.linked && record->leaf.link.sequence == record->sequence);
		FUZZ_CHECK(strcmp(record->leaf.link.chain, sent->chain) == 0);
		FUZZ_CHECK(!*record->leaf.host_id || strcmp(record->leaf.host_id, HOST) == 0);
		FUZZ_CHECK(text_is_printable(record->text, record->length));
		FUZZ_CHECK(record->why_personal || record->personal.count == record->leaf.person_count);
	}
	if (judged.judgement == JUDGED_FINE && sent->group_count > 0)
		FUZZ_CHECK(judged.now.head.sequence >= known->head.sequence);
	judged_finish(&judged);
}

static void read_request(const char *data, size_t size)
{
	struct chain_known known = {0};
	struct problem problem = {0};
	struct sent sent;

	if (sent_read(data, size, &sent, &problem) < 0) {
		FUZZ_CHECK(problem.text[0]);
		return;
	}
	check(&sent, &known);
	for (uint32_t i = 0; i < sent.group_count; i++) {
		known.head = (struct chain_head){sent.groups[i].group.first - 1, sent.groups[i].group.prev};
		known.announced = sent.at;
		check(&sent, &known);
	}
	sent_finish(&sent);
}

static void read_body(const char *data, size_t size)
{
	_cleanup_(buffer_finish) struct buffer body = BUFFER_INIT, request = BUFFER_INIT;
	char vkey[NOTE_VKEY_MAX], hash[2 * SHA256_BYTES + 1];
	const char *last = data, *end = data + size;
	struct group group = {.chain = CHAIN, .first = 1, .bytes = (uint32_t)size};
	uint32_t lines = 0;
	struct note_key key;
	struct chain_head start;

	for (const char *at = data; at < end && (at = memchr(at, '\n', (size_t)(end - at))); at++) {
		lines++;
		/* The last leaf ends with the line before the last. */
		if (lines % 2 == 0 && at + 1 < end)
			last = at + 1;
	}
	group.count = lines / 2;
	FUZZ_CHECK(chain_key_init(&key, CHAIN, public) == 0 && chain_start(&key, &start) == 0);
	group.prev = start.hash;
	if (lines % 2 || size == 0 || end[-1] != '\n')
		return;
	FUZZ_CHECK(tlog_leaf_hash(last, (size_t)((const char *)memchr(last, '\n', (size_t)(end - last)) - last),
				  &group.head) == 0);
	FUZZ_CHECK(note_key_render(&key, vkey) == 0);
	text_to_hex(group.head.bytes, SHA256_BYTES, hash);
	(void)buffer_printf(&request, "chain %s\nat %u %s\n", vkey, group.count, hash);
	if (buffer_add(&body, data, size) == 0 && group_write(&group, &key, secret, body.data, &request) == 0)
		read_request(request.data, request.length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0 && data[0] == 'r')
		read_request((const char *)data + 1, size - 1);
	else if (size > 0 && data[0] == 'b')
		read_body((const char *)data + 1, size - 1);
	return 0;
}
