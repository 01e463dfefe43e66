/* SPDX-License-Identifier: MIT
 *
 * An event as it is kept: the leaf for ever, and beside it what is about people, bound to it by salted hashes
 * (docs/audit-log.md, "A record").
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit/internal.h"
#include "audit/view.h"
#include "base/secret.h"

/* What is said of one person, with a salt of its own, and what binds it. 0, also where nothing is. */
static int take_person(struct audit_context *context, const struct audit_event *event, unsigned number,
		       struct personal_list *list)
{
	_cleanup_(buffer_finish) struct buffer patch = {.wipe = true};
	struct personal *personal = &list->items[list->count];
	int r;

	ocsf_write(&patch, context, event, (int)number);
	if (patch.failed)
		return -ENOMEM;
	if (patch.length == 0)
		return 0;
	if (patch.length > PATCH_BYTES_MAX)
		return -EMSGSIZE;
	memcpy(personal->person, context->people.ids[number], sizeof(personal->person));
	personal->patch = strndup(patch.data, patch.length);
	if (!personal->patch)
		return -ENOMEM;
	list->count++;
	r = random_bytes(personal->salt, sizeof(personal->salt));
	if (r >= 0)
		r = personal_commitment(personal->salt, patch.data, patch.length,
					context->commitments[context->commitment_count].hash);
	if (r < 0)
		return r;
	context->commitments[context->commitment_count++].person = context->people.ids[number];
	return 0;
}

static int make_kept(struct audit_context *context, const struct audit_event *event, struct audit_record *ret)
{
	_cleanup_(personal_finish) struct personal_list list = {0};
	int r = 0;

	context->commitment_count = 0;
	for (unsigned i = 0; i < context->people.count && r >= 0; i++)
		r = take_person(context, event, i, &list);
	if (r < 0)
		return r;
	ocsf_write(&ret->leaf, context, event, VIEW_LEAF);
	if (ret->leaf.failed)
		return -ENOMEM;
	if (ret->leaf.length > LEAF_BYTES_MAX)
		return -EMSGSIZE;
	r = personal_write(&list, &ret->personal);
	return r < 0 ? r : ret->personal.failed ? -ENOMEM : 0;
}

int audit_record_make(struct audit_context *context, const struct audit_event *event, struct audit_record *ret)
{
	int r = 0;

	ret->personal.wipe = true;
	context->people = people_of(event);
	if (context->link)
		r = make_kept(context, event, ret);
	if (r < 0)
		return r;
	ocsf_write(&ret->whole, context, event, VIEW_ALL);
	return ret->whole.failed ? -ENOMEM : 0;
}

void audit_record_finish(struct audit_record *record)
{
	buffer_finish(&record->leaf);
	buffer_finish(&record->personal);
	buffer_finish(&record->whole);
}
