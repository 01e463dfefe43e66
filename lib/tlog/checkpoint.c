/* SPDX-License-Identifier: MIT */
#include "tlog/checkpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/macros.h"
#include "base/parse.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "crypto/note_lines.h"

#define KEYS_MAX 32U /* as many as note_verify takes */

/* An origin is the name of the keys that sign it, so it is what a key may be called. */
static bool is_origin(const char *origin)
{
	struct note_key key;

	return note_key_init(&key, origin, (const uint8_t[ED25519_PUBLIC_BYTES]){0}) == 0;
}

int checkpoint_write(const struct checkpoint *checkpoint, struct buffer *ret)
{
	_cleanup_(freep) char *root = NULL;

	if (!is_origin(checkpoint->origin) || checkpoint->size > TLOG_SIZE_MAX)
		return -EINVAL;
	root = base64_encode(checkpoint->root.bytes, SHA256_BYTES);
	if (!root)
		return -ENOMEM;
	return buffer_printf(ret, "%s\n%" PRIu64 "\n%s\n", checkpoint->origin, checkpoint->size, root);
}

/* Lines of extensions: whatever it is, no line is empty. */
static bool are_extensions(const char *text, const char *end)
{
	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));

		if (!stop || stop == text)
			return false;
		text = stop + 1;
	}
	return true;
}

static int read_text(const char *text, size_t length, struct checkpoint *ret, struct problem *problem)
{
	struct note_lines lines = note_lines(text, length);
	char origin[NOTE_VALUE_MAX], size[NOTE_VALUE_MAX], root[NOTE_VALUE_MAX];
	struct tlog_hash none;
	size_t bytes;

	note_lines_value(&lines, NULL, "origin", origin);
	if (!lines.wrong && (strlen(origin) >= CHECKPOINT_ORIGIN_MAX || !is_origin(origin)))
		lines.wrong = "origin";
	*ret = (struct checkpoint){0};
	if (!lines.wrong)
		memcpy(ret->origin, origin, strlen(origin) + 1);
	note_lines_value(&lines, NULL, "size", size);
	if (!lines.wrong && (parse_u64(size, &ret->size) < 0 || ret->size > TLOG_SIZE_MAX))
		lines.wrong = "size";
	note_lines_value(&lines, NULL, "root", root);
	if (!lines.wrong && (base64_decode(root, ret->root.bytes, SHA256_BYTES, &bytes) < 0 || bytes != SHA256_BYTES))
		lines.wrong = "root";
	if (!lines.wrong && !are_extensions(lines.at, lines.end))
		lines.wrong = "extension";
	if (lines.wrong)
		return problem_set(problem, EBADMSG, "the checkpoint has no right line '%s' in its place", lines.wrong);
	if (ret->size == 0) {
		if (sha256(NULL, 0, none.bytes) < 0)
			return -EIO;
		if (!tlog_hash_equal(&none, &ret->root))
			return problem_set(problem, EBADMSG, "the checkpoint of an empty log has another root");
	}
	return 0;
}

int checkpoint_read(const char *note, size_t length, const char *origin, const struct note_key *keys, uint32_t count,
		    struct checkpoint *ret, struct problem *problem)
{
	struct note_key own[KEYS_MAX];
	struct checkpoint checkpoint;
	uint32_t own_count = 0, signers;
	size_t text;
	int r;

	if (length > CHECKPOINT_BYTES_MAX)
		return problem_set(problem, EBADMSG, "the checkpoint is longer than %u bytes", CHECKPOINT_BYTES_MAX);
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(keys[i].name, origin) == 0) {
			if (own_count == KEYS_MAX)
				return problem_set(problem, EBADMSG, "more than %u keys for one log", KEYS_MAX);
			own[own_count++] = keys[i];
		}
	r = note_verify(note, length, own, own_count, &text, &signers, problem);
	if (r < 0)
		return r;
	r = read_text(note, text, &checkpoint, problem);
	if (r < 0)
		return r;
	if (strcmp(checkpoint.origin, origin) != 0)
		return problem_set(problem, EREMCHG, "this is a checkpoint of %s, not of %s", checkpoint.origin,
				   origin);
	*ret = checkpoint;
	return 0;
}

int checkpoint_origin(const char *note, size_t length, char ret[CHECKPOINT_ORIGIN_MAX])
{
	const char *stop = length > 0 ? memchr(note, '\n', MIN_OF(length, (size_t)CHECKPOINT_ORIGIN_MAX)) : NULL;
	char origin[CHECKPOINT_ORIGIN_MAX];

	if (!stop || memchr(note, '\0', (size_t)(stop - note)))
		return -EBADMSG;
	memcpy(origin, note, (size_t)(stop - note));
	origin[stop - note] = '\0';
	if (!is_origin(origin))
		return -EBADMSG;
	memcpy(ret, origin, sizeof(origin));
	return 0;
}
