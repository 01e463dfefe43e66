/* SPDX-License-Identifier: MIT
 *
 * What of an event is personal is decided here, and by default all is: of the data only words that are known to name no
 * person stay in the leaf, or all of them for kinds that are about things. Whatever a person typed freely (reasons,
 * labels) is personal, too, except where something was refused: then the program gives the reason.
 */
#include "control_plane/audit/event.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/parse.h"
#include "base/secret.h"
#include "base/text.h"
#include "control_plane/app.h"
#include "control_plane/audit/audit.h"
#include "control_plane/audit/kinds.h"
#include "crypto/api_key.h"

#define ID_CHARS 20U  /* of a record: "usr_" and 16 digits */
#define UID_CHARS 16U /* of an event, after "evt_" */
#define NOBODY "-"
#define TEXT_MAX 1024U /* of one that has to be escaped */

/* Members of data that are never about a person by more than their id (is_open has what is to be said to some). */
static const char *const open_words[] = {
	"at",       "before", "chain",         "count",   "epoch",    "first",  "from",      "grace",    "grant",
	"hash",     "host",   "kid",           "kind",    "last",     "length", "not_after", "operator", "project",
	"projects", "role",   "sequence",      "session", "sessions", "slug",   "successor", "tenant",   "tenants",
	"to",       "token",  "trust_version", "until",   "user",     "why",
};

/* What is being put together. */
struct making {
	const struct control_event *event;
	const struct event_kind *kind;
	char subject[LEAF_ID_MAX]; /* whose data these are: a person's id, or NOBODY */
	char actor[LEAF_ID_MAX];   /* the actor where it is an id, else "" */
	json_t *leaf;              /* owned, as the patches */
	uint32_t count;
	struct {
		char person[LEAF_ID_MAX];
		json_t *patch;
	} parts[LEAF_PERSONS_MAX];
	bool failed; /* out of memory */
};

static void making_finish(struct making *m)
{
	json_decref(m->leaf);
	for (uint32_t i = 0; i < m->count; i++)
		json_decref(m->parts[i].patch);
}

static bool is_set(const char *text)
{
	return text && *text;
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

/* ---- ids ------------------------------------------------------------------------------------------------------------
 */

/* Does a record's id stand at the beginning? */
static bool starts_with_id(const char *text)
{
	size_t word = strspn(text, "abcdefghijklmnopqrstuvwxyz");

	if (word != 3 || text[3] != '_')
		return false;
	for (size_t i = 4; i < ID_CHARS; i++)
		if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'A' && text[i] <= 'Z') ||
		      (text[i] >= 'a' && text[i] <= 'z')))
			return false;
	return true;
}

static bool is_id(const char *text)
{
	return (starts_with_id(text) && text[ID_CHARS] == '\0') || strcmp(text, "local") == 0;
}

/* A target whose words are ids: "usr_…", "usr_…/prj_…", "usr_…/". */
static bool is_ids(const char *text)
{
	while (starts_with_id(text)) {
		text += ID_CHARS;
		if (*text == '\0')
			return true;
		if (*text++ != '/')
			return false;
		if (*text == '\0')
			return true;
	}
	return false;
}

static bool is_person(const char *text)
{
	return starts_with_id(text) && (text_starts(text, "usr_") || text_starts(text, "opr_"));
}

static void copy_id(char out[LEAF_ID_MAX], const char *text)
{
	memcpy(out, text, ID_CHARS);
	out[ID_CHARS] = '\0';
}

static const char *data_text(const struct control_event *event, const char *name)
{
	return or_empty(json_string_value(json_object_get(event->data, name)));
}

static void find_subject(struct making *m)
{
	const char *candidates[] = {or_empty(m->event->target), data_text(m->event, "user"),
				    data_text(m->event, "operator"), or_empty(m->event->actor)};

	memcpy(m->subject, NOBODY, sizeof(NOBODY));
	for (size_t i = 0; i < ARRAY_LEN(candidates); i++) {
		if (is_person(candidates[i])) {
			copy_id(m->subject, candidates[i]);
			return;
		}
	}
}

/* ---- JSON -----------------------------------------------------------------------------------------------------------
 */

