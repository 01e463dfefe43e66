/* SPDX-License-Identifier: MIT
 *
 * Events in the Open Cybersecurity Schema Framework, version 1.3 (schema.ocsf.io): what each class
 * requires, in its own words; what has no place there is under `unmapped`.
 *
 * Each value is said as somebody's, or as the leaf's (people.h, view.h): a name, an address, a terminal, a key and free
 * text belong to a person; ids, words from a table and names of programs, tenants and projects do not.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "audit/internal.h"
#include "audit/view.h"
#include "base/clock.h"
#include "base/parse.h"
#include "base/text.h"

#define ACTION_WORD_MAX 64U
#define OCSF_VERSION "1.3.0"
#define PROGRAM "tenantd"

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

/* An id as every record has one; else it is what somebody typed. */
static const char *id_or_none(const char *text)
{
	return is_set(text) && text_is_id(text) ? text : NULL;
}

static void put_uid(struct view *v, int part, const char *key, uint32_t uid)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u", uid);
	view_text(v, part, key, text);
}

static void put_user(struct view *v, const char *key, const struct audit_context *context,
		     const struct audit_event *event)
{
	int whose = context->people.user;
	bool known = id_or_none(event->user_id) != NULL;

	view_begin(v, key);
	view_text(v, VIEW_LEAF, "uid", known ? event->user_id : NULL);
	view_text(v, whose, "name", event->user);
	/* By itself the leaf has to name them, too. */
	if (!known && (!is_set(event->user) || v->part == VIEW_LEAF))
		view_text(v, VIEW_LEAF, "name", "unknown");
	if (event->has_uid)
		put_uid(v, whose, "uid_alt", event->uid);
	view_text(v, whose, "credential_uid", event->credential);
	view_begin(v, "org");
	view_text(v, VIEW_LEAF, "name", event->tenant);
	view_text(v, VIEW_LEAF, "uid", id_or_none(event->tenant_id));
	view_end(v);
	view_end(v);
}

/* Where from: the address is the person's, which program they spoke to is not. */
static void put_source(struct view *v, const struct audit_context *context, const struct audit_event *event)
{
	struct in6_addr address;

	view_begin(v, "src_endpoint");
	view_text(v, VIEW_LEAF, "svc_name", is_set(event->service) ? event->service : PROGRAM);
	if (!is_set(event->source))
		view_text(v, VIEW_LEAF, "hostname", context->host); /* this very host */
	else
		view_text(v, context->people.user, parse_address(event->source, &address) == 0 ? "ip" : "hostname",
			  event->source);
	view_end(v);
}

static void put_service(struct view *v, const struct audit_event *event)
{
	view_begin(v, "service");
	view_text(v, VIEW_LEAF, "name", is_set(event->service) ? event->service : PROGRAM);
	view_end(v);
}

static void put_session(struct view *v, const struct audit_context *context, const struct audit_event *event)
{
	view_begin(v, "session");
	view_text(v, VIEW_LEAF, "uid", event->host_session);
	view_text(v, context->people.user, "terminal", event->terminal);
	view_end(v);
}

static void put_privileges(struct view *v, const struct audit_event *event)
{
	const char *privilege;

	if (event->kind == AUDIT_DIRECTORY_CHANGED || event->kind == AUDIT_SESSION_OPENED)
		privilege = is_set(event->role) ? event->role : "none";
	else
		privilege = is_set(event->action) ? event->action : "host.login";
	if (!view_shows(v, VIEW_LEAF))
		return;
	json_begin(&v->writer, "privileges", '[');
	json_put_string(&v->writer, NULL, privilege);
	json_end(&v->writer, ']');
}

/* Somebody of the directory asked for it, about somebody else or nobody. */
static bool is_by_other(const struct audit_event *event)
{
	return id_or_none(event->caller_user_id) && !text_equal(event->caller_user_id, event->user_id);
}

static bool names_user(const struct audit_event *event)
{
	return is_set(event->user) || is_set(event->user_id);
}

