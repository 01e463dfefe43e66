/* SPDX-License-Identifier: MIT
 *
 * Chains, groups and receipts: their exact bytes, and what is none.
 */
#include "unit.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "trail_fixture.h"

static struct chain_head start_of(const struct signer *signer)
{
	struct chain_head head;

	assert_result(chain_start(&signer->key, &head), 0);
	return head;
}

static void names(void **state)
{
	static const char *const bad[] = {"", "0aA1bB2cC3dD4eE", "0aA1bB2cC3dD4eE55", "0aA1bB2cC3dD4eE_",
					  "0aA1bB2cC3dD4e+5"};
	struct signer signer = trail_signer(1), other = signer_of("control.example.org/feed/ten_1", 1),
		      prefix = signer_of("tenantd-audit/", 1), longer = signer_of("tenantd-audit/0aA1bB2cC3dD4eE55", 1);
	struct note_key key = {.id = 42};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_result(chain_key_init(&key, bad[i], signer.key.public), -EINVAL);
	assert_int_equal(key.id, 42);
	assert_result(chain_key_init(&key, TRAIL_CHAIN, signer.key.public), 0);
	assert_string_equal(key.name, "tenantd-audit/" TRAIL_CHAIN);
	assert_int_equal(key.id, signer.key.id);
	assert_string_equal(chain_of_key(&key), TRAIL_CHAIN);
	assert_null(chain_of_key(&other.key));
	assert_null(chain_of_key(&prefix.key));
	assert_null(chain_of_key(&longer.key));
}

static void where_it_begins(void **state)
{
	struct signer signer = trail_signer(1);
	struct chain_head head = start_of(&signer);
	char vkey[NOTE_VKEY_MAX], text[NOTE_VKEY_MAX + 64];
	uint8_t expected[SHA256_BYTES];

	assert_result(note_key_render(&signer.key, vkey), 0);
	(void)snprintf(text, sizeof(text), "tenantd-audit-chain/v1\n%s\n", vkey);
	assert_result(sha256(text, strlen(text), expected), 0);
	assert_int_equal(head.sequence, 0);
	assert_memory_equal(head.hash.bytes, expected, sizeof(expected));
}

struct seen {
	struct signer signer;
	struct chain_head head;
	uint32_t count;
	int stop_with;
};

/* Follows the chain as a reader does. */
static int look(void *context, const struct group_record *record)
{
	_cleanup_(personal_finish) struct personal_list personal = {0};
	struct seen *seen = context;
	struct leaf leaf;

	assert_result(leaf_read(record->leaf, record->leaf_length, &leaf, NULL), 0);
	assert_result(personal_read(record->personal, record->personal_length, &leaf, &personal, NULL), 0);
	assert_int_equal(leaf.link.sequence, seen->head.sequence + 1);
	assert_memory_equal(leaf.link.prev, seen->head.hash.bytes, SHA256_BYTES);
	seen->head = (struct chain_head){.sequence = leaf.link.sequence, .hash = record->hash};
	seen->count++;
	return seen->count == 2 ? seen->stop_with : 0;
}

static void groups_in_turn(void **state)
{
	struct signer signer = trail_signer(1);
	struct chain_head head = start_of(&signer);
	struct seen seen = {.signer = signer, .head = head};
	_cleanup_(buffer_finish) struct buffer data = BUFFER_INIT;
	size_t at = 0, body, total;
	struct group group;

	trail_group(&data, &signer, &head, 1);
	trail_group(&data, &signer, &head, 7);
	trail_group(&data, &signer, &head, 2);
	for (unsigned i = 0; i < 3; i++) {
		assert_result(group_read(data.data + at, data.length - at, &signer.key, &group, &body, &total, NULL),
			      0);
		assert_string_equal(group.chain, TRAIL_CHAIN);
		assert_int_equal(group.first, seen.head.sequence + 1);
		assert_memory_equal(&group.prev, &seen.head.hash, sizeof(group.prev));
		assert_int_equal(body + group.bytes, total);
		assert_result(group_each(&group, data.data + at + body, look, &seen, NULL), 0);
		assert_memory_equal(&group.head, &seen.head.hash, sizeof(group.head));
		at += total;
	}
	assert_int_equal(at, data.length);
	assert_int_equal(seen.count, 10);
	assert_memory_equal(&head, &seen.head, sizeof(head));
	assert_result(group_read(data.data + at, 0, &signer.key, &group, &body, &total, NULL), 1);
}

