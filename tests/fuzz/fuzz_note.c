/* SPDX-License-Identifier: MIT
 *
 * Signed notes and what the feed makes of them: nothing is taken but what the one known key signed, and that not when
 * a byte is missing.
 */
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "feed/feed.h"
#include "fuzz.h"

/* The key of RFC 8032, section 7.1, test 1, as in tests/unit/test_note.c. */
static const char vkey[] = "control.example.org/feed/ten_8fJ2kQpL0aZx4TyB+3796567c+"
			   "AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed_trust trust = {.version = 1, .epoch = 1, .key_count = 1}, newer;
	struct problem problem = {0};
	struct feed_snapshot snapshot;
	struct feed_head head;
	const char *note = size > 0 ? (const char *)data : "";
	uint32_t signers = 0;
	size_t text = 0;
	int r;

	FUZZ_CHECK(note_key_parse(vkey, strlen(vkey), &trust.keys[0]) == 0);
	strcpy(trust.origin, trust.keys[0].name);
	r = note_verify(note, size, trust.keys, 1, &text, &signers, &problem);
	FUZZ_CHECK(r == 0 || r == -EBADMSG || r == -EKEYREJECTED || r == -ENOKEY);
	if (r == 0) {
		FUZZ_CHECK(signers == 1 && text > 0 && text < size && note[text - 1] == '\n' && note[text] == '\n');
		FUZZ_CHECK(note_verify(note, size - 1, trust.keys, 1, &text, &signers, NULL) < 0);
	} else {
		FUZZ_CHECK(problem.text[0] != '\0');
		FUZZ_CHECK(feed_head_read(note, size, &trust, 0, &head, &problem) != FEED_FINE);
		FUZZ_CHECK(feed_snapshot_read(note, size, &trust, 0, &snapshot, &problem) != FEED_FINE);
	}
	(void)feed_head_read(note, size, &trust, 1790000000, &head, &problem);
	(void)feed_snapshot_read(note, size, &trust, 1790000000, &snapshot, &problem);
	if (feed_trust_read(note, size, NULL, &newer, &problem) == FEED_FINE)
		FUZZ_CHECK(newer.key_count > 0 && newer.version > 0 && feed_origin_valid(newer.origin));
	(void)note_key_parse(note, size, &trust.keys[1]);
	return 0;
}
