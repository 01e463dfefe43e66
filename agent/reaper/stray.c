/* SPDX-License-Identifier: MIT
 *
 * People who have processes here and no session: whose time is over, and who left something running that no session
 * leads to.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "reaper/internal.h"

void stray_expect(struct reaper *reaper, uint32_t uid)
{
	reaper->scan_wanted = true;
	if (reaper->expected_count == reaper->expected_size) {
		uint32_t size = reaper->expected_size ? 2 * reaper->expected_size : 16;
		uint32_t *grown = reallocarray(reaper->expected, size, sizeof(*grown));

		if (!grown) {
			log_error("out of memory: what runs as uid %u in no session goes on", uid);
			return;
		}
		reaper->expected = grown;
		reaper->expected_size = size;
	}
	reaper->expected[reaper->expected_count++] = uid;
}

static bool is_expected(const struct reaper *reaper, uint32_t uid)
{
	for (uint32_t i = 0; i < reaper->expected_count; i++)
		if (reaper->expected[i] == uid)
			return true;
	return false;
}

static void on_uid(void *context, uint32_t uid)
{
	struct reaper *reaper = context;
	const struct verdict_world world = reaper_world(reaper);
	struct verdict verdict = verdict_user(&world, uid);

	reaper->scan_unknown |= verdict.unknown;
	if (verdict.cause == END_NONE && !verdict.unknown && is_expected(reaper, uid))
		verdict.cause = END_SIGN_INS_ENDED;
	if (verdict.cause != END_NONE)
		purge_begin(reaper, uid, NULL, verdict.cause, verdict.detail);
}

bool stray_turn(struct reaper *reaper)
{
	int r;

	if (reaper->scan_wanted && !reaper->looking) {
		/* After the pass: whoever has sessions is on the way already. */
		reaper->scan_wanted = reaper->scan_unknown = false;
		scan_end(TAKE_PTR(reaper->scan));
		r = scan_begin(&reaper->scan);
		if (r < 0)
			log_error("cannot look who has processes here: %s", strerrordesc_np(-r));
	}
	if (!reaper->scan)
		return reaper->scan_wanted;
	if (scan_slice(reaper->scan, on_uid, reaper))
		return true;
	scan_end(TAKE_PTR(reaper->scan));
	if (!reaper->scan_wanted && !reaper->scan_unknown)
		reaper->expected_count = 0;
	return false;
}
