/* SPDX-License-Identifier: MIT
 *
 * The one writer of events: to the store, then to the journal. Every value that came from outside is made clean
 * first (clean.c), so no name, address or message can start a field of its own, end a line, or reach a terminal as a
 * control sequence.
 */
#include "audit/audit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "audit/internal.h"
#include "base/clock.h"
#include "base/macros.h"
#include "base/parse.h"
#include "base/text.h"

#define VALUE_MAX 1024U    /* of one field, escaped */
#define VALUE_SHORT 96U    /* of an event whose leaf would be too large with that */
#define FIELDS_MAX 131072U /* one event */
#define HOST_MAX 256U
#define GAP_TEXT_SIZE (2 * TIME_TEXT_SIZE + 16)

#define AT(member) offsetof(struct audit_event, member)
const struct audit_string audit_strings[] = {
	{"TENANT", AT(tenant)},
	{"TENANT_ID", AT(tenant_id)},
	{"TENANT_PROJECT", AT(project)},
	{"TENANT_PROJECT_ID", AT(project_id)},
	{"TENANT_ROLE", AT(role)},
	{"TENANT_USER", AT(user)},
	{"TENANT_USER_ID", AT(user_id)},
	{"TENANT_OPERATOR", AT(operator_name)},
	{"TENANT_GRANT", AT(grant)},
	{"TENANT_GRANT_REASON", AT(grant_reason)},
	{"TENANT_TARGET_USER", AT(target_user)},
	{"TENANT_TARGET_USER_ID", AT(target_user_id)},
	{"TENANT_SERVICE", AT(service)},
	{"TENANT_SOURCE", AT(source)},
	{"TENANT_TERMINAL", AT(terminal)},
	{"TENANT_SESSION", AT(host_session)},
	{"TENANT_CREDENTIAL", AT(credential)},
	{"TENANT_ACTION", AT(action)},
	{"TENANT_CAUSE", AT(cause)},
	{"TENANT_RECORD_KIND", AT(record_kind)},
	{"TENANT_RECORD_ID", AT(record_id)},
	{"TENANT_CHANGE", AT(change)},
	{"TENANT_CALLER_USER_ID", AT(caller_user_id)},
	{"TENANT_DETAIL", AT(detail)},
};
const size_t audit_string_count = ARRAY_LEN(audit_strings);

struct audit {
	char host[HOST_MAX], host_id[LEAF_ID_MAX];
	char boot_id[SD_ID128_STRING_MAX];
	struct journal *journal; /* NULL: there is no socket at all */
	struct audit_groups *groups;
	uint64_t sequence;
	uint64_t lost, lost_told;
	struct audit_store store;
	uint64_t kinds_kept;
	uint64_t unkept;
	struct {
		uint64_t count;
		int64_t first, last; /* wall clock */
	} gap;                       /* what was not kept since the store kept something */
	audit_sink_fn sink;
	void *sink_context;
	uint64_t (*clock)(void);
};

int audit_create(const char *host_name, struct audit **ret)
{
	struct audit *audit = calloc(1, sizeof(*audit));
	sd_id128_t boot;

	if (!audit)
		return -ENOMEM;
	audit->clock = clock_boottime_usec;
	text_escape(host_name, strlen(host_name), audit->host, sizeof(audit->host));
	if (audit_groups_create(&audit->groups) < 0) {
		audit_destroy(audit);
		return -ENOMEM;
	}
	if (sd_id128_get_boot(&boot) >= 0)
		sd_id128_to_string(boot, audit->boot_id);
	if (journal_open(&audit->journal) < 0)
		audit->journal = NULL; /* every event is then counted as lost, which status tells */
	*ret = audit;
	return 0;
}

int audit_set_host_id(struct audit *audit, const char *host_id)
{
	if (*host_id && (!text_is_id(host_id) || strlen(host_id) >= sizeof(audit->host_id)))
		return -EINVAL;
	(void)snprintf(audit->host_id, sizeof(audit->host_id), "%s", host_id);
	return 0;
}