static void the_bytes(void **state)
{
	struct signer signer = trail_signer(1);
	struct group group = {.chain = TRAIL_CHAIN, .first = 5, .count = 1, .bytes = 6};
	_cleanup_(buffer_finish) struct buffer data = BUFFER_INIT, note = BUFFER_INIT;
	char expected[1024];

	memset(group.prev.bytes, 0xab, SHA256_BYTES);
	assert_result(tlog_leaf_hash("{}", 2, &group.head), 0);
	assert_result(buffer_add_text(&note, "tenantd-audit-group/v1\nchain " TRAIL_CHAIN "\nfirst 5\ncount 1\n"
					     "prev abababababababababababababababababababababababababababababababab\n"
					     "head 28a3a18f6cd6406b086e9ffda1f9b8a13dbcf44b0f3f32cb9031a11fd053acf9\n"
					     "bytes 6\n"),
		      0);
	feed_sign(&note, &signer, NULL);
	(void)snprintf(expected, sizeof(expected), "group %zu 6\n%s{}\n[]\n", note.length, buffer_text(&note));
	assert_result(group_write(&group, &signer.key, signer.secret, "{}\n[]\n", &data), 0);
	assert_string_equal(buffer_text(&data), expected);
}

static void refused_to_write(void **state)
{
	struct signer signer = trail_signer(1), other = signer_of("other.example", 1);
	const struct group fine = {.chain = TRAIL_CHAIN, .first = 5, .count = 1, .bytes = 6};
	_cleanup_(buffer_finish) struct buffer data = BUFFER_INIT;
	struct group bad[8];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		bad[i] = fine;
	bad[0].chain[0] = '1';
	bad[1].first = 0;
	bad[2].first = INT64_MAX;
	bad[3].first = UINT64_MAX;
	bad[4].count = 0;
	bad[5].count = GROUP_RECORDS_MAX + 1;
	bad[6].bytes = GROUP_BYTES_MAX + 1;
	bad[7].chain[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_result(group_write(&bad[i], &signer.key, signer.secret, "{}\n[]\n", &data), -EINVAL);
	assert_result(group_write(&fine, &other.key, other.secret, "{}\n[]\n", &data), -EINVAL);
	assert_int_equal(data.length, 0);
	data.limit = 100;
	assert_result(group_write(&fine, &signer.key, signer.secret, "{}\n[]\n", &data), -ENOMEM);
	assert_int_equal(data.length, 0);
}

static int read_one(const char *data, size_t length, const struct note_key *key, struct group *ret, size_t *ret_body)
{
	struct problem problem = {0};
	size_t total = 42;
	int r;

	*ret = (struct group){.count = 42};
	*ret_body = 42;
	r = group_read(data, length, key, ret, ret_body, &total, &problem);
	if (r != 0) {
		assert_int_equal(ret->count, 42);
		assert_int_equal(*ret_body, 42);
		assert_int_equal(total, 42);
		assert_int_equal(problem.text[0] != '\0', r < 0);
	}
	return r;
}

static void pieces(void **state)
{
	struct signer signer = trail_signer(1);
	struct chain_head head = start_of(&signer);
	_cleanup_(buffer_finish) struct buffer data = BUFFER_INIT;
	struct group group;
	size_t body;

	trail_group(&data, &signer, &head, 3);
	for (size_t length = 0; length < data.length; length++)
		if (read_one(data.data, length, &signer.key, &group, &body) != 1)
			fail_msg("%zu bytes are not a part", length);
	assert_result(read_one(data.data, data.length, &signer.key, &group, &body), 0);
}

static int nothing(void *context, const struct group_record *record)
{
	++*(unsigned *)context;
	return 0;
}

/* Whatever bit is another one: either group or leaves are not taken, or the personal data do not fit. */
static void every_byte_changed(void **state)
{
	struct signer signer = trail_signer(1);
	struct chain_head head = start_of(&signer), before = head;
	_cleanup_(buffer_finish) struct buffer data = BUFFER_INIT;
	struct group group;
	size_t body;

	trail_group(&data, &signer, &head, 1);
	for (size_t i = 0; i < data.length; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			unsigned count = 0;
			bool taken;

			data.data[i] = (char)(data.data[i] ^ 1 << bit);
			taken = read_one(data.data, data.length, &signer.key, &group, &body) == 0 &&
				group_each(&group, data.data + body, nothing, &count, NULL) == 0;
			if (taken) {
				_cleanup_(personal_finish) struct personal_list personal = {0};
				const char *line = memchr(data.data + body, '\n', group.bytes);
				struct leaf leaf;

				/* The leaf is bound by the note: it must be the personal line. */
				assert_non_null(line);
				assert_true(data.data + i > line);
				assert_result(
					leaf_read(data.data + body, (size_t)(line - data.data) - body, &leaf, NULL), 0);
				line++;
				if (personal_read(line, (size_t)(data.data + data.length - 1 - line), &leaf, &personal,
						  NULL) == 0)
					fail_msg("bit %u of byte %zu may change", bit, i);
			} else {
				assert_int_equal(count, 0);
			}
			data.data[i] = (char)(data.data[i] ^ 1 << bit);
		}
	assert_int_equal(before.sequence, 0);
}

static void other_keys(void **state)
{
	struct signer signer = trail_signer(1), other = trail_signer(2),
		      chain = signer_of(CHAIN_KEY_PREFIX "1aA1bB2cC3dD4eE5", 1), liar = signer;
	struct chain_head head = start_of(&signer);
	_cleanup_(buffer_finish) struct buffer data = BUFFER_INIT;
	struct group group;
	size_t body;

	trail_group(&data, &signer, &head, 2);
	assert_result(read_one(data.data, data.length, &other.key, &group, &body), -EKEYREJECTED);
	assert_result(read_one(data.data, data.length, &chain.key, &group, &body), -EKEYREJECTED);
	/* The key's name with another key's signature. */
	memcpy(liar.secret, other.secret, sizeof(liar.secret));
	buffer_clear(&data);
	trail_group(&data, &liar, &head, 2);
	assert_result(read_one(data.data, data.length, &signer.key, &group, &body), -EKEYREJECTED);
}

/* Signed by the right key, and yet no group. */
static void signed_nonsense(void **state)
{
#define PREV "prev abababababababababababababababababababababababababababababababab\n"
#define HEAD "head cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd\n"
	static const char *const bad[] = {
		"tenantd-audit-receipt/v1\nchain " TRAIL_CHAIN "\nfirst 5\ncount 1\n" PREV HEAD "bytes 6\n",
		"tenantd-audit-group/v1\nchain 1aA1bB2cC3dD4eE5\nfirst 5\ncount 1\n" PREV HEAD "bytes 6\n",
		"tenantd-audit-group/v1\nfirst 5\ncount 1\n" PREV HEAD "bytes 6\n",
		"tenantd-audit-group/v1\nchain " TRAIL_CHAIN "\nfirst 0\ncount 1\n" PREV HEAD "bytes 6\n",
		"tenantd-audit-group/v1\nchain " TRAIL_CHAIN "\nfirst 05\ncount 1\n" PREV HEAD "bytes 6\n",
		"tenantd-audit-group/v1\nchain " TRAIL_CHAIN "\nfirst -5\ncount 1\n" PREV HEAD "bytes 6\n",
		"tenantd-audit-group/v1\nchain " TRAIL_CHAIN "\nfirst 9223372036854775807\ncount 1\n" PREV HEAD
		"bytes 6\n",
		"tenantd-audit-group/v1\nchain " TRAIL_CHAIN "\nfirst 9223372036854775808\ncount 1\n" PREV HEAD
		"bytes 6\n",
		"tenantd-audit-group/v1\nchain " TRAIL_CHAIN "\nfirst 5\ncount 0\n" PREV HEAD "bytes 6\n",
		"tenantd-audit-group/v1\nchain " TRAIL_CHAIN "\nfirst 5\ncount 4097\n" PREV HEAD "bytes 6\n",
		"tenantd-audit-group/v1\nchain " TRAIL_CHAIN "\nfirst 5\ncount 1\n" HEAD PREV "bytes 6\n",
		"tenantd-audit-group/v1\nchain " TRAIL_CHAIN "\nfirst 5\ncount 1\n" PREV "head CD\nbytes 6\n",
		"tenantd-audit-group/v1\nchain " TRAIL_CHAIN "\nfirst 5\ncount 1\n" PREV HEAD "bytes 7\n",
		"tenantd-audit-group/v1\nchain " TRAIL_CHAIN "\nfirst 5\ncount 1\n" PREV HEAD "bytes 0\n",
		"tenantd-audit-group/v1\nchain " TRAIL_CHAIN "\nfirst 5\ncount 1\n" PREV HEAD "bytes 6\nmore\n",
		"tenantd-audit-group/v1\nchain " TRAIL_CHAIN "\nfirst 5\ncount 1\n" PREV HEAD,
		"tenantd-audit-group/v1\r\nchain " TRAIL_CHAIN "\nfirst 5\ncount 1\n" PREV HEAD "bytes 6\n",
		/* Event 1 follows on the key, and on nothing else. */
		"tenantd-audit-group/v1\nchain " TRAIL_CHAIN "\nfirst 1\ncount 1\n" PREV HEAD "bytes 6\n",
	};
	struct signer signer = trail_signer(1);
	struct group group;
	size_t body;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		_cleanup_(buffer_finish) struct buffer data = BUFFER_INIT, note = BUFFER_INIT;

		assert_result(buffer_add_text(&note, bad[i]), 0);
		feed_sign(&note, &signer, NULL);
		assert_result(buffer_printf(&data, "group %zu 6\n%s{}\n[]\n", note.length, buffer_text(&note)), 0);
		if (read_one(data.data, data.length, &signer.key, &group, &body) != -EBADMSG)
			fail_msg("taken: %s", bad[i]);
	}
}

