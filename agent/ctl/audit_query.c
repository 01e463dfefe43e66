/* SPDX-License-Identifier: MIT
 *
 * What is asked of the journal. Whoever may write to the journal can write entries that look like ours: only those of
 * our own units count, which journald itself says of each entry.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "base/parse.h"
#include "base/text.h"
#include "ctl/audit.h"

#define MATCH_MAX 512U
#define HELPER_KIND "helper-refused" /* the root helper's one */

void audit_query_finish(struct audit_query *query)
{
	ctl_list_finish(&query->kinds);
}

/* "2026-11-21T08:30:00Z", "2026-11-21", or how long ago: "90min". */
static int read_moment(const struct ctl *ctl, const char *name, const char *text, uint64_t *ret)
{
	int64_t seconds, now = clock_realtime_sec();
	uint64_t ago;

	*ret = 0;
	if (!text)
		return -1;
	if (parse_duration(text, &ago) == 0)
		seconds = now - (int64_t)MIN_OF(ago, (uint64_t)now);
	else if (parse_time(text, &seconds) < 0)
		return ctl_fail(ctl, CTL_USAGE,
				"--%s: '%s' is neither a time (2026-11-21T08:30:00Z, 2026-11-21) nor a span "
				"(90min, 2d)",
				name, text);
	*ret = (uint64_t)MAX_OF(seconds, (int64_t)0) * USEC_PER_SEC;
	return -1;
}

static bool is_kind(const char *text)
{
	for (int kind = 0; kind < AUDIT_KIND_COUNT; kind++)
		if (text_equal(text, audit_kind_word(kind)))
			return true;
	return text_equal(text, HELPER_KIND);
}