void audit_set_store(struct audit *audit, const struct audit_store *store)
{
	audit->store = store ? *store : (struct audit_store){0};
}

static void add_field(struct buffer *buffer, const char *name, const char *value)
{
	if (value && *value)
		buffer_printf(buffer, "%s=%s\n", name, value);
}

static const char *string_at(const struct audit_event *event, size_t offset)
{
	return *(const char *const *)(const void *)((const char *)event + offset);
}

static void add_words(struct buffer *buffer, const char *before, const char *value)
{
	char escaped[VALUE_MAX / 4];

	if (!value || !*value)
		return;
	text_escape(value, strlen(value), escaped, sizeof(escaped));
	buffer_printf(buffer, "%s%s", before, escaped);
}

/* One line for people: what, who, where, why. */
static void add_message(struct buffer *buffer, const struct audit_kind_row *row, const struct audit_event *event)
{
	bool about_record = event->record_kind && *event->record_kind;

	buffer_add_text(buffer, row->title);
	add_words(buffer, ": ", event->user);
	add_words(buffer, ", who is the operator ", event->operator_name);
	add_words(buffer, event->operator_name && *event->operator_name ? ", of " : " of ", event->tenant);
	add_words(buffer, " becomes ", event->target_user);
	add_words(buffer, ": ", event->record_kind);
	add_words(buffer, " ", event->record_id);
	add_words(buffer, " ", about_record ? event->change : NULL);
	add_words(buffer, " by ", event->service);
	add_words(buffer, " from ", event->source);
	add_words(buffer, " as ", event->role);
	add_words(buffer, event->role ? " of " : " in ", event->project);
	add_words(buffer, " with ", event->credential);
	add_words(buffer, ", asking ", event->kind == AUDIT_LOGIN_ALLOWED ? NULL : event->action);
	add_words(buffer, ", because ", event->cause);
	if (event->has_caller)
		buffer_printf(buffer, ", called by uid %u", event->caller_uid);
	if (event->reason != REASON_ALLOWED)
		buffer_printf(buffer, " (%s)", reason_word(event->reason));
	if (event->count > 1)
		buffer_printf(buffer, ", %llu times", (unsigned long long)event->count);
	add_words(buffer, ": ", event->detail);
}

static void add_fields(struct buffer *ret, const struct audit *audit, const struct audit_kind_row *row,
		       const struct audit_event *event, const char *id, const struct buffer *ocsf)
{
	ret->limit = FIELDS_MAX;
	buffer_add_text(ret, "MESSAGE=");
	add_message(ret, row, event);
	buffer_printf(ret, "\nMESSAGE_ID=%s\nPRIORITY=%d\nSYSLOG_FACILITY=10\nSYSLOG_IDENTIFIER=tenantd\n",
		      row->message_id, row->priority);
	buffer_printf(ret, "TENANTD_EVENT=%s\nTENANT_REASON=%s\n", row->word, reason_word(event->reason));
	for (size_t i = 0; i < audit_string_count; i++)
		add_field(ret, audit_strings[i].field, string_at(event, audit_strings[i].offset));
	if (event->has_uid)
		buffer_printf(ret, "TENANT_UID=%u\n", event->uid);
	if (event->has_caller)
		buffer_printf(ret, "TENANT_CALLER_UID=%u\nTENANT_CALLER_PID=%u\n", event->caller_uid,
			      event->caller_pid);
	if (event->count > 0)
		buffer_printf(ret, "TENANT_COUNT=%llu\n", (unsigned long long)event->count);
	if (event->failure || row->failure)
		buffer_add_text(ret, "TENANT_FAILURE=1\n");
	if (event->stale)
		buffer_add_text(ret, "TENANT_STALE=1\n");
	if (event->directory_generation > 0)
		buffer_printf(ret, "TENANT_GENERATION=%llu\n", (unsigned long long)event->directory_generation);
	if (event->data_json)
		buffer_printf(ret, "TENANT_DATA=%s\n", event->data_json);
	if (audit->lost > audit->lost_told)
		buffer_printf(ret, "TENANTD_LOST=%llu\n", (unsigned long long)(audit->lost - audit->lost_told));
	buffer_printf(ret, "TENANTD_EVENT_ID=%s\nOCSF=%.*s\n", id, (int)ocsf->length, ocsf->data);
}