static void lines_that_begin_no_group(void **state)
{
	static const char *const bad[] = {
		"\n",
		"g\n",
		"Group 1 1\n",
		"groups 1 1\n",
		"group\n",
		"group \n",
		"group 1\n",
		"group 1 \n",
		"group  1 1\n",
		"group 1 1 \n",
		"group 1 1 1\n",
		"group -1 1\n",
		"group 01 1\n",
		"group 1 01\n",
		"group 0 1\n",
		"group 2049 1\n",
		"group 100 1048577\n",
		"group 4294967296 1\n",
		"group 1 18446744073709551617\n",
		"group 1                                                       1\n",
		"x",
		"groupx",
		"group 1111111111111111111",
	};
	struct signer signer = trail_signer(1);
	struct group group;
	size_t body;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (read_one(bad[i], strlen(bad[i]), &signer.key, &group, &body) != -EBADMSG)
			fail_msg("taken: %s", bad[i]);
	assert_result(read_one("group 1 1\0\n", 11, &signer.key, &group, &body), -EBADMSG);
	assert_result(read_one("group 2048 1048576\n", 19, &signer.key, &group, &body), 1);
	assert_result(read_one("group", 5, &signer.key, &group, &body), 1);
}

/* Bodies that are not the note's: nothing of them is handed out. */
static void other_bodies(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		"a",
		"a\n",
		"a\nb",
		"a\nb\n",
		"a\nb\nc\n",
		"a\nb\nc\nd",
		"a\nb\nc\nd\ne\n",
		"a\nb\nc\nd\n\n",
		"a\nb\nx\nd\n",
		"a\nb\n\nd\n",
		"c\nd\na\nb\n",
	};
	struct group group = {.chain = TRAIL_CHAIN, .first = 5, .count = 2};
	unsigned count = 0;

	assert_result(tlog_leaf_hash("c", 1, &group.head), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct problem problem = {0};

		group.bytes = (uint32_t)strlen(bad[i]);
		if (group_each(&group, bad[i], nothing, &count, &problem) != -EBADMSG)
			fail_msg("taken: %s", bad[i]);
		assert_string_not_equal(problem.text, "");
	}
	assert_int_equal(count, 0);
	group.bytes = 8;
	assert_result(group_each(&group, "a\nb\nc\nd\n", nothing, &count, NULL), 0);
	assert_int_equal(count, 2);
	/* Reordered or with another first leaf: the note says nothing of it, the second leaf's `prev` does. */
	assert_result(group_each(&group, "x\nb\nc\nd\n", nothing, &count, NULL), 0);
}

