/* SPDX-License-Identifier: MIT
 *
 * Grouping: of equal events the first passes, the others are counted for a while.
 *
 * A bounded table, set-associative, so an event costs a look at a few places; where those are all in use
 * events are written one by one rather than lost. A group whose time passed with nothing counted costs
 * nothing: no timer runs for it.
 */
#include <errno.h>
#include <string.h>

#include "audit/internal.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/macros.h"

#define GROUP_SETS 128U /* a power of two */
#define GROUP_WAYS 8U
#define GROUPS_MAX (GROUP_SETS * GROUP_WAYS)
#define GROUP_SPAN (300 * USEC_PER_SEC)

struct group {
	uint64_t hash; /* 0: free */
	uint64_t until;
	struct audit_event event; /* own copies of its strings; count: what waits */
};

struct audit_groups {
	struct group groups[GROUPS_MAX];
	uint32_t waiting;         /* groups with a count */
	uint64_t due;             /* no count is due before; 0 with none waiting */
	struct audit_event given; /* by audit_groups_next: its strings are freed at the next call */
};

static const char **string_of(struct audit_event *event, size_t offset)
{
	return (const char **)(void *)((char *)event + offset);
}

static void free_strings(struct audit_event *event)
{
	for (size_t i = 0; i < audit_string_count; i++)
		free((char *)(uintptr_t)*string_of(event, audit_strings[i].offset));
	*event = (struct audit_event){0};
}

/* What does not fit into memory is left out: a summary without its address beats none. */
static void copy_event(struct audit_event *to, const struct audit_event *from)
{
	*to = *from;
	to->data_json = NULL;
	to->count = 0;
	for (size_t i = 0; i < audit_string_count; i++) {
		const char **string = string_of(to, audit_strings[i].offset);

		*string = *string ? strdup(*string) : NULL;
	}
}

int audit_groups_create(struct audit_groups **ret)
{
	struct audit_groups *groups = calloc(1, sizeof(*groups));

	if (!groups)
		return -ENOMEM;
	*ret = groups;
	return 0;
}

void audit_groups_destroy(struct audit_groups *groups)
{
	if (!groups)
		return;
	for (size_t i = 0; i < GROUPS_MAX; i++)
		free_strings(&groups->groups[i].event);
	free_strings(&groups->given);
	free(groups);
}

static uint64_t hash_of(const char *text)
{
	return text && *text ? hash_text(text) : 0;
}

/* Events with one hash are one group; 0: never grouped. */
static uint64_t group_hash(const struct audit_event *event)
{
	uint64_t parts[6] = {event->kind, event->has_caller ? event->caller_uid : UINT64_MAX};

	switch ((int)event->kind) {
	case AUDIT_CALL_REFUSED:
		return hash_bytes(parts, sizeof(parts)) | 1U;
	case AUDIT_KEY_REFUSED:
		parts[2] = event->reason;
		break;
	case AUDIT_KEY_USED:
		break;
	default:
		return 0;
	}
	parts[3] = hash_of(event->credential);
	parts[4] = hash_of(event->service);
	parts[5] = hash_of(event->source);
	return hash_bytes(parts, sizeof(parts)) | 1U;
}

static void count_one(struct audit_groups *groups, struct group *group, uint64_t count)
{
	if (group->event.count == 0) {
		groups->waiting++;
		if (groups->due == 0 || group->until < groups->due)
			groups->due = group->until;
	}
	group->event.count += count ? count : 1;
}

bool audit_groups_admit(struct audit_groups *groups, const struct audit_event *event, uint64_t now_usec)
{
	uint64_t hash = group_hash(event);
	struct group *set = &groups->groups[(hash >> 1) % GROUP_SETS * GROUP_WAYS];
	struct group *place = NULL;

	if (hash == 0)
		return true;
	for (size_t i = 0; i < GROUP_WAYS; i++) {
		struct group *group = &set[i];

		if (group->hash == hash && (group->until > now_usec || group->event.count > 0)) {
			count_one(groups, group, event->count);
			return false;
		}
		/* Reusable: free, the same one long past, or past with nothing counted. */
		if (!place && (group->hash == 0 || (group->until <= now_usec && group->event.count == 0)))
			place = group;
	}
	if (!place)
		return true; /* all in use */
	free_strings(&place->event);
	place->hash = hash;
	place->until = now_usec + GROUP_SPAN;
	copy_event(&place->event, event);
	return true;
}

const struct audit_event *audit_groups_next(struct audit_groups *groups, uint64_t now_usec, bool all)
{
	uint64_t due = 0;

	free_strings(&groups->given);
	for (size_t i = 0; i < GROUPS_MAX && groups->waiting > 0; i++) {
		struct group *group = &groups->groups[i];

		if (group->hash == 0 || group->event.count == 0)
			continue;
		if (all || group->until <= now_usec) {
			uint64_t count = group->event.count;

			copy_event(&groups->given, &group->event);
			groups->given.count = count;
			group->event.count = 0;
			group->until = now_usec + GROUP_SPAN;
			if (--groups->waiting == 0)
				groups->due = 0;
			return &groups->given;
		}
		if (due == 0 || group->until < due)
			due = group->until;
	}
	groups->due = due;
	return NULL;
}

uint64_t audit_groups_due(const struct audit_groups *groups)
{
	return groups->due;
}