static int read_kinds(const struct ctl *ctl, const struct ctl_list *kinds)
{
	const char *words[AUDIT_KIND_COUNT + 2] = {0};
	const char *near;

	for (int kind = 0; kind < AUDIT_KIND_COUNT; kind++)
		words[kind] = audit_kind_word(kind);
	words[AUDIT_KIND_COUNT] = HELPER_KIND;
	for (size_t i = 0; i < kinds->count; i++) {
		if (is_kind(kinds->items[i]))
			continue;
		near = text_suggest(kinds->items[i], words, AUDIT_KIND_COUNT + 1);
		return ctl_fail(ctl, CTL_USAGE, "--kind: there is no event '%s'%s%s%s", kinds->items[i],
				near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	}
	return -1;
}

int audit_query_read(const struct ctl *ctl, struct audit_query *query)
{
	const char *outcome = query->outcome;
	int result = read_kinds(ctl, &query->kinds);

	if (result < 0)
		result = read_moment(ctl, "since", query->since, &query->since_usec);
	if (result < 0)
		result = read_moment(ctl, "until", query->until, &query->until_usec);
	if (result >= 0)
		return result;
	if (query->until_usec && query->until_usec < query->since_usec)
		return ctl_fail(ctl, CTL_USAGE, "--until is before --since");
	if (outcome && !text_equal(outcome, "success") && !text_equal(outcome, "failure"))
		return ctl_fail(ctl, CTL_USAGE, "--outcome is success or failure");
	query->success_alone = text_equal(outcome, "success");
	if (query->lines && (parse_u64(query->lines, &query->most) < 0 || query->most == 0))
		return ctl_fail(ctl, CTL_USAGE, "--lines is a number from 1 on");
	return -1;
}

/* ---- matches --------------------------------------------------------------------------------------------------------
 */

static int match(sd_journal *journal, const char *field, const char *value, size_t length)
{
	char text[MATCH_MAX];
	size_t used = (size_t)snprintf(text, sizeof(text), "%s=", field);

	if (used + length > sizeof(text))
		return -ENAMETOOLONG;
	memcpy(text + used, value, length);
	return sd_journal_add_match(journal, text, used + length);
}

/* One of the fields has the value; beside all that was asked for before. */
static int match_any(sd_journal *journal, const char *const *fields, const char *value)
{
	int r = 0;

	if (!value)
		return 0;
	for (size_t i = 0; fields[i] && r >= 0; i++) {
		r = match(journal, fields[i], value, strlen(value));
		if (r >= 0)
			r = fields[i + 1] ? sd_journal_add_disjunction(journal) : sd_journal_add_conjunction(journal);
	}
	return r;
}

/* "tenant/project", a project's name, or an id. */
static int match_project(sd_journal *journal, const char *project)
{
	static const char *const fields[] = {"TENANT_PROJECT", "TENANT_PROJECT_ID", NULL};
	const char *slash = project ? strchr(project, '/') : NULL;
	int r = 0;

	if (slash) {
		r = match(journal, "TENANT", project, (size_t)(slash - project));
		if (r >= 0)
			r = sd_journal_add_conjunction(journal);
		project = slash + 1;
	}
	return r < 0 ? r : match_any(journal, fields, project);
}

static int match_all(sd_journal *journal, const struct audit_query *query)
{
	static const char *const users[] = {"TENANT_USER", "TENANT_USER_ID", "TENANT_TARGET_USER",
					    "TENANT_TARGET_USER_ID", NULL};
	static const char *const tenants[] = {"TENANT", "TENANT_ID", NULL};
	static const char *const sessions[] = {"TENANT_SESSION", NULL}, *const ids[] = {"TENANTD_EVENT_ID", NULL};
	static const char *const failures[] = {"TENANT_FAILURE", NULL};
	static const char *const units[] = {"tenantd.service", "tenantd-helper.service"};
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(units) && r >= 0; i++)
		r = match(journal, "_SYSTEMD_UNIT", units[i], strlen(units[i]));
	if (r >= 0)
		r = sd_journal_add_conjunction(journal);
	for (size_t i = 0; i < query->kinds.count && r >= 0; i++)
		r = match(journal, "TENANTD_EVENT", query->kinds.items[i], strlen(query->kinds.items[i]));
	if (r >= 0 && query->kinds.count > 0)
		r = sd_journal_add_conjunction(journal);
	(void)(r < 0 || (r = match_any(journal, users, query->user)) < 0 ||
	       (r = match_any(journal, tenants, query->tenant)) < 0 ||
	       (r = match_project(journal, query->project)) < 0 ||
	       (r = match_any(journal, sessions, query->session)) < 0 || (r = match_any(journal, ids, query->id)) < 0 ||
	       (r = match_any(journal, failures, text_equal(query->outcome, "failure") ? "1" : NULL)) < 0);
	return r;
}

int audit_query_open(const struct ctl *ctl, const struct audit_query *query, sd_journal **ret)
{
	const char *files[] = {query->journal, NULL};
	sd_journal *journal = NULL;
	struct stat st;
	int r;

	if (!query->journal)
		r = sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM);
	else if (stat(query->journal, &st) < 0)
		r = -errno;
	else if (S_ISDIR(st.st_mode))
		r = sd_journal_open_directory(&journal, query->journal, 0);
	else
		r = sd_journal_open_files(&journal, files, 0);
	if (r >= 0)
		r = sd_journal_set_data_threshold(journal, 0); /* whole values */
	if (r >= 0)
		r = match_all(journal, query);
	if (r == -ENAMETOOLONG) {
		sd_journal_close(journal);
		return ctl_fail(ctl, CTL_USAGE, "nothing has a name as long as that");
	}
	if (r < 0) {
		sd_journal_close(journal);
		return ctl_fail(ctl, CTL_BROKEN, "cannot read the journal%s%s: %s", query->journal ? " " : "",
				query->journal ? query->journal : "", strerrordesc_np(-r));
	}
	*ret = journal;
	return -1;
}

bool audit_query_fits(const struct audit_query *query, sd_journal *journal)
{
	const void *data;
	size_t length;

	/* What the units themselves say, and not about an event. */
	if (sd_journal_get_data(journal, "TENANTD_EVENT", &data, &length) < 0)
		return false;
	return !query->success_alone || sd_journal_get_data(journal, "TENANT_FAILURE", &data, &length) < 0;
}