static void stopped(void **state)
{
	struct signer signer = trail_signer(1);
	struct chain_head head = start_of(&signer);
	struct seen seen = {.signer = signer, .head = head, .stop_with = 7};
	_cleanup_(buffer_finish) struct buffer data = BUFFER_INIT;
	struct group group;
	size_t body;

	trail_group(&data, &signer, &head, 5);
	assert_result(read_one(data.data, data.length, &signer.key, &group, &body), 0);
	assert_result(group_each(&group, data.data + body, look, &seen, NULL), 7);
	assert_int_equal(seen.count, 2);
}

/* ---- receipts --------------------------------------------------------------------------------- */
static struct receipt receipt_of(uint64_t sequence)
{
	struct receipt receipt = {.authority = "control.example.org",
				  .host_id = "hst_1",
				  .chain = TRAIL_CHAIN,
				  .head = {.sequence = sequence},
				  .issued = FEED_NOW};

	memset(receipt.head.hash.bytes, 0xab, SHA256_BYTES);
	return receipt;
}

#define RECEIPT_TEXT                                                                                 \
	"tenantd-audit-receipt/v1\ncontrol.example.org\nhost hst_1\nchain " TRAIL_CHAIN "\nnext 8\n" \
	"head abababababababababababababababababababababababababababababababab\n"                    \
	"issued 2026-09-21T14:13:20Z\n"

