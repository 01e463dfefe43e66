/* SPDX-License-Identifier: MIT
 *
 * The words of feeds.h.
 */
#include "base/macros.h"
#include "feed/feeds.h"

static const struct {
	const char *word, *sentence;
} states[] = {
	[FEED_UNENROLLED] = {"unenrolled", "this host belongs to no control plane"},
	[FEED_ENROLLING] = {"enrolling", "this host is being enrolled"},
	[FEED_BOOTSTRAP] = {"bootstrap", "fetching everything for the first time"},
	[FEED_LIVE] = {"live", "connected and up to date"},
	[FEED_RECONNECT] = {"reconnect", "not connected; what was learned is still fresh"},
	[FEED_STALE] = {"stale", "not heard of for too long; only who the tenant's offline rule names gets in"},
	[FEED_RESYNC] = {"resync", "fetching everything anew; what was there goes on serving"},
	[FEED_QUARANTINE] = {"quarantine", "what came was refused; the last good state goes on serving"},
	[FEED_DISABLED] = {"disabled", "this host was taken out of service; everything was wiped"},
};
_Static_assert(ARRAY_LEN(states) == FEED_STATE_COUNT, "words for each state");

const char *feed_state_word(enum feed_state state)
{
	return (unsigned)state < FEED_STATE_COUNT ? states[state].word : "unknown";
}

const char *feed_state_sentence(enum feed_state state)
{
	return (unsigned)state < FEED_STATE_COUNT ? states[state].sentence : "unknown";
}
