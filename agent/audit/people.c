/* SPDX-License-Identifier: MIT */
#include "audit/people.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define SYSTEM_UID_MAX 999U /* Debian's policy manual, 9.2.2 */

static int add(struct people *people, const char *id)
{
	unsigned i;

	if (!id || !text_is_id(id))
		id = PERSON_UNKNOWN;
	for (i = 0; i < people->count; i++)
		if (text_equal(people->ids[i], id))
			return (int)i;
	/* Three at the most come here, and all that nobody knows are one. */
	(void)snprintf(people->ids[i], sizeof(people->ids[i]), "%s", id);
	people->count++;
	return (int)i;
}

struct people people_of(const struct audit_event *event)
{
	struct people people = {0};
	const char *user = event->user_id;

	if (!user && text_equal(event->record_kind, "user"))
		user = event->record_id;
	people.user = add(&people, user);
	people.target = add(&people, event->target_user_id);
	people.caller = add(&people, event->caller_user_id);
	return people;
}

bool people_is_system_uid(uint32_t uid)
{
	return uid <= SYSTEM_UID_MAX;
}
