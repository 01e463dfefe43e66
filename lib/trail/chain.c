/* SPDX-License-Identifier: MIT */
#include "trail/chain.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/macros.h"
#include "base/parse.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/note_lines.h"

#define GROUP_TITLE "tenantd-audit-group/v1"
#define RECEIPT_TITLE "tenantd-audit-receipt/v1"
#define CHAIN_START "tenantd-audit-chain/v1\n"
#define GROUP_WORD "group "
#define GROUP_NOTE_MAX 2048U /* one signature; there is room for some that nobody knows */
#define GROUP_LINE_MAX (sizeof(GROUP_WORD) + 4 + 1 + 7 + 1)

static bool is_chain(const char *chain, size_t length)
{
	if (length != CHAIN_ID_CHARS)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!((chain[i] >= '0' && chain[i] <= '9') || (chain[i] >= 'A' && chain[i] <= 'Z') ||
		      (chain[i] >= 'a' && chain[i] <= 'z')))
			return false;
	return true;
}

int chain_key_init(struct note_key *ret, const char *chain, const uint8_t public[ED25519_PUBLIC_BYTES])
{
	char name[sizeof(CHAIN_KEY_PREFIX) + CHAIN_ID_CHARS] = CHAIN_KEY_PREFIX;

	if (!is_chain(chain, strnlen(chain, CHAIN_ID_CHARS + 1)))
		return -EINVAL;
	memcpy(name + strlen(CHAIN_KEY_PREFIX), chain, CHAIN_ID_CHARS + 1);
	return note_key_init(ret, name, public);
}

const char *chain_of_key(const struct note_key *key)
{
	const char *chain = key->name + strlen(CHAIN_KEY_PREFIX);

	return text_starts(key->name, CHAIN_KEY_PREFIX) && is_chain(chain, strlen(chain)) ? chain : NULL;
}

int chain_start(const struct note_key *key, struct chain_head *ret)
{
	char text[sizeof(CHAIN_START) + NOTE_VKEY_MAX + 1] = CHAIN_START;
	struct chain_head head = {0};
	size_t length = strlen(CHAIN_START);
	int r;

	r = note_key_render(key, text + length);
	if (r < 0)
		return r;
	length = strlen(text);
	text[length++] = '\n';
	r = sha256(text, length, head.hash.bytes);
	if (r < 0)
		return r;
	*ret = head;
	return 0;
}

/* The numbers that a group may have, wherever it comes from. */
static bool is_group(const struct group *group)
{
	return group->count > 0 && group->count <= GROUP_RECORDS_MAX && group->bytes <= GROUP_BYTES_MAX &&
	       group->first > 0 && group->first <= (uint64_t)INT64_MAX - group->count;
}

static int add_hash(struct buffer *text, const char *word, const struct tlog_hash *hash)
{
	char hex[2 * SHA256_BYTES + 1];

	text_to_hex(hash->bytes, SHA256_BYTES, hex);
	return buffer_printf(text, "%s %s\n", word, hex);
}

int group_write(const struct group *group, const struct note_key *key, const uint8_t secret[ED25519_SECRET_BYTES],
		const char *body, struct buffer *ret)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	const char *chain = chain_of_key(key);
	int r;

	if (!chain || strcmp(chain, group->chain) != 0 || !is_group(group))
		return -EINVAL;
	(void)buffer_printf(&note, GROUP_TITLE "\nchain %s\nfirst %" PRIu64 "\ncount %" PRIu32 "\n", chain,
			    group->first, group->count);
	(void)add_hash(&note, "prev", &group->prev);
	(void)add_hash(&note, "head", &group->head);
	(void)buffer_printf(&note, "bytes %" PRIu32 "\n", group->bytes);
	r = note_sign(&note, key, secret);
	if (r < 0)
		return r;
	/* All or nothing: there is room for the rest once there is room for its length. */
	if (!buffer_reserve(ret, GROUP_LINE_MAX + note.length + group->bytes))
		return -ENOMEM;
	(void)buffer_printf(ret, GROUP_WORD "%zu %" PRIu32 "\n", note.length, group->bytes);
	(void)buffer_add(ret, note.data, note.length);
	(void)buffer_add(ret, body, group->bytes);
	return ret->failed ? -ENOMEM : 0;
}

