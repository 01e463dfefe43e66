/* SPDX-License-Identifier: MIT
 *
 * Events in the Open Cybersecurity Schema Framework, version 1.3 (schema.ocsf.io): what each class
 * requires, in its own words; what has no place there is under `unmapped`.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "audit/internal.h"
#include "base/clock.h"
#include "base/macros.h"
#include "base/parse.h"
#include "base/text.h"

#define OCSF_VERSION "1.3.0"

struct placed {
	enum ocsf_class class_uid;
	unsigned activity;
	const char *class_name, *category_name, *activity_name;
};

static bool is_set(const char *text)
{
	return text && *text;
}

/* A change of the directory is of the class that its record belongs to. */
static enum ocsf_class class_of(const struct audit_event *event, const struct audit_kind_row *row)
{
	if (event->kind != AUDIT_DIRECTORY_CHANGED)
		return row->class_uid;
	if (text_equal(event->record_kind, "user"))
		return OCSF_ACCOUNT_CHANGE;
	if (text_equal(event->record_kind, "member"))
		return OCSF_USER_ACCESS;
	return OCSF_ENTITY_MANAGEMENT;
}

enum change { ADDED, REMOVED, UPDATED };

static enum change change_of(const struct audit_event *event)
{
	if (text_equal(event->change, "added"))
		return ADDED;
	return text_equal(event->change, "removed") ? REMOVED : UPDATED;
}

static struct placed place(const struct audit_event *event, const struct audit_kind_row *row)
{
	struct placed p = {.class_uid = class_of(event, row), .activity = row->activity};
	enum change change = change_of(event);

	p.category_name = p.class_uid / 1000 == 3 ? "Identity & Access Management" : "Application Activity";
	switch (p.class_uid) {
	case OCSF_ACCOUNT_CHANGE:
		p.class_name = "Account Change";
		p.activity = change == ADDED ? 1 : change == REMOVED ? 6 : 99;
		p.activity_name = change == ADDED ? "Create" : change == REMOVED ? "Delete" : "Update";
		break;
	case OCSF_USER_ACCESS:
		p.class_name = "User Access Management";
		p.activity = change == REMOVED ? 2 : 1;
		p.activity_name = change == REMOVED ? "Revoke Privileges" : "Assign Privileges";
		break;
	case OCSF_ENTITY_MANAGEMENT:
		p.class_name = "Entity Management";
		if (event->kind == AUDIT_DIRECTORY_CHANGED)
			p.activity = change == ADDED ? 1 : change == REMOVED ? 4 : 3;
		p.activity_name = p.activity == 1   ? "Create"
				  : p.activity == 2 ? "Read"
				  : p.activity == 4 ? "Delete"
						    : "Update";
		break;
	case OCSF_AUTHENTICATION:
		p.class_name = "Authentication";
		p.activity_name = p.activity == 1 ? "Logon" : p.activity == 2 ? "Logoff" : "Authentication Ticket";
		break;
	case OCSF_AUTHORIZE_SESSION:
		p.class_name = "Authorize Session";
		p.activity_name = "Assign Privileges";
		break;
	case OCSF_APPLICATION_LIFECYCLE:
		p.class_name = "Application Lifecycle";
		p.activity_name = p.activity == 3 ? "Start" : "Stop";
		break;
	case OCSF_API_ACTIVITY:
		p.class_name = "API Activity";
		p.activity_name = p.activity == 2 ? "Read" : "Other";
		break;
	}
	return p;
}

static void put_user(struct json_writer *w, const char *key, const struct audit_event *event)
{
	char uid[16];

	json_begin(w, key, '{');
	json_put_string(w, "name", is_set(event->user) ? event->user : "unknown");
	json_put_string_if(w, "uid", event->user_id);
	if (event->has_uid) {
		snprintf(uid, sizeof(uid), "%u", event->uid);
		json_put_string(w, "uid_alt", uid);
	}
	json_put_string_if(w, "credential_uid", event->credential);
	if (is_set(event->tenant)) {
		json_begin(w, "org", '{');
		json_put_string(w, "name", event->tenant);
		json_end(w, '}');
	}
	json_end(w, '}');
}

static void put_source(struct json_writer *w, const struct audit_context *context, const struct audit_event *event)
{
	struct in6_addr address;

	json_begin(w, "src_endpoint", '{');
	if (!is_set(event->source))
		json_put_string(w, "hostname", context->host); /* this very host */
	else
		json_put_string(w, parse_address(event->source, &address) == 0 ? "ip" : "hostname", event->source);
	json_end(w, '}');
}

static void put_named(struct json_writer *w, const char *key, const char *name)
{
	json_begin(w, key, '{');
	json_put_string(w, "name", name);
	json_end(w, '}');
}