static json_t *object_in(struct making *m, json_t *object, const char *name)
{
	json_t *inner = json_object_get(object, name);

	if (inner)
		return inner;
	inner = json_object();
	if (json_object_set_new(object, name, inner) < 0) {
		m->failed = true;
		return NULL;
	}
	return inner;
}

static void put(struct making *m, json_t *object, const char *name, json_t *value)
{
	if (json_object_set_new(object, name, value) < 0)
		m->failed = true;
}

/* Text that came from outside may hold anything: what a terminal or a reader of lines would stumble over is told as
 * what its bytes are. */
static json_t *clean_text(const char *text, size_t length)
{
	char escaped[TEXT_MAX];

	return text_is_printable(text, length) ? json_stringn(text, length)
					       : json_string(text_escape(text, length, escaped, sizeof(escaped)));
}

/* Names of things are short; what is not is none, and would keep the event out of the log. */
static json_t *short_text(const char *text)
{
	size_t length = strlen(text);

	if (length >= TEXT_MAX) {
		length = TEXT_MAX - 1;
		while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
			length--; /* not within a character */
	}
	return clean_text(text, length);
}

static void put_text(struct making *m, json_t *object, const char *name, const char *text)
{
	put(m, object, name, short_text(text));
}

/* A copy in which all texts are clean. NULL: out of memory. */
static json_t *clean_copy(const json_t *value) /* NOLINT(misc-no-recursion): json_read bounds the depth */
{
	json_t *copy = json_is_object(value) ? json_object() : json_array(), *member;
	const char *name;
	size_t i;

	if (!json_is_object(value) && !json_is_array(value)) {
		json_decref(copy);
		return json_is_string(value) ? clean_text(json_string_value(value), json_string_length(value))
					     : json_incref((json_t *)(uintptr_t)value);
	}
	json_array_foreach(value, i, member) if (copy && json_array_append_new(copy, clean_copy(member)) < 0)
	{
		json_decref(copy);
		return NULL;
	}
	json_object_foreach((json_t *)(uintptr_t)value, name, member)
	{
		char escaped[TEXT_MAX];

		if (copy && json_object_set_new(copy, text_escape(name, strlen(name), escaped, sizeof(escaped)),
						clean_copy(member)) < 0) {
			json_decref(copy);
			return NULL;
		}
	}
	return copy;
}

static void put_if(struct making *m, json_t *object, const char *name, const char *text)
{
	if (is_set(text))
		put_text(m, object, name, text);
}

/* The patch of a person; of nobody where there are too many. */
static json_t *patch_of(struct making *m, const char *person)
{
	for (uint32_t i = 0; i < m->count; i++)
		if (strcmp(m->parts[i].person, person) == 0)
			return m->parts[i].patch;
	if (m->count == LEAF_PERSONS_MAX) {
		m->failed = true;
		return NULL;
	}
	m->parts[m->count].patch = json_object();
	if (!m->parts[m->count].patch) {
		m->failed = true;
		return NULL;
	}
	memcpy(m->parts[m->count].person, person, strlen(person) + 1);
	return m->parts[m->count++].patch;
}

/* ---- data -----------------------------------------------------------------------------------------------------------
 */

static bool is_open(const struct making *m, const char *name, const json_t *value)
{
	if (strcmp(name, "reason") == 0)
		return m->event->failure;
	if (m->kind->plain)
		return true;
	/* A role; elsewhere what somebody was before may be anything about them. */
	if (strcmp(name, "before") == 0)
		return m->kind->class_uid == OCSF_USER_ACCESS;
	/* A person is an id, or is not named. */
	if (strcmp(name, "user") == 0 || strcmp(name, "operator") == 0)
		return is_id(or_empty(json_string_value(value)));
	for (size_t i = 0; i < ARRAY_LEN(open_words); i++)
		if (strcmp(name, open_words[i]) == 0)
			return true;
	return false;
}

static const char *whose(const struct making *m, const char *name)
{
	const char *operator_id = data_text(m->event, "operator");

	return strcmp(name, "operator_name") == 0 && is_person(operator_id) && is_id(operator_id) ? operator_id
												  : m->subject;
}