/* "group <note> <body>". 1: the line is not whole yet. */
static int read_line(const char *data, size_t length, size_t *ret_line, uint32_t *ret_note, uint32_t *ret_body)
{
	size_t word = strlen(GROUP_WORD), seen = MIN_OF(length, (size_t)GROUP_LINE_MAX);
	char line[GROUP_LINE_MAX + 1];
	const char *stop;
	char *space;

	if (memcmp(data, GROUP_WORD, MIN_OF(length, word)) != 0)
		return -EBADMSG;
	stop = memchr(data, '\n', seen);
	if (!stop)
		return seen == GROUP_LINE_MAX ? -EBADMSG : 1;
	*ret_line = (size_t)(stop - data) + 1;
	memcpy(line, data, *ret_line - 1);
	line[*ret_line - 1] = '\0';
	space = strchr(line + word, ' ');
	if (strlen(line) != *ret_line - 1 || !space)
		return -EBADMSG;
	*space = '\0';
	if (parse_u32(line + word, ret_note) < 0 || parse_u32(space + 1, ret_body) < 0 || *ret_note == 0 ||
	    *ret_note > GROUP_NOTE_MAX || *ret_body > GROUP_BYTES_MAX)
		return -EBADMSG;
	return 0;
}

static int read_note(const char *note, size_t length, const struct note_key *key, struct group *ret,
		     struct problem *problem)
{
	struct note_lines lines;
	struct chain_head start;
	char chain[NOTE_VALUE_MAX];
	uint32_t signers;
	size_t text;
	int r;

	r = note_verify(note, length, key, 1, &text, &signers, problem);
	if (r < 0)
		return r == -ENOKEY ? -EKEYREJECTED : r;
	lines = note_lines(note, text);
	note_lines_literal(&lines, GROUP_TITLE);
	note_lines_value(&lines, "chain", "chain", chain);
	if (!lines.wrong && (!chain_of_key(key) || strcmp(chain, chain_of_key(key)) != 0))
		lines.wrong = "chain";
	ret->first = note_lines_number(&lines, "first", 1, INT64_MAX);
	ret->count = (uint32_t)note_lines_number(&lines, "count", 1, GROUP_RECORDS_MAX);
	note_lines_hash(&lines, "prev", ret->prev.bytes);
	note_lines_hash(&lines, "head", ret->head.bytes);
	ret->bytes = (uint32_t)note_lines_number(&lines, "bytes", 1, GROUP_BYTES_MAX);
	r = note_lines_end(&lines, problem);
	if (r < 0)
		return r;
	memcpy(ret->chain, chain, CHAIN_ID_CHARS + 1);
	if (!is_group(ret))
		return problem_set(problem, EBADMSG, "the group has numbers that cannot be");
	if (ret->first == 1) {
		r = chain_start(key, &start);
		if (r < 0)
			return r;
		if (!tlog_hash_equal(&start.hash, &ret->prev))
			return problem_set(problem, EBADMSG, "the chain does not begin with its key");
	}
	return 0;
}

int group_read(const char *data, size_t length, const struct note_key *key, struct group *ret, size_t *ret_body,
	       size_t *ret_total, struct problem *problem)
{
	uint32_t note = 0, body = 0;
	struct group group = {0};
	size_t line = 0;
	int r;

	if (length == 0)
		return 1;
	r = read_line(data, length, &line, &note, &body);
	if (r < 0)
		return problem_set(problem, EBADMSG, "this is not the beginning of a group");
	if (r > 0)
		return r;
	/* Judged as soon as it is there: nobody waits for the body of a group that is not signed. */
	if (length - line < note)
		return 1;
	r = read_note(data + line, note, key, &group, problem);
	if (r < 0)
		return r;
	if (group.bytes != body)
		return problem_set(problem, EBADMSG, "the group's body is not as long as its note says");
	if (length - line - note < body)
		return 1;
	*ret = group;
	*ret_body = line + note;
	*ret_total = line + note + body;
	return 0;
}