static void put_session(struct json_writer *w, const struct audit_event *event)
{
	if (!is_set(event->host_session))
		return;
	json_begin(w, "session", '{');
	json_put_string(w, "uid", event->host_session);
	json_put_string_if(w, "terminal", event->terminal);
	json_end(w, '}');
}

static void put_privileges(struct json_writer *w, const struct audit_event *event)
{
	json_begin(w, "privileges", '[');
	if (event->kind == AUDIT_DIRECTORY_CHANGED || event->kind == AUDIT_SESSION_OPENED)
		json_put_string(w, NULL, is_set(event->role) ? event->role : "none");
	else
		json_put_string(w, NULL, is_set(event->action) ? event->action : "host.login");
	json_end(w, ']');
}

static void put_actor(struct json_writer *w, const struct audit_event *event)
{
	char uid[16];

	json_begin(w, "actor", '{');
	if (event->has_caller) {
		snprintf(uid, sizeof(uid), "%u", event->caller_uid);
		json_begin(w, "process", '{');
		if (event->caller_pid)
			json_put_u64(w, "pid", event->caller_pid);
		json_begin(w, "user", '{');
		json_put_string(w, "uid", uid);
		json_end(w, '}');
		json_end(w, '}');
	}
	if (is_set(event->user))
		put_user(w, "user", event);
	if (!event->has_caller || is_set(event->service))
		json_put_string(w, "app_name", is_set(event->service) ? event->service : "tenantd");
	json_end(w, '}');
}

/* What the class requires beyond what all have. */
static void put_class(struct json_writer *w, const struct placed *p, const struct audit_context *context,
		      const struct audit_event *event)
{
	switch (p->class_uid) {
	case OCSF_AUTHENTICATION:
		put_user(w, "user", event);
		put_source(w, context, event);
		put_named(w, "service", is_set(event->service) ? event->service : "tenantd");
		json_begin(w, "dst_endpoint", '{');
		json_put_string(w, "hostname", context->host);
		json_end(w, '}');
		json_put_u64(w, "auth_protocol_id", 99);
		json_put_string(w, "auth_protocol",
				text_starts(event->credential ? event->credential : "", "ssh-key:")   ? "SSH public key"
				: text_starts(event->credential ? event->credential : "", "api-key:") ? "API key"
												      : "Other");
		json_put_bool(w, "is_remote", is_set(event->source));
		put_session(w, event);
		break;
	case OCSF_AUTHORIZE_SESSION:
		put_user(w, "user", event);
		put_privileges(w, event);
		put_source(w, context, event);
		put_named(w, "service", is_set(event->service) ? event->service : "tenantd");
		put_session(w, event);
		break;
	case OCSF_ACCOUNT_CHANGE:
		put_user(w, "user", event);
		break;
	case OCSF_USER_ACCESS:
		put_user(w, "user", event);
		put_privileges(w, event);
		break;
	case OCSF_ENTITY_MANAGEMENT:
		json_begin(w, "entity", '{');
		json_put_string(w, "type", is_set(event->record_kind) ? event->record_kind : "directory");
		json_put_string(w, "uid", is_set(event->record_id) ? event->record_id : "directory");
		json_end(w, '}');
		break;
	case OCSF_APPLICATION_LIFECYCLE:
		json_begin(w, "app", '{');
		json_put_string(w, "name", "tenantd");
		json_put_string(w, "vendor_name", "tenantd");
		json_put_string(w, "version", TENANTD_VERSION);
		json_end(w, '}');
		break;
	case OCSF_API_ACTIVITY:
		json_begin(w, "api", '{');
		json_put_string(w, "operation", is_set(event->action) ? event->action : "verify");
		put_named(w, "service", is_set(event->service) ? event->service : "tenantd");
		json_end(w, '}');
		put_source(w, context, event);
		break;
	}
	/* Account and entity changes, and calls, are somebody's; who that was the directory file cannot say. */
	put_actor(w, event);
}

static void put_metadata(struct json_writer *w, const struct audit_context *context, const struct audit_kind_row *row)
{
	char uid[80];

	snprintf(uid, sizeof(uid), "%s-%llu-%llu", context->boot_id, (unsigned long long)context->time_usec,
		 (unsigned long long)context->sequence);
	json_begin(w, "metadata", '{');
	json_put_string(w, "version", OCSF_VERSION);
	json_begin(w, "product", '{');
	json_put_string(w, "name", "tenantd");
	json_put_string(w, "vendor_name", "tenantd");
	json_put_string(w, "version", TENANTD_VERSION);
	json_end(w, '}');
	json_begin(w, "profiles", '[');
	json_put_string(w, NULL, "host");
	json_end(w, ']');
	json_put_string(w, "event_code", row->word);
	json_put_u64(w, "sequence", context->sequence);
	json_put_string(w, "uid", uid);
	json_end(w, '}');
}