static int read_receipt(const char *text, const struct signer *signer, struct receipt *ret)
{
	struct signer authority = signer_of("control.example.org", 3);
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	struct problem problem = {0};
	int r;

	*ret = (struct receipt){.issued = 42};
	assert_result(buffer_add_text(&note, text), 0);
	feed_sign(&note, signer, NULL);
	r = receipt_read(note.data, note.length, &authority.key, ret, &problem);
	if (r < 0) {
		assert_int_equal(ret->issued, 42);
		assert_string_not_equal(problem.text, "");
	}
	return r;
}

static void receipts(void **state)
{
	struct signer authority = signer_of("control.example.org", 3), other = signer_of("control.example.org", 4),
		      liar = authority;
	struct receipt receipt = receipt_of(7), back;
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;

	assert_result(receipt_write(&receipt, &text), 0);
	assert_string_equal(buffer_text(&text), RECEIPT_TEXT);
	assert_result(read_receipt(buffer_text(&text), &authority, &back), 0);
	assert_string_equal(back.authority, receipt.authority);
	assert_string_equal(back.host_id, receipt.host_id);
	assert_string_equal(back.chain, receipt.chain);
	assert_memory_equal(&back.head, &receipt.head, sizeof(back.head));
	assert_int_equal(back.issued, receipt.issued);
	assert_result(read_receipt(RECEIPT_TEXT, &other, &back), -ENOKEY);
	memcpy(liar.secret, other.secret, sizeof(liar.secret));
	assert_result(read_receipt(RECEIPT_TEXT, &liar, &back), -EKEYREJECTED);
	/* Before the first event. */
	receipt = receipt_of(0);
	buffer_clear(&text);
	assert_result(receipt_write(&receipt, &text), 0);
	assert_result(read_receipt(buffer_text(&text), &authority, &back), 0);
	assert_int_equal(back.head.sequence, 0);
	/* What nobody signs. */
	receipt = receipt_of(INT64_MAX);
	assert_result(receipt_write(&receipt, &text), -EINVAL);
	receipt = receipt_of(7);
	receipt.chain[3] = '\0';
	assert_result(receipt_write(&receipt, &text), -EINVAL);
	receipt = receipt_of(7);
	receipt.host_id[0] = '\0';
	assert_result(receipt_write(&receipt, &text), -EINVAL);
	receipt = receipt_of(7);
	receipt.authority[0] = '\0';
	assert_result(receipt_write(&receipt, &text), -EINVAL);
}

static void refused_receipts(void **state)
{
	static const struct {
		const char *old, *new;
	} table[] = {
		{"receipt/v1", "receipt/v2"},
		{"receipt/v1", "group/v1"},
		{"control.example.org\n", "control.example.com\n"},
		{"control.example.org\n", ""},
		{"host hst_1", "host "},
		{"host hst_1", "host hst/1"},
		{"host hst_1\n", ""},
		{"chain 0", "chain "},
		{"chain 0", "chain +"},
		{"next 8", "next 0"},
		{"next 8", "next 08"},
		{"next 8", "next -1"},
		{"next 8", "next 9223372036854775808"},
		{"head ab", "head aB"},
		{"head ab", "head "},
		{"issued 2026-09-21T14:13:20Z", "issued 2026-09-21"},
		{"issued 2026-09-21T14:13:20Z", "issued 2026-09-21T14:13:20+00:00"},
		{"issued 2026-09-21T14:13:20Z\n", ""},
		{"20Z\n", "20Z\nmore\n"},
	};
	struct signer authority = signer_of("control.example.org", 3);
	struct receipt back;
	char text[1024];

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		const char *at = strstr(RECEIPT_TEXT, table[i].old);

		assert_non_null(at);
		(void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - RECEIPT_TEXT), RECEIPT_TEXT, table[i].new,
			       at + strlen(table[i].old));
		if (read_receipt(text, &authority, &back) != -EBADMSG)
			fail_msg("taken: %s", text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(where_it_begins),
		cmocka_unit_test(groups_in_turn),
		cmocka_unit_test(the_bytes),
		cmocka_unit_test(refused_to_write),
		cmocka_unit_test(pieces),
		cmocka_unit_test(every_byte_changed),
		cmocka_unit_test(other_keys),
		cmocka_unit_test(signed_nonsense),
		cmocka_unit_test(lines_that_begin_no_group),
		cmocka_unit_test(other_bodies),
		cmocka_unit_test(stopped),
		cmocka_unit_test(receipts),
		cmocka_unit_test(refused_receipts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