static void put_data(struct making *m, json_t *unmapped)
{
	const char *name;
	json_t *value, *open = json_object();

	if (!open)
		m->failed = true;
	json_object_foreach((json_t *)(uintptr_t)m->event->data, name, value)
	{
		json_t *to = open;

		if (!is_open(m, name, value)) {
			json_t *patch = patch_of(m, whose(m, name));

			to = object_in(m, object_in(m, patch, "unmapped"), "data");
		}
		put(m, to, name, clean_copy(value));
	}
	put(m, unmapped, "data", open);
}

/* What makes the leaf too large goes beside it, and where even that is too much, it is said that there was more. */
static void move_data(struct making *m)
{
	json_t *unmapped = json_object_get(m->leaf, "unmapped"), *patch = patch_of(m, m->subject);
	json_t *inner = object_in(m, object_in(m, patch, "unmapped"), "data");

	if (json_object_update_missing(inner, json_object_get(unmapped, "data")) < 0)
		m->failed = true;
	put(m, unmapped, "data", json_object());
	put(m, unmapped, "data_moved", json_true());
}

/* ---- who, where from ------------------------------------------------------------------------------------------------
 */

static json_t *user_object(struct making *m, const char *id)
{
	bool operator= text_starts(id, "opr_") || strcmp(id, "local") == 0;
	bool host = text_starts(id, "hst_") || strcmp(id, EVENT_OWN_ACTOR) == 0;
	json_t *user = json_object();

	if (is_set(id) && strcmp(id, NOBODY) != 0) {
		put_text(m, user, "uid", id);
		put(m, user, "type_id", json_integer(operator? 2 : host ? 3 : 1));
		put_text(m, user, "type", operator? "Admin" : host ? "System" : "User");
	} else {
		put_text(m, user, "name", "unknown");
	}
	return user;
}

/* An address, or what stands for one ("local"). */
static void put_source(struct making *m, json_t *endpoint)
{
	struct in6_addr address;

	if (is_set(m->event->source))
		put_text(m, endpoint, parse_address(m->event->source, &address) == 0 ? "ip" : "name", m->event->source);
}

static void put_actor(struct making *m)
{
	const struct control_event *event = m->event;
	json_t *actor = object_in(m, m->leaf, "actor"), *endpoint = object_in(m, m->leaf, "src_endpoint");
	bool somebody = is_person(m->actor) || (!*m->actor && (is_set(event->actor) || is_set(event->source)));
	json_t *patch;

	put_text(m, actor, "app_name", "tenant-control");
	put_text(m, endpoint, "svc_name", strcmp(m->actor, "local") == 0 ? "command-line" : "api");
	/* What nobody asked for is the program's own doing, and not that of whom it is about. */
	if (*m->actor || !somebody)
		put(m, actor, "user", user_object(m, *m->actor ? m->actor : EVENT_OWN_ACTOR));
	if (!somebody) {
		/* A machine's address is nobody's. */
		put_source(m, endpoint);
		put_if(m, object_in(m, m->leaf, "unmapped"), "credential", event->credential);
		return;
	}
	if (!is_set(event->source) && !is_set(event->credential) && !is_set(event->actor_name) && !is_set(event->actor))
		return;
	patch = patch_of(m, *m->actor ? m->actor : NOBODY);
	if (is_set(event->source))
		put_source(m, object_in(m, patch, "src_endpoint"));
	put_if(m, object_in(m, patch, "unmapped"), "credential", event->credential);
	/* The first object is the leaf's: what is in the patch joins it. */
	if (*m->actor ? is_set(event->actor_name) : is_set(event->actor))
		put_text(m, object_in(m, object_in(m, patch, "actor"), "user"), "name",
			 *m->actor ? event->actor_name : event->actor);
}