/* The line at `*at`, moved past it; NULL: there is no whole one. */
static const char *take_line(const char **at, const char *end, size_t *ret_length)
{
	const char *line = *at, *stop = memchr(line, '\n', (size_t)(end - line));

	if (!stop)
		return NULL;
	*at = stop + 1;
	*ret_length = (size_t)(stop - line);
	return line;
}

bool group_take_record(const char **at, const char *end, struct group_record *ret)
{
	ret->leaf = take_line(at, end, &ret->leaf_length);
	ret->personal = ret->leaf ? take_line(at, end, &ret->personal_length) : NULL;
	return ret->personal;
}

int group_each(const struct group *group, const char *body,
	       int (*each)(void *context, const struct group_record *record), void *context, struct problem *problem)
{
	const char *at = body, *end = body + group->bytes;
	struct group_record record = {0};
	int r;

	/* Looked through first: nothing of a body that is not in order is handed out. */
	for (uint32_t i = 0; i < group->count; i++)
		if (!group_take_record(&at, end, &record))
			return problem_set(problem, EBADMSG, "the group has fewer records than its note says");
	if (at != end)
		return problem_set(problem, EBADMSG, "the group has more than the records of its note");
	r = tlog_leaf_hash(record.leaf, record.leaf_length, &record.hash);
	if (r < 0)
		return r;
	if (!tlog_hash_equal(&record.hash, &group->head))
		return problem_set(problem, EBADMSG, "the group's last record is not the one of its note");
	at = body;
	for (uint32_t i = 0; i < group->count; i++) {
		(void)group_take_record(&at, end, &record);
		r = tlog_leaf_hash(record.leaf, record.leaf_length, &record.hash);
		if (r == 0)
			r = each(context, &record);
		if (r != 0)
			return r;
	}
	return 0;
}

int receipt_write(const struct receipt *receipt, struct buffer *ret)
{
	char issued[TIME_TEXT_SIZE];

	if (!is_chain(receipt->chain, strnlen(receipt->chain, CHAIN_ID_CHARS + 1)) || !text_is_id(receipt->host_id) ||
	    receipt->authority[0] == '\0' || receipt->head.sequence >= INT64_MAX)
		return -EINVAL;
	(void)buffer_printf(ret, RECEIPT_TITLE "\n%s\nhost %s\nchain %s\nnext %" PRIu64 "\n", receipt->authority,
			    receipt->host_id, receipt->chain, receipt->head.sequence + 1);
	(void)add_hash(ret, "head", &receipt->head.hash);
	return buffer_printf(ret, "issued %s\n", format_time(receipt->issued, issued));
}

int receipt_read(const char *note, size_t length, const struct note_key *authority, struct receipt *ret,
		 struct problem *problem)
{
	char name[NOTE_VALUE_MAX], host[NOTE_VALUE_MAX], chain[NOTE_VALUE_MAX];
	struct receipt receipt = {0};
	struct note_lines lines;
	uint32_t signers;
	size_t text;
	int r;

	r = note_verify(note, length, authority, 1, &text, &signers, problem);
	if (r < 0)
		return r;
	lines = note_lines(note, text);
	note_lines_literal(&lines, RECEIPT_TITLE);
	note_lines_value(&lines, NULL, "authority", name);
	if (!lines.wrong && strcmp(name, authority->name) != 0)
		lines.wrong = "authority";
	note_lines_value(&lines, "host", "host", host);
	if (!lines.wrong && (strlen(host) >= sizeof(receipt.host_id) || !text_is_id(host)))
		lines.wrong = "host";
	note_lines_value(&lines, "chain", "chain", chain);
	if (!lines.wrong && !is_chain(chain, strlen(chain)))
		lines.wrong = "chain";
	receipt.head.sequence = note_lines_number(&lines, "next", 1, INT64_MAX) - 1;
	note_lines_hash(&lines, "head", receipt.head.hash.bytes);
	receipt.issued = note_lines_time(&lines, "issued");
	r = note_lines_end(&lines, problem);
	if (r < 0)
		return r;
	memcpy(receipt.authority, name, strlen(name) + 1);
	memcpy(receipt.host_id, host, strlen(host) + 1);
	memcpy(receipt.chain, chain, CHAIN_ID_CHARS + 1);
	*ret = receipt;
	return 0;
}