/* It happens to the user, who does nothing. The directory does not say who changed it. */
static bool is_passive(const struct audit_event *event)
{
	return event->kind == AUDIT_DIRECTORY_CHANGED || event->kind == AUDIT_IDENTITY_UNBOUND ||
	       event->kind == AUDIT_SESSION_ENDING;
}

static bool class_has_user(enum ocsf_class class_uid)
{
	return class_uid / 1000 == 3 && class_uid != OCSF_ENTITY_MANAGEMENT;
}

static void put_actor(struct view *v, const struct audit_context *context, const struct audit_event *event)
{
	bool system = people_is_system_uid(event->caller_uid);

	view_begin(v, "actor");
	if (event->has_caller && event->caller_pid) {
		view_begin(v, "process");
		view_number(v, VIEW_LEAF, "pid", event->caller_pid);
		view_begin(v, "user");
		put_uid(v, system ? VIEW_LEAF : context->people.caller, "uid", event->caller_uid);
		view_end(v);
		view_end(v);
	}
	if (is_by_other(event)) {
		view_begin(v, "user");
		view_text(v, VIEW_LEAF, "uid", event->caller_user_id);
		view_end(v);
	} else if (names_user(event) && !is_passive(event)) {
		put_user(v, "user", context, event);
	}
	view_text(v, VIEW_LEAF, "app_name", is_set(event->service) ? event->service : PROGRAM);
	view_end(v);
}

static const char *protocol_of(const char *credential)
{
	if (!is_set(credential))
		return "Other";
	return text_starts(credential, "ssh-key:")   ? "SSH public key"
	       : text_starts(credential, "api-key:") ? "API key"
	       : text_starts(credential, "code:")    ? "One-time code"
	       : text_starts(credential, "sso:")     ? "Single sign-on"
	       : text_starts(credential, "token:")   ? "Access token"
						     : "Other";
}

static void put_entity(struct view *v, const struct audit_context *context, const struct audit_event *event)
{
	const char *kind = is_set(event->record_kind) ? event->record_kind : "directory";
	/* What two sources claim can be somebody's name. */
	bool name = event->kind == AUDIT_NAME_CONFLICT;

	view_begin(v, "entity");
	view_text(v, VIEW_LEAF, "type", kind);
	view_text(v, VIEW_LEAF, "name", kind);
	view_text(v, name ? context->people.user : VIEW_LEAF, "uid",
		  is_set(event->record_id) ? event->record_id : "directory");
	view_end(v);
}

