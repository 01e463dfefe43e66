/* SPDX-License-Identifier: MIT
 *
 * tenantctl audit tail, and search: events from the journal of this host.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/audit.h"

#define TAIL_LINES 10U

static int broken(const struct ctl *ctl, int r)
{
	return ctl_fail(ctl, CTL_BROKEN, "cannot read the journal: %s", strerrordesc_np(-r));
}

static bool is_past(const struct audit_query *query, sd_journal *journal)
{
	uint64_t usec = 0;

	(void)sd_journal_get_realtime_usec(journal, &usec);
	return query->until_usec && usec >= query->until_usec;
}

static bool is_before(const struct audit_query *query, sd_journal *journal)
{
	uint64_t usec = 0;

	(void)sd_journal_get_realtime_usec(journal, &usec);
	return usec < query->since_usec;
}

/* Before the first that is shown. */
static int seek_first(const struct audit_query *query, sd_journal *journal)
{
	uint64_t fitting = 0;
	int r;

	if (!query->most)
		return query->since_usec ? sd_journal_seek_realtime_usec(journal, query->since_usec)
					 : sd_journal_seek_head(journal);
	r = query->until_usec ? sd_journal_seek_realtime_usec(journal, query->until_usec)
			      : sd_journal_seek_tail(journal);
	while (r >= 0 && fitting < query->most && (r = sd_journal_previous(journal)) > 0) {
		if (is_before(query, journal))
			break;
		fitting += !is_past(query, journal) && audit_query_fits(query, journal);
	}
	if (r <= 0)
		return r < 0 ? r : sd_journal_seek_head(journal);
	/* The next step must lead to this one, or to the one after where this is too old. */
	return is_before(query, journal) ? 0 : sd_journal_previous(journal) > 0 ? 0 : sd_journal_seek_head(journal);
}

/* How events are shown: a table, one object a line, or a list of them. */
struct showing {
	bool json, list;
	uint64_t count;
};

static bool show(struct showing *showing, sd_journal *journal)
{
	bool first = showing->count++ == 0;

	if (!showing->json) {
		if (first)
			audit_print_titles();
		return audit_print_line(journal);
	}
	if (showing->list && !first)
		fputs(",\n", stdout);
	if (!audit_print_object(journal))
		return false;
	return showing->list || (putchar('\n') != EOF && fflush(stdout) == 0);
}

/* All from where the journal is. 0, or negative: the journal; -EPIPE: nobody reads. */
static int show_all(const struct audit_query *query, sd_journal *journal, struct showing *showing)
{
	int r;

	while ((r = sd_journal_next(journal)) > 0) {
		/* Entries of several files and boots are in order of time only as good as the clocks were. */
		if (is_before(query, journal) || is_past(query, journal) || !audit_query_fits(query, journal))
			continue;
		if (!show(showing, journal))
			return -EPIPE;
	}
	return r;
}

/* Goes on with what comes, for ever. */
static int follow(const struct audit_query *query, sd_journal *journal, struct showing *showing)
{
	int r;

	do {
		r = show_all(query, journal, showing);
		if (r >= 0)
			r = sd_journal_wait(journal, UINT64_MAX);
	} while (r >= 0);
	return r;
}

/* Nothing found is not the same as nothing there. */
static void explain_nothing(const struct ctl *ctl, const struct audit_query *query)
{
	if (ctl->json)
		return;
	printf("No such events.\n");
	if (!query->journal && geteuid() != 0)
		ctl_warn(ctl, "you see what the journal lets you: root and the groups adm and systemd-journal see all");
}

#define FILTERS(query)                                                                                             \
	{.name = "user",                                                                                           \
	 .metavar = "USER",                                                                                        \
	 .help = "about this person, or whoever becomes them (a login or an id)",                                  \
	 .value = &(query)->user},                                                                                 \
		{.name = "tenant", .metavar = "TENANT", .help = "a name or an id", .value = &(query)->tenant},     \
		{.name = "project",                                                                                \
		 .metavar = "PROJECT",                                                                             \
		 .help = "\"tenant/project\", a project's name, or an id",                                         \
		 .value = &(query)->project},                                                                      \
		{.name = "session", .metavar = "ID", .help = "of this session", .value = &(query)->session},       \
		{.name = "kind",                                                                                   \
		 .metavar = "KIND,…",                                                                              \
		 .help = "of these kinds (login-denied)",                                                          \
		 .list = &(query)->kinds},                                                                         \
		{.name = "outcome", .metavar = "WHICH", .help = "success or failure", .value = &(query)->outcome}, \
		{.name = "since",                                                                                  \
		 .metavar = "TIME",                                                                                \
		 .help = "from then on (2026-11-21T08:30:00Z, 2026-11-21, or how long ago: 90min)",                \
		 .value = &(query)->since},                                                                        \
	{                                                                                                          \
		.name = "journal", .metavar = "PATH",                                                              \
		.help = "a journal file, or a folder of them, in place of this host's journal",                    \
		.value = &(query)->journal                                                                         \
	}

