/* SPDX-License-Identifier: MIT
 *
 * Events as journal fields. Every value that came from outside is escaped on the way, so no name, address
 * or message can start a field of its own, end a line, or reach a terminal as a control sequence.
 */
#include "audit/audit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "audit/internal.h"
#include "base/clock.h"
#include "base/macros.h"
#include "base/text.h"

#define VALUE_MAX 1024U     /* of one field, escaped */
#define DATA_JSON_MAX 8192U /* of a service's own object */
#define FIELDS_MAX 65536U   /* one event */

#define AT(member) offsetof(struct audit_event, member)
const struct audit_string audit_strings[] = {
	{"TENANT", AT(tenant)},
	{"TENANT_PROJECT", AT(project)},
	{"TENANT_ROLE", AT(role)},
	{"TENANT_USER", AT(user)},
	{"TENANT_USER_ID", AT(user_id)},
	{"TENANT_OPERATOR", AT(operator_name)},
	{"TENANT_GRANT", AT(grant)},
	{"TENANT_GRANT_REASON", AT(grant_reason)},
	{"TENANT_TARGET_USER", AT(target_user)},
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
	{"TENANT_DETAIL", AT(detail)},
};
const size_t audit_string_count = ARRAY_LEN(audit_strings);

struct audit {
	char *host;
	char boot_id[SD_ID128_STRING_MAX];
	struct journal *journal; /* NULL: there is no socket at all */
	struct audit_groups *groups;
	uint64_t sequence;
	uint64_t lost, lost_told;
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
	audit->host = strdup(host_name);
	if (!audit->host || audit_groups_create(&audit->groups) < 0) {
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

/* What text_escape lets pass and a terminal or a reader can still be deceived by (writing direction, line
 * separators) makes the whole value plain ASCII. */
static void escape(const char *value, char *out, size_t size)
{
	size_t used = 0;

	text_escape(value, strlen(value), out, size);
	if (text_is_printable(out, strlen(out)))
		return;
	for (const unsigned char *at = (const unsigned char *)value; *at && used + 5 < size; at++)
		if (*at >= ' ' && *at < 0x7f)
			out[used++] = (char)*at;
		else
			used += (size_t)snprintf(out + used, size - used, "\\x%02x", *at);
	out[used] = '\0';
}

static void add_field(struct buffer *buffer, const char *name, const char *value)
{
	char escaped[VALUE_MAX];

	if (!value || !*value)
		return;
	escape(value, escaped, sizeof(escaped));
	buffer_printf(buffer, "%s=%s\n", name, escaped);
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
	escape(value, escaped, sizeof(escaped));
	buffer_printf(buffer, "%s%s", before, escaped);
}

/* A service's own object: taken as it is where it is one line of printable JSON. */
static bool data_is_plain(const char *json)
{
	size_t length = strlen(json);

	if (length > DATA_JSON_MAX || length < 2 || json[0] != '{' || json[length - 1] != '}')
		return false;
	return text_is_printable(json, length);
}

/* Values longer than a field holds are cut, and keys that somebody put into a text (of Emit, say) lose their
 * secret part: once, for the fields and OCSF alike. */
struct cut {
	struct audit_event event;
	char *copies[ARRAY_LEN(audit_strings)];
	char *data_json;
};

static bool needs_copy(const char *value)
{
	return strnlen(value, VALUE_MAX) == VALUE_MAX || strstr(value, "tnt_");
}

static int cut_event(const struct audit_event *event, struct cut *ret)
{
	ret->event = *event;
	for (size_t i = 0; i < ARRAY_LEN(audit_strings); i++) {
		const char *value = string_at(event, audit_strings[i].offset);

		if (!value || !needs_copy(value))
			continue;
		ret->copies[i] = strndup(value, VALUE_MAX - 1);
		if (!ret->copies[i])
			return -ENOMEM;
		text_hide_keys(ret->copies[i]);
		*(const char **)(void *)((char *)&ret->event + audit_strings[i].offset) = ret->copies[i];
	}
	if (event->data_json && !data_is_plain(event->data_json)) {
		ret->event.data_json = NULL;
	} else if (event->data_json) {
		ret->data_json = strdup(event->data_json);
		if (!ret->data_json)
			return -ENOMEM;
		text_hide_keys(ret->data_json);
		ret->event.data_json = ret->data_json;
	}
	return 0;
}

static void cut_finish(struct cut *cut)
{
	free(cut->data_json);
	for (size_t i = 0; i < ARRAY_LEN(cut->copies); i++)
		free(cut->copies[i]);
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

int audit_render(const struct audit *audit, const struct audit_event *event, struct buffer *ret)
{
	const struct audit_kind_row *row = audit_kind_row(event->kind);
	_cleanup_(buffer_finish) struct buffer message = BUFFER_INIT, ocsf = BUFFER_INIT;
	struct audit_context context = {
		.host = audit->host,
		.boot_id = audit->boot_id,
		.sequence = audit->sequence + 1,
		.time_usec = clock_realtime_usec(),
	};
	_cleanup_(cut_finish) struct cut cut = {0};

	if (!row)
		return -EINVAL;
	if (cut_event(event, &cut) < 0)
		return -ENOMEM;
	event = &cut.event;
	ret->limit = FIELDS_MAX;
	add_message(&message, row, event);
	context.message = buffer_text(&message);
	if (!context.message)
		return -ENOMEM;
	ocsf_write(&ocsf, &context, event);
	buffer_printf(ret, "MESSAGE=%s\nMESSAGE_ID=%s\nPRIORITY=%d\nSYSLOG_FACILITY=10\nSYSLOG_IDENTIFIER=tenantd\n",
		      context.message, row->message_id, row->priority);
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
	if (event->stale)
		buffer_add_text(ret, "TENANT_STALE=1\n");
	if (event->directory_generation > 0)
		buffer_printf(ret, "TENANT_GENERATION=%llu\n", (unsigned long long)event->directory_generation);
	if (event->data_json)
		buffer_printf(ret, "TENANT_DATA=%s\n", event->data_json);
	if (audit->lost > audit->lost_told)
		buffer_printf(ret, "TENANTD_LOST=%llu\n", (unsigned long long)(audit->lost - audit->lost_told));
	if (!ocsf.failed)
		buffer_printf(ret, "OCSF=%.*s\n", (int)ocsf.length, ocsf.data);
	return ret->failed ? -ENOMEM : 0;
}

static void write_now(struct audit *audit, const struct audit_event *event)
{
	_cleanup_(buffer_finish) struct buffer fields = BUFFER_INIT;
	uint64_t lost = audit->lost;
	int r = audit_render(audit, event, &fields);

	if (r == 0 && audit->sink)
		audit->sink(audit->sink_context, event, fields.data, fields.length);
	else if (r == 0)
		r = audit->journal ? journal_send(audit->journal, fields.data, fields.length) : -ENOTCONN;
	audit->sequence++;
	if (r < 0)
		audit->lost++;
	else
		audit->lost_told = lost;
}

void audit_write(struct audit *audit, const struct audit_event *event)
{
	if (audit && audit_groups_admit(audit->groups, event, audit->clock()))
		write_now(audit, event);
}

uint64_t audit_lost(const struct audit *audit)
{
	return audit->lost;
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

void audit_destroy(struct audit *audit)
{
	if (!audit)
		return;
	if (audit->groups)
		write_counted(audit, audit->clock(), true);
	audit_groups_destroy(audit->groups);
	journal_close(audit->journal);
	free(audit->host);
	free(audit);
}