/* The fields for the journal, and with a link what the store takes. */
static int render(const struct audit *audit, const struct audit_event *event, const struct leaf_link *link, size_t most,
		  struct buffer *fields, struct audit_record *record)
{
	const struct audit_kind_row *row = audit_kind_row(event->kind);
	_cleanup_(audit_clean_finish) struct audit_clean clean = {0};
	char id[80];
	struct audit_context context = {
		.host = audit->host,
		.host_id = audit->host_id,
		.id = id,
		.sequence = link ? link->sequence : audit->sequence + 1,
		.time_usec = clock_realtime_usec(),
		.link = link,
	};
	int r;

	if (!row)
		return -EINVAL;
	if (link)
		(void)snprintf(id, sizeof(id), "%s-%llu", link->chain, (unsigned long long)link->sequence);
	else
		(void)snprintf(id, sizeof(id), "%s-%llu-%llu", audit->boot_id, (unsigned long long)context.time_usec,
			       (unsigned long long)context.sequence);
	r = audit_clean_event(event, most, &clean);
	/* What happens to the spool happens to the chain that it is written in. */
	if (r >= 0 && link && !event->record_id && text_equal(event->record_kind, "audit-chain"))
		clean.event.record_id = link->chain;
	if (r >= 0)
		r = audit_record_make(&context, &clean.event, record);
	if (r < 0)
		return r;
	add_fields(fields, audit, row, &clean.event, id, &record->whole);
	return fields->failed ? -ENOMEM : 0;
}

int audit_render(const struct audit *audit, const struct audit_event *event, struct buffer *ret)
{
	_cleanup_(audit_record_finish) struct audit_record record = {0};

	return render(audit, event, NULL, VALUE_MAX, ret, &record);
}

/* As a link of the chain. 0: kept, and the fields are as it stands there. */
static int keep(struct audit *audit, const struct audit_event *event, const struct leaf_link *link,
		struct buffer *fields)
{
	_cleanup_(audit_record_finish) struct audit_record record = {0};
	int r = render(audit, event, link, VALUE_MAX, fields, &record);

	if (r == -EMSGSIZE) {
		audit_record_finish(&record);
		r = render(audit, event, link, VALUE_SHORT, fields, &record);
	}
	if (r >= 0)
		r = audit->store.append(audit->store.context, record.leaf.data, record.leaf.length,
					record.personal.data, record.personal.length);
	if (r < 0)
		buffer_finish(fields);
	else
		audit->kinds_kept |= UINT64_C(1) << event->kind;
	return r;
}

static void send_fields(struct audit *audit, const struct audit_event *event, const struct buffer *fields, int r)
{
	uint64_t lost = audit->lost;

	if (r == 0 && audit->sink)
		audit->sink(audit->sink_context, event, fields->data, fields->length);
	else if (r == 0)
		r = audit->journal ? journal_send(audit->journal, fields->data, fields->length) : -ENOTCONN;
	audit->sequence++;
	if (r < 0)
		audit->lost++;
	else
		audit->lost_told = lost;
}

static struct audit_event gap_event(const struct audit *audit, char detail[GAP_TEXT_SIZE])
{
	char first[TIME_TEXT_SIZE], last[TIME_TEXT_SIZE];