int audit_tail_verb(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(audit_query_finish) struct audit_query query = {0};
	_cleanup_(sd_journal_closep) sd_journal *journal = NULL;
	bool goes_on = false;
	const struct ctl_option options[] = {
		FILTERS(&query),
		{.name = "lines", .metavar = "N", .help = "so many to begin with (10)", .value = &query.lines},
		{.name = "follow", .help = "then those that come, until interrupted", .flag = &goes_on},
	};
	const struct ctl_command command = {
		.name = "audit tail",
		.usage = "[--follow] [FILTERS]",
		.text = "The newest events of this host. With --json one OCSF object a line. Exit code 1 when there "
			"is\n"
			"none.\n",
		.options = options,
		.option_count = ARRAY_LEN(options),
	};
	struct showing showing = {0};
	int count, r, result = ctl_parse(ctl, &command, argc, argv, &count);

	if (result < 0)
		result = audit_query_read(ctl, &query);
	if (result < 0 && !query.most)
		query.most = TAIL_LINES;
	if (result < 0)
		result = audit_query_open(ctl, &query, &journal);
	if (result >= 0)
		return result;
	showing.json = ctl->json;
	r = seek_first(&query, journal);
	if (r >= 0)
		r = goes_on ? follow(&query, journal, &showing) : show_all(&query, journal, &showing);
	if (r < 0)
		return r == -EPIPE ? CTL_BROKEN : broken(ctl, r);
	if (showing.count == 0)
		explain_nothing(ctl, &query);
	return showing.count > 0 ? CTL_OK : CTL_NO;
}

int audit_search_verb(struct ctl *ctl, int argc, char **argv)
{
	_cleanup_(audit_query_finish) struct audit_query query = {0};
	_cleanup_(sd_journal_closep) sd_journal *journal = NULL;
	const struct ctl_option options[] = {
		FILTERS(&query),
		{.name = "until", .metavar = "TIME", .help = "before then", .value = &query.until},
		{.name = "id", .metavar = "ID", .help = "the one with this id", .value = &query.id},
		{.name = "lines", .metavar = "N", .help = "the newest N of them", .value = &query.lines},
	};
	const struct ctl_command command = {
		.name = "audit search",
		.usage = "[FILTERS]",
		.text = "Events of this host that fit all that is said, the oldest first. With --json a list of OCSF\n"
			"objects. Exit code 1 when there is none.\n"
			"\n"
			"Examples:\n"
			"  tenantctl audit search --user alice --since 2d\n"
			"  tenantctl audit search --kind login-denied --outcome failure --since 2026-11-21\n",
		.options = options,
		.option_count = ARRAY_LEN(options),
	};
	struct showing showing = {.list = true};
	int count, r, result = ctl_parse(ctl, &command, argc, argv, &count);

	if (result < 0)
		result = audit_query_read(ctl, &query);
	if (result < 0)
		result = audit_query_open(ctl, &query, &journal);
	if (result >= 0)
		return result;
	showing.json = ctl->json;
	r = seek_first(&query, journal);
	if (r >= 0 && ctl->json)
		putchar('[');
	if (r >= 0)
		r = show_all(&query, journal, &showing);
	if (ctl->json && r >= 0 && (fputs("]\n", stdout) == EOF || fflush(stdout) != 0))
		r = -EPIPE;
	if (r < 0)
		return r == -EPIPE ? CTL_BROKEN : broken(ctl, r);
	if (showing.count == 0)
		explain_nothing(ctl, &query);
	return showing.count > 0 ? CTL_OK : CTL_NO;
}
