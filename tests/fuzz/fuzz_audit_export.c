/* SPDX-License-Identifier: MIT
 *
 * Exports, checked by their own keys and by a key that nobody has. What is taken is counted right.
 */
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "fuzz.h"
#include "trail/export.h"

struct seen {
	uint64_t count, next;
};

static void look(void *context, uint64_t index, const struct leaf *leaf, json_t *event)
{
	struct seen *seen = context;

	FUZZ_CHECK(index >= seen->next && json_is_object(event) && leaf->id[0] != '\0');
	seen->count++;
	seen->next = index + 1;
}

static int check(const char *text, size_t size, const struct note_key *key)
{
	_cleanup_(export_check_freep) struct export_check *check = NULL;
	struct export_summary summary;
	struct problem problem = {0};
	const char *at = text, *end = text + size;
	struct seen seen = {0};
	int r = 0;

	FUZZ_CHECK(export_check_new(NULL, key, key ? 1 : 0, &check) == 0);
	while (r == 0 && at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));

		stop = stop ? stop : end;
		r = export_check_line(check, at, (size_t)(stop - at), look, &seen, &problem);
		at = stop < end ? stop + 1 : end;
	}
	if (r == 0)
		r = export_check_end(check, &summary, &problem);
	FUZZ_CHECK(r == 0 || (r == -EBADMSG && problem.text[0] != '\0'));
	if (r == 0) {
		FUZZ_CHECK(summary.entries == seen.count && seen.next <= summary.to);
		FUZZ_CHECK(summary.from <= summary.to && summary.to <= summary.checkpoint.size);
		FUZZ_CHECK(!summary.complete || summary.entries == summary.to - summary.from);
		FUZZ_CHECK(summary.own_keys == !key);
	}
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t public[ED25519_PUBLIC_BYTES] = {1};
	const char *text = size > 0 ? (const char *)data : "";
	struct note_key nobody;

	FUZZ_CHECK(note_key_init(&nobody, "control.example.org/audit/ten_8fJ2kQpL0aZx4TyB", public) == 0);
	(void)check(text, size, NULL);
	FUZZ_CHECK(check(text, size, &nobody) < 0);
	return 0;
}