static void put_unmapped(struct json_writer *w, const struct audit_event *event)
{
	json_begin(w, "unmapped", '{');
	json_put_string(w, "reason", reason_word(event->reason));
	json_put_string_if(w, "tenant", event->tenant);
	json_put_string_if(w, "project", event->project);
	json_put_string_if(w, "role", event->role);
	json_put_string_if(w, "action", event->action);
	json_put_string_if(w, "cause", event->cause);
	json_put_string_if(w, "operator", event->operator_name);
	json_put_string_if(w, "grant", event->grant);
	json_put_string_if(w, "grant_reason", event->grant_reason);
	json_put_string_if(w, "target_user", event->target_user);
	json_put_string_if(w, "record_kind", event->record_kind);
	json_put_string_if(w, "record_id", event->record_id);
	json_put_string_if(w, "change", event->change);
	json_put_string_if(w, "detail", event->detail);
	if (event->stale)
		json_put_bool(w, "stale", true);
	if (event->directory_generation > 0)
		json_put_u64(w, "directory_generation", event->directory_generation);
	if (event->data_json)
		json_put_raw(w, "data", event->data_json, strlen(event->data_json));
	json_end(w, '}');
}

/* The character at `at` of valid UTF-8 (what json_write makes), and its length, at most `left`. */
static uint32_t decode(const unsigned char *at, size_t left, size_t *ret_length)
{
	size_t length = MIN_OF((size_t)(*at < 0x80 ? 1 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4), left);
	uint32_t c = length == 1 ? *at : *at & (0xffU >> (length + 1));

	for (size_t i = 1; i < length; i++)
		c = c << 6 | (at[i] & 0x3fU);
	*ret_length = length;
	return c;
}

/* The same object with everything beyond plain ASCII as \uXXXX: JSON itself would let DEL, C1 controls and
 * changes of writing direction through to whoever looks at it in a terminal. */
static void add_ascii(struct buffer *to, const struct buffer *json)
{
	size_t length;

	for (size_t i = 0; i < json->length && !to->failed; i += length) {
		uint32_t c = decode((const unsigned char *)json->data + i, json->length - i, &length);

		if (c < 0x7f)
			buffer_add_char(to, (char)c);
		else if (c < 0x10000)
			buffer_printf(to, "\\u%04x", c);
		else
			buffer_printf(to, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
				      0xdc00 + ((c - 0x10000) & 0x3ff));
	}
}

static void write_object(struct buffer *buffer, const struct audit_context *context, const struct audit_event *event)
{
	static const char *const severities[] = {"Unknown", "Informational", "Low", "Medium", "High", "Critical"};
	const struct audit_kind_row *row = audit_kind_row(event->kind);
	struct placed p = place(event, row);
	bool failure = row->failure || event->failure;
	struct json_writer w = json_writer(buffer);

	json_begin(&w, NULL, '{');
	json_put_u64(&w, "class_uid", p.class_uid);
	json_put_string(&w, "class_name", p.class_name);
	json_put_u64(&w, "category_uid", p.class_uid / 1000);
	json_put_string(&w, "category_name", p.category_name);
	json_put_u64(&w, "activity_id", p.activity);
	json_put_string(&w, "activity_name", p.activity_name);
	json_put_u64(&w, "type_uid", p.class_uid * 100ULL + p.activity);
	json_put_u64(&w, "severity_id", row->severity);
	json_put_string(&w, "severity", severities[row->severity]);
	json_put_u64(&w, "status_id", failure ? 2 : 1);
	json_put_string(&w, "status", failure ? "Failure" : "Success");
	if (event->reason != REASON_ALLOWED) {
		json_put_string(&w, "status_code", reason_word(event->reason));
		json_put_string(&w, "status_detail", reason_text(event->reason));
	}
	json_put_u64(&w, "time", context->time_usec / USEC_PER_MSEC);
	if (event->count > 0)
		json_put_u64(&w, "count", event->count);
	json_put_string(&w, "message", context->message);
	put_metadata(&w, context, row);
	json_begin(&w, "device", '{');
	json_put_string(&w, "hostname", context->host);
	json_put_u64(&w, "type_id", 1);
	json_put_string(&w, "type", "Server");
	json_end(&w, '}');
	put_class(&w, &p, context, event);
	put_unmapped(&w, event);
	json_end(&w, '}');
}

void ocsf_write(struct buffer *buffer, const struct audit_context *context, const struct audit_event *event)
{
	_cleanup_(buffer_finish) struct buffer json = BUFFER_INIT;

	write_object(&json, context, event);
	if (json.failed)
		buffer->failed = true;
	else if (text_is_printable(json.data, json.length))
		buffer_add(buffer, json.data, json.length);
	else
		add_ascii(buffer, &json);
}
