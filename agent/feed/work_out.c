/* SPDX-License-Identifier: MIT
 *
 * Units that are given out, what becomes of them, and how everything is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/macros.h"
#include "feed/work_internal.h"

void work_applied(struct work *work, uint64_t tag)
{
	/* What changed since those units were given out is not in force yet: first it gets a number of its own. */
	work_settle(work);
	for (struct entry *entry = work->entries; entry; entry = entry->next) {
		if (entry->given_tag == 0 || entry->given_tag > tag || entry->answered_tag == entry->given_tag)
			continue;
		entry->answered_tag = entry->given_tag;
		follow_applied(entry->follow, NULL);
	}
}

void work_refused(struct work *work, uint64_t tag, const char *tenant_id, const struct problem *problem)
{
	struct entry *entry;

	work_settle(work);
	entry = work_find(work, tenant_id);
	if (!entry || entry->given_tag > tag || entry->answered_tag == entry->given_tag)
		return;
	entry->answered_tag = entry->given_tag;
	follow_applied(entry->follow, problem);
}

/* 1: they differ from those that were given out last. */
static int take_entry(struct entry *entry, uint64_t tag)
{
	const struct feed_picture *picture = follow_picture(entry->follow);
	struct unit *const *units = NULL;
	struct unit **copy;
	uint32_t count = 0;

	if (picture)
		feed_picture_units(picture, &units, &count);
	if (count == entry->given_count && (count == 0 || memcmp(units, entry->given, count * sizeof(*units)) == 0))
		return 0;
	copy = calloc(count + 1U, sizeof(struct unit *));
	if (!copy)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		copy[i] = unit_ref(units[i]);
	work_drop_given(entry);
	entry->given = copy;
	entry->given_count = count;
	entry->given_tag = tag;
	return 1;
}

int work_take_units(struct work *work, uint64_t tag, struct unit ***ret, uint32_t *ret_count)
{
	struct unit **units;
	uint32_t total = 0;
	int r = work->lost_units;

	work->lost_units = false;
	for (struct entry *entry = work->entries; entry; entry = entry->next) {
		int changed = take_entry(entry, tag);

		r = r < 0 || changed < 0 ? -ENOMEM : r | changed;
		total += entry->given_count;
	}
	units = calloc(total + 1U, sizeof(struct unit *));
	if (!units)
		return -ENOMEM;
	*ret_count = 0;
	for (struct entry *entry = work->entries; entry; entry = entry->next)
		for (uint32_t i = 0; i < entry->given_count; i++)
			units[(*ret_count)++] = unit_ref(entry->given[i]);
	*ret = units;
	return r;
}

void work_session(struct work *work, const char *tenant_id, const char *id, const char *line)
{
	if (!line)
		session_reports_gone(work->sessions, id);
	else if (session_reports_put(work->sessions, tenant_id, id, line) < 0)
		log_error("out of memory: the control plane does not hear of a session");
}

static void view_entry(const struct entry *entry, struct feed_view *ret)
{
	follow_view(entry->follow, ret);
	snprintf(ret->tenant_id, sizeof(ret->tenant_id), "%s", entry->tenant_id);
	ret->from_file = entry->imported;
	if (!entry->import_problem.text[0])
		return;
	problem_render(&entry->import_problem, ret->problem, sizeof(ret->problem));
	if (!ret->fault[0])
		snprintf(ret->fault, sizeof(ret->fault), "import");
}

uint32_t work_view(const struct work *work, struct host_view *ret_host, struct feed_view *ret, uint32_t size)
{
	uint32_t count = 0;

	*ret_host = (struct host_view){0};
	ret_host->state = work->enrol         ? FEED_ENROLLING
			  : work->disabled[0] ? FEED_DISABLED
			  : work->enrolled    ? FEED_LIVE
					      : FEED_UNENROLLED;
	snprintf(ret_host->url, sizeof(ret_host->url), "%s", work->identity.url);
	snprintf(ret_host->host_id, sizeof(ret_host->host_id), "%s", work->identity.host_id);
	snprintf(ret_host->problem, sizeof(ret_host->problem), "%s",
		 work->disabled[0] ? work->disabled : work->problem);
	audit_reports_view(work->audit, &ret_host->reports);
	witness_view(work->witness, &ret_host->witness);
	for (const struct entry *entry = work->entries; entry && count < size; entry = entry->next)
		view_entry(entry, &ret[count++]);
	for (uint32_t i = 0; i < work->folder_count && count < size; i++) {
		struct feed_view *view = &ret[count];

		if (!work->folders[i].problem.text[0])
			continue;
		*view = (struct feed_view){.state = FEED_QUARANTINE, .from_file = true, .fault = "import"};
		problem_render(&work->folders[i].problem, view->problem, sizeof(view->problem));
		count++;
	}
	return count;
}