/* What the class requires beyond what all have. */
static void put_class(struct making *m)
{
	const char *target = or_empty(m->event->target), *role = data_text(m->event, "role");
	const char *about = strcmp(m->subject, NOBODY) != 0 ? m->subject : m->actor;
	json_t *inner;

	switch (m->kind->class_uid) {
	case OCSF_ACCOUNT_CHANGE:
		put(m, m->leaf, "user", user_object(m, about));
		break;
	case OCSF_AUTHENTICATION:
		put(m, m->leaf, "user", user_object(m, about));
		put(m, m->leaf, "service", json_pack("{s:s}", "name", "tenant-control"));
		break;
	case OCSF_USER_ACCESS:
		put(m, m->leaf, "user", user_object(m, about));
		put(m, m->leaf, "privileges", json_pack("[o]", short_text(*role ? role : "none")));
		break;
	case OCSF_ENTITY_MANAGEMENT:
		inner = object_in(m, m->leaf, "entity");
		put_text(m, inner, "type", m->kind->entity);
		put_text(m, inner, "uid", *target && (is_ids(target) || !m->event->failure) ? target : NOBODY);
		break;
	case OCSF_API_ACTIVITY:
		put(m, m->leaf, "api",
		    json_pack("{s:s, s:{s:s}}", "operation", m->event->kind, "service", "name", "tenant-control"));
		if (is_set(m->event->request_id))
			put(m, object_in(m, m->leaf, "api"), "request",
			    json_pack("{s:s}", "uid", m->event->request_id));
		break;
	}
}

/* What nobody has proved to be an id may be anything that somebody typed. */
static void put_target(struct making *m, json_t *unmapped)
{
	const char *target = or_empty(m->event->target);

	if (!*target)
		return;
	if (is_ids(target) || !m->event->failure)
		put_text(m, unmapped, "target", target);
	else
		put_text(m, object_in(m, patch_of(m, NOBODY), "unmapped"), "target", target);
}

/* ---- the whole ------------------------------------------------------------------------------------------------------
 */

static void put_metadata(struct making *m, const char *uid)
{
	json_t *metadata = object_in(m, m->leaf, "metadata");

	put_text(m, metadata, "version", OCSF_VERSION);
	put(m, metadata, "product",
	    json_pack("{s:s, s:s, s:s}", "name", "tenant-control", "vendor_name", "tenantd", "version",
		      TENANTD_VERSION));
	put_text(m, metadata, "event_code", m->event->kind);
	put_text(m, metadata, "uid", uid);
	put_if(m, metadata, "tenant_uid", m->event->log_id);
	put_if(m, metadata, "correlation_uid", m->event->request_id);
}

static void put_base(struct making *m)
{
	static const char *const severities[] = {"Unknown", "Informational", "Low", "Medium", "High", "Critical"};
	unsigned severity = m->kind->severity;
	const char *reason = data_text(m->event, "reason");
	struct timespec now;

	if (m->event->failure && severity < SEVERITY_LOW)
		severity = SEVERITY_LOW;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	put(m, m->leaf, "class_uid", json_integer(m->kind->class_uid));
	put_text(m, m->leaf, "class_name", ocsf_class_name(m->kind->class_uid));
	put(m, m->leaf, "category_uid", json_integer(m->kind->class_uid / 1000));
	put_text(m, m->leaf, "category_name", ocsf_category_name(m->kind->class_uid));
	put(m, m->leaf, "activity_id", json_integer(m->kind->activity));
	put_text(m, m->leaf, "activity_name", ocsf_activity_name(m->kind));
	put(m, m->leaf, "type_uid", json_integer(m->kind->class_uid * 100LL + m->kind->activity));
	put(m, m->leaf, "severity_id", json_integer(severity));
	put_text(m, m->leaf, "severity", severities[severity]);
	put(m, m->leaf, "status_id", json_integer(m->event->failure ? 2 : 1));
	put_text(m, m->leaf, "status", m->event->failure ? "Failure" : "Success");
	if (m->event->failure)
		put_if(m, m->leaf, "status_detail", reason);
	put(m, m->leaf, "time", json_integer(now.tv_sec * 1000LL + now.tv_nsec / 1000000));
}

static int make(struct making *m, const char *uid)
{
	const char *target = or_empty(m->event->target), *project = or_empty(m->event->project_id);
	const char *slash = strchr(target, '/');
	json_t *unmapped;

	m->leaf = json_object();
	if (!m->leaf)
		return -ENOMEM;
	find_subject(m);
	if (is_id(or_empty(m->event->actor)))
		memcpy(m->actor, m->event->actor, strlen(m->event->actor) + 1);
	put_base(m);
	put_metadata(m, uid);
	put_actor(m);
	put_class(m);
	unmapped = object_in(m, m->leaf, "unmapped");
	put_target(m, unmapped);
	if (!*project && slash && text_starts(slash + 1, "prj_"))
		project = slash + 1;
	else if (!*project && text_starts(target, "prj_"))
		project = target;
	if (is_id(project))
		put_text(m, unmapped, "project_id", project);
	put_data(m, unmapped);
	return m->failed ? -ENOMEM : 0;
}