	(void)snprintf(detail, GAP_TEXT_SIZE, "from %s to %s", format_time(audit->gap.first, first),
		       format_time(audit->gap.last, last));
	return (struct audit_event){
		.kind = AUDIT_GAP,
		.reason = REASON_BROKEN,
		.record_kind = "audit-chain",
		.detail = detail,
		.count = audit->gap.count,
	};
}

/* There is room again: first of all how much is missing. 0: told, or nothing was. */
static int tell_gap(struct audit *audit)
{
	_cleanup_(buffer_finish) struct buffer fields = BUFFER_INIT;
	char detail[GAP_TEXT_SIZE];
	struct audit_event event;
	struct leaf_link link;
	int r;

	if (audit->gap.count == 0)
		return 0;
	r = audit->store.next(audit->store.context, &link);
	if (r < 0)
		return r;
	event = gap_event(audit, detail);
	r = keep(audit, &event, &link, &fields);
	if (r < 0)
		return r;
	audit->gap.count = 0;
	if (audit->store.told)
		audit->store.told(audit->store.context, event.count);
	send_fields(audit, &event, &fields, 0);
	return 0;
}

static void count_unkept(struct audit *audit)
{
	audit->gap.last = clock_realtime_sec();
	if (audit->gap.count++ == 0)
		audit->gap.first = audit->gap.last;
	audit->unkept++;
}

static void write_now(struct audit *audit, const struct audit_event *event)
{
	_cleanup_(buffer_finish) struct buffer fields = BUFFER_INIT;
	struct leaf_link link;
	int r = -ENOENT;

	if (audit->store.next && audit_kind_row(event->kind)) {
		r = tell_gap(audit);
		if (r >= 0)
			r = audit->store.next(audit->store.context, &link);
		if (r >= 0)
			r = keep(audit, event, &link, &fields);
		if (r < 0)
			count_unkept(audit);
	}
	if (r < 0)
		r = audit_render(audit, event, &fields);
	send_fields(audit, event, &fields, r);
}

void audit_write(struct audit *audit, const struct audit_event *event)
{
	if (audit && audit_groups_admit(audit->groups, event, audit->clock()))
		write_now(audit, event);
}

uint64_t audit_kinds_kept(struct audit *audit)
{
	uint64_t kept = audit->kinds_kept;

	_Static_assert(AUDIT_KIND_COUNT <= 64, "a bit for each kind");
	audit->kinds_kept = 0;
	return kept;
}

uint64_t audit_lost(const struct audit *audit)
{
	return audit->lost;
}

uint64_t audit_unkept(const struct audit *audit)
{
	return audit->unkept;
}

uint64_t audit_next_tick(const struct audit *audit)
{
	return audit_groups_due(audit->groups);
}

static void write_counted(struct audit *audit, uint64_t now_usec, bool all)
{
	const struct audit_event *event;

	while ((event = audit_groups_next(audit->groups, now_usec, all)))
		write_now(audit, event);
}

void audit_tick(struct audit *audit, uint64_t now_usec)
{
	write_counted(audit, now_usec, false);
}

void audit_divert(struct audit *audit, audit_sink_fn sink, void *context, uint64_t (*clock)(void))
{
	audit->sink = sink;
	audit->sink_context = context;
	if (clock)
		audit->clock = clock;
}

/* There is still no room: then the journal at least says how much is missing. */
static void leave_gap(struct audit *audit)
{
	_cleanup_(buffer_finish) struct buffer fields = BUFFER_INIT;
	char detail[GAP_TEXT_SIZE];
	struct audit_event event;

	if (audit->gap.count == 0 || tell_gap(audit) >= 0)
		return;
	event = gap_event(audit, detail);
	send_fields(audit, &event, &fields, audit_render(audit, &event, &fields));
}

void audit_destroy(struct audit *audit)
{
	if (!audit)
		return;
	if (audit->groups)
		write_counted(audit, audit->clock(), true);
	leave_gap(audit);
	audit_groups_destroy(audit->groups);
	journal_close(audit->journal);
	free(audit);
}
