/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/utf8.h"
#include "helper/request.h"
#include "reaper/internal.h"

/* As much of it as fits, in whole characters, and nothing where it has what no terminal should get: the helper refuses
 * such a text, and with it everything. */
static const char *fit(const char *detail, char out[DETAIL_SIZE])
{
	size_t length = detail ? strlen(detail) : 0, at = 0;

	out[0] = '\0';
	if (length == 0 || !text_is_printable(detail, length))
		return out;
	while (at < length) {
		size_t next = utf8_next(detail + at, length - at, NULL);

		if (next == 0 || at + next >= DETAIL_SIZE)
			break;
		at += next;
	}
	memcpy(out, detail, at);
	out[at] = '\0';
	return out;
}

void words_ending(enum end_cause cause, const char *detail, uint32_t grace_sec, char *out, size_t size)
{
	const char *why = end_cause_text(cause);
	char fitting[DETAIL_SIZE], span[48];
	size_t length;

	fit(detail, fitting);
	/* Of another release's session nobody knows the reason. */
	(void)snprintf(out, size, "This session ends now%s%s%s%s%s.", *why ? ": " : "", why, *fitting ? " (" : "",
		       fitting, *fitting ? ")" : "");
	length = strlen(out);
	if (grace_sec)
		(void)snprintf(out + length, size - length, " What still runs in %s is killed.",
			       format_span(grace_sec, span, sizeof(span)));
}

void words_warning(enum end_cause cause, uint64_t left_sec, char *out, size_t size)
{
	char span[48];

	format_span(left_sec ? left_sec : 1, span, sizeof(span));
	switch ((int)cause) {
	case END_IDLE:
		(void)snprintf(out, size,
			       "Nobody has used this session for long; it ends in %s. Press a key to keep it.", span);
		break;
	case END_TOO_OLD:
		(void)snprintf(out, size, "This session ends in %s: it will have lasted as long as one may here.",
			       span);
		break;
	case END_OUTSIDE_HOURS:
		(void)snprintf(out, size, "This session ends in %s, with the hours in which people may be here.", span);
		break;
	case END_KEY_EXPIRED:
		(void)snprintf(out, size, "This session ends in %s, with the key that opened it.", span);
		break;
	case END_GRANT_ENDED:
		(void)snprintf(out, size, "This session ends in %s, with the grant by which you were let in.", span);
		break;
	default:
		(void)snprintf(out, size, "This session ends in %s.", span);
	}
}

_Static_assert(DETAIL_SIZE + 200 < HELPER_TEXT_MAX, "a reason and its sentence fit");