/* Callers may ask for anything: only what looks like an action stands in the leaf, other text is whose event it is. */
static bool action_is_word(const struct audit_event *event)
{
	size_t length = event->action ? strlen(event->action) : 0;

	return length <= ACTION_WORD_MAX &&
	       length == (length ? strspn(event->action,
					  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-")
				 : 0);
}

static const char *action_or(const struct audit_event *event, const char *otherwise)
{
	if (!is_set(event->action))
		return "verify";
	return action_is_word(event) ? event->action : otherwise;
}

/* What the class requires beyond what all have. */
static void put_class(struct view *v, const struct placed *p, const struct audit_context *context,
		      const struct audit_event *event)
{
	switch (p->class_uid) {
	case OCSF_AUTHENTICATION:
		put_user(v, "user", context, event);
		put_source(v, context, event);
		put_service(v, event);
		view_begin(v, "dst_endpoint");
		view_text(v, VIEW_LEAF, "hostname", context->host);
		view_end(v);
		view_number(v, VIEW_LEAF, "auth_protocol_id", 99);
		view_text(v, VIEW_LEAF, "auth_protocol", protocol_of(event->credential));
		if (view_shows(v, VIEW_LEAF))
			json_put_bool(&v->writer, "is_remote", is_set(event->source));
		put_session(v, context, event);
		break;
	case OCSF_AUTHORIZE_SESSION:
		put_user(v, "user", context, event);
		put_privileges(v, event);
		put_source(v, context, event);
		put_session(v, context, event);
		break;
	case OCSF_ACCOUNT_CHANGE:
		put_user(v, "user", context, event);
		break;
	case OCSF_USER_ACCESS:
		put_user(v, "user", context, event);
		put_privileges(v, event);
		break;
	case OCSF_ENTITY_MANAGEMENT:
		put_entity(v, context, event);
		break;
	case OCSF_APPLICATION_LIFECYCLE:
		view_begin(v, "app");
		view_text(v, VIEW_LEAF, "name", PROGRAM);
		view_text(v, VIEW_LEAF, "vendor_name", PROGRAM);
		view_text(v, VIEW_LEAF, "version", TENANTD_VERSION);
		view_end(v);
		break;
	case OCSF_API_ACTIVITY:
		view_begin(v, "api");
		if (action_is_word(event) || v->part == VIEW_LEAF)
			view_text(v, VIEW_LEAF, "operation", action_or(event, "other"));
		else
			view_text(v, context->people.user, "operation", event->action);
		put_service(v, event);
		view_end(v);
		put_source(v, context, event);
		break;
	}
	/* Account and entity changes, and calls, are somebody's; who that was the directory file cannot say. */
	put_actor(v, context, event);
}

static void put_metadata(struct view *v, const struct audit_context *context, const struct audit_kind_row *row,
			 const struct audit_event *event)
{
	view_begin(v, "metadata");
	view_text(v, VIEW_LEAF, "version", OCSF_VERSION);
	view_begin(v, "product");
	view_text(v, VIEW_LEAF, "name", PROGRAM);
	view_text(v, VIEW_LEAF, "vendor_name", PROGRAM);
	view_text(v, VIEW_LEAF, "version", TENANTD_VERSION);
	view_end(v);
	if (view_shows(v, VIEW_LEAF)) {
		json_begin(&v->writer, "profiles", '[');
		json_put_string(&v->writer, NULL, "host");
		json_end(&v->writer, ']');
	}
	view_text(v, VIEW_LEAF, "event_code", row->word);
	view_number(v, VIEW_LEAF, "sequence", context->sequence);
	view_text(v, VIEW_LEAF, "uid", context->id);
	view_text(v, VIEW_LEAF, "tenant_uid", id_or_none(event->tenant_id));
	view_end(v);
}

/* Where it stands in the host's chain, and what binds the personal data to it. */
static void put_link(struct view *v, const struct audit_context *context)
{
	const struct leaf_link *link = context->link;
	struct json_writer *w = &v->writer;
	char hex[2 * SHA256_BYTES + 1];

	if (!link || !view_shows(v, VIEW_LEAF))
		return;
	json_put_string(w, "chain", link->chain);
	json_put_string(w, "boot", link->boot);
	json_put_u64(w, "seq", link->sequence);
	text_to_hex(link->prev, sizeof(link->prev), hex);
	json_put_string(w, "prev", hex);
	if (context->commitment_count == 0)
		return;
	json_begin(w, "personal", '[');
	for (uint32_t i = 0; i < context->commitment_count; i++) {
		json_begin(w, NULL, '{');
		json_put_string(w, "person", context->commitments[i].person);
		text_to_hex(context->commitments[i].hash, SHA256_BYTES, hex);
		json_put_string(w, "commitment", hex);
		json_end(w, '}');
	}
	json_end(w, ']');
}

static void put_unmapped(struct view *v, const struct audit_context *context, const struct audit_kind_row *row,
			 const struct audit_event *event)
{
	int whose = context->people.user;
	int words = row->own_words ? VIEW_LEAF : whose;
	int record = event->kind == AUDIT_NAME_CONFLICT ? whose : VIEW_LEAF;

	view_begin(v, "unmapped");
	if ((is_by_other(event) || is_passive(event)) && names_user(event) && !class_has_user(class_of(event, row)))
		put_user(v, "user", context, event);
	view_text(v, VIEW_LEAF, "reason", reason_word(event->reason));
	view_text(v, VIEW_LEAF, "tenant", event->tenant);
	/* Without an id it is what somebody typed. */
	view_text(v, id_or_none(event->project_id) ? VIEW_LEAF : whose, "project", event->project);
	view_text(v, VIEW_LEAF, "project_id", id_or_none(event->project_id));
	view_text(v, VIEW_LEAF, "role", event->role);
	view_text(v, action_is_word(event) ? VIEW_LEAF : whose, "action", event->action);
	view_text(v, VIEW_LEAF, "cause", event->cause);
	view_text(v, whose, "operator", event->operator_name);
	view_text(v, VIEW_LEAF, "grant", event->grant);
	view_text(v, whose, "grant_reason", event->grant_reason);
	view_text(v, context->people.target, "target_user", event->target_user);
	view_text(v, VIEW_LEAF, "target_user_id", event->target_user_id);
	view_text(v, VIEW_LEAF, "caller_user_id", event->caller_user_id);
	if (event->has_caller)
		put_uid(v, people_is_system_uid(event->caller_uid) ? VIEW_LEAF : context->people.caller, "caller_uid",
			event->caller_uid);
	view_text(v, VIEW_LEAF, "record_kind", event->record_kind);
	view_text(v, record, "record_id", event->record_id);
	view_text(v, VIEW_LEAF, "change", event->change);
	view_text(v, words, "detail", event->detail);
	if (event->stale && view_shows(v, VIEW_LEAF))
		json_put_bool(&v->writer, "stale", true);
	if (event->directory_generation > 0)
		view_number(v, VIEW_LEAF, "directory_generation", event->directory_generation);
	if (event->data_json && view_shows(v, words))
		json_put_raw(&v->writer, "data", event->data_json, strlen(event->data_json));
	put_link(v, context);
	view_end(v);
}

void ocsf_write(struct buffer *buffer, const struct audit_context *context, const struct audit_event *event, int part)
{
	static const char *const severities[] = {"Unknown", "Informational", "Low", "Medium", "High", "Critical"};
	const struct audit_kind_row *row = audit_kind_row(event->kind);
	struct placed p = place(event, row);
	bool failure = row->failure || event->failure, refused = event->reason != REASON_ALLOWED;
	struct view view = view_of(buffer, part), *v = &view;

	view_begin(v, NULL);
	view_number(v, VIEW_LEAF, "class_uid", p.class_uid);
	view_text(v, VIEW_LEAF, "class_name", p.class_name);
	view_number(v, VIEW_LEAF, "category_uid", p.class_uid / 1000);
	view_text(v, VIEW_LEAF, "category_name", p.category_name);
	view_number(v, VIEW_LEAF, "activity_id", p.activity);
	view_text(v, VIEW_LEAF, "activity_name", p.activity_name);
	view_number(v, VIEW_LEAF, "type_uid", p.class_uid * 100ULL + p.activity);
	view_number(v, VIEW_LEAF, "severity_id", row->severity);
	view_text(v, VIEW_LEAF, "severity", severities[row->severity]);
	view_number(v, VIEW_LEAF, "status_id", failure ? 2 : 1);
	view_text(v, VIEW_LEAF, "status", failure ? "Failure" : "Success");
	view_text(v, VIEW_LEAF, "status_code", refused ? reason_word(event->reason) : NULL);
	view_text(v, VIEW_LEAF, "status_detail", refused ? reason_text(event->reason) : NULL);
	view_number(v, VIEW_LEAF, "time", context->time_usec / USEC_PER_MSEC);
	if (event->count > 0)
		view_number(v, VIEW_LEAF, "count", event->count);
	view_text(v, VIEW_LEAF, "message", row->title);
	put_metadata(v, context, row, event);
	view_begin(v, "device");
	view_text(v, VIEW_LEAF, "hostname", context->host);
	view_text(v, VIEW_LEAF, "uid", context->host_id);
	view_number(v, VIEW_LEAF, "type_id", 1);
	view_text(v, VIEW_LEAF, "type", "Server");
	view_end(v);
	put_class(v, &p, context, event);
	put_unmapped(v, context, row, event);
	view_end(v);
}