static char *dump(const json_t *json)
{
	return json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII);
}

/* Too much of what was asked for or given does not hide who it was, and from where. */
static char *dump_patch(json_t *patch)
{
	json_t *unmapped = json_object_get(patch, "unmapped");
	char *text = dump(patch);

	if (!text || strlen(text) <= PATCH_BYTES_MAX)
		return text;
	secret_free_heap(text);
	if (json_object_del(unmapped, "data") < 0 || json_object_set_new(unmapped, "data_left_out", json_true()) < 0)
		return NULL;
	return dump(patch);
}

/* Salts, patches and the commitments to them; into the leaf go the latter. */
static int bind_personal(struct making *m, struct personal_list *ret)
{
	json_t *list = json_array();

	for (uint32_t i = 0; list && i < m->count; i++) {
		struct personal *personal = &ret->items[i];
		uint8_t commitment[SHA256_BYTES];
		char hex[2 * SHA256_BYTES + 1];
		char *patch = dump_patch(m->parts[i].patch);
		int r = patch ? random_bytes(personal->salt, sizeof(personal->salt)) : -ENOMEM;

		personal->patch = patch;
		memcpy(personal->person, m->parts[i].person, sizeof(personal->person));
		ret->count = i + 1;
		if (r == 0)
			r = personal_commitment(personal->salt, patch, strlen(patch), commitment);
		if (r == 0) {
			text_to_hex(commitment, sizeof(commitment), hex);
			r = json_array_append_new(
				list, json_pack("{s:s, s:s}", "person", personal->person, "commitment", hex));
		}
		if (r < 0) {
			json_decref(list);
			return r == -1 ? -ENOMEM : r;
		}
	}
	if (!list || (m->count > 0 && json_object_set(json_object_get(m->leaf, "unmapped"), "personal", list) < 0)) {
		json_decref(list);
		return -ENOMEM;
	}
	json_decref(list);
	return 0;
}

static int put_record(struct app *app, struct db_tx *tx, const char *log_id, const char *text,
		      const struct personal_list *personal)
{
	struct problem problem = {0};
	struct leaf leaf;
	struct inbox_record record = {.leaf = text, .length = strlen(text), .read = &leaf, .personal = personal};
	int r = leaf_read(text, record.length, &leaf, &problem);

	return r < 0 ? r : inbox_put(app, tx, log_id, "", "", &record, 1);
}

int control_event_put(struct app *app, struct db_tx *tx, const struct control_event *event)
{
	_cleanup_(personal_finish) struct personal_list personal = {0};
	_cleanup_(making_finish) struct making m = {.event = event, .kind = event_kind_find(event->kind)};
	_cleanup_(freep) char *text = NULL;
	char uid[4 + UID_CHARS + 1] = "evt_";
	int r = base62_random(uid + 4, UID_CHARS);

	if (r == 0)
		r = make(&m, uid);
	if (r < 0)
		return r;
	text = dump(m.leaf);
	/* Room for four commitments. */
	if (text && strlen(text) > LEAF_BYTES_MAX - 1024U)
		move_data(&m);
	r = m.failed ? -ENOMEM : bind_personal(&m, &personal);
	if (r < 0)
		return r;
	free(text);
	text = dump(m.leaf);
	return text ? put_record(app, tx, or_empty(event->log_id), text, &personal) : -ENOMEM;
}

int control_event_put_late(struct app *app, struct db_tx *tx, const struct control_event *event)
{
	_cleanup_(json_decrefp) json_t *data = NULL;
	struct control_event late = *event;
	int r = control_event_put(app, tx, event);

	if (r != -ENOENT)
		return r;
	data = event->data ? json_copy((json_t *)(uintptr_t)event->data) : json_object();
	if (json_object_set_new(data, "tenant", json_string(event->log_id)) < 0)
		return -ENOMEM;
	late.log_id = "";
	late.data = data;
	return control_event_put(app, tx, &late);
}
