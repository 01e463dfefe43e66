/* SPDX-License-Identifier: MIT */
#include "control_plane/api/audit_view.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/parse.h"
#include "base/text.h"
#include "control_plane/api/events.h"
#include "control_plane/app.h"
#include "control_plane/audit/event.h"

#define TOLD_SLOTS 1024U
#define TOLD_USEC (60 * USEC_PER_SEC)

/* ---- filters --------------------------------------------------------------------------------------------------------
 */

/* RFC 3339, or milliseconds since the epoch. */
static int read_time(struct request *request, const char *name, int64_t *ret_ms)
{
	const char *text = request_query(request, name);
	uint64_t ms;
	int64_t seconds;

	if (!text)
		return 0;
	if (parse_time(text, &seconds) == 0 && seconds <= INT64_MAX / 1000) {
		*ret_ms = seconds * 1000;
	} else if (parse_u64(text, &ms) == 0 && ms <= INT64_MAX) {
		*ret_ms = (int64_t)ms;
	} else {
		respond_invalid(request, name, "a time (2026-11-22T10:00:00Z), or milliseconds since the epoch");
		return 1;
	}
	/* 0 is open in a filter. */
	*ret_ms = MAX_OF(*ret_ms, (int64_t)1);
	return 0;
}

static int read_outcome(struct request *request, enum leaf_outcome *ret)
{
	const char *text = request_query(request, "outcome");

	if (!text)
		return 0;
	if (strcmp(text, "success") == 0) {
		*ret = LEAF_SUCCESS;
	} else if (strcmp(text, "failure") == 0) {
		*ret = LEAF_FAILURE;
	} else {
		respond_invalid(request, "outcome", "success or failure");
		return 1;
	}
	return 0;
}

int audit_view_filter(struct request *request, struct audit_filter *ret)
{
	const char *class_uid = request_query(request, "class");

	*ret = (struct audit_filter){
		.actor = request_query(request, "actor"),
		.project_id = request_query(request, "project"),
		.host_id = request_query(request, "host"),
		.kind = request_query(request, "kind"),
		.event_id = request_query(request, "id"),
		.person = request_query(request, "person"),
	};
	if (class_uid && (parse_u32(class_uid, &ret->class_uid) < 0 || ret->class_uid == 0)) {
		respond_invalid(request, "class", "the number of an OCSF class, such as 3002");
		return 1;
	}
	if (read_time(request, "since", &ret->since_ms) != 0 || read_time(request, "until", &ret->until_ms) != 0)
		return 1;
	return read_outcome(request, &ret->outcome);
}

/* ---- transactions ---------------------------------------------------------------------------------------------------
 */

static struct db_scope scope_of(const char *log_id, bool writes)
{
	return (struct db_scope){.tenant_id = *log_id ? log_id : NULL, .platform = !*log_id, .read_only = !writes};
}

/* One connection at a time: who holds one and waits for another may wait for those who do the same. */
static void end(struct request *request)
{
	if (request->tx)
		db_rollback(TAKE_PTR(request->tx));
}

static int begin(struct request *request, const char *log_id)
{
	const struct db_scope scope = scope_of(log_id, false);

	return db_begin(request->app->db, &scope, &request->tx);
}

int audit_view_refresh(struct request *request, const char *log_id)
{
	int r;

	end(request);
	r = sequence_now(request->app, log_id);
	return r < 0 ? r : begin(request, log_id);
}

/* ---- who reads ------------------------------------------------------------------------------------------------------
 */

static struct {
	pthread_mutex_t lock;
	struct {
		uint64_t hash, at_usec;
	} slots[TOLD_SLOTS];
} told = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* What is asked for, without which page of it. */
static json_t *filter_of(const struct request *request)
{
	json_t *filter = json_object(), *value;
	const char *name;

	json_object_foreach(request->query, name,
			    value) if (filter && strcmp(name, "limit") != 0 && strcmp(name, "cursor") != 0)
	{
		if (json_object_set(filter, name, value) < 0) {
			json_decref(filter);
			return NULL;
		}
	}
	return filter;
}

static bool told_lately(uint64_t hash, uint64_t now)
{
	bool lately;

	pthread_mutex_lock(&told.lock);
	lately = told.slots[hash % TOLD_SLOTS].hash == hash && told.slots[hash % TOLD_SLOTS].at_usec + TOLD_USEC > now;
	pthread_mutex_unlock(&told.lock);
	return lately;
}

static void note_told(uint64_t hash, uint64_t now)
{
	pthread_mutex_lock(&told.lock);
	told.slots[hash % TOLD_SLOTS].hash = hash;
	told.slots[hash % TOLD_SLOTS].at_usec = now;
	pthread_mutex_unlock(&told.lock);
}

static int write_told(struct request *request, const char *told_in, const char *what, const char *kind, json_t *filter)
{
	const struct db_scope scope = scope_of(told_in, true);
	_cleanup_(json_decrefp) json_t *data = json_pack("{s:O}", "filter", filter);
	int r = data ? db_begin(request->app->db, &scope, &request->tx) : -ENOMEM;

	if (r == 0)
		r = events_put(request, request->tx, told_in, kind, what, data);
	if (r == 0)
		r = db_commit(TAKE_PTR(request->tx));
	if (r == 0)
		audit_log_wake(request->app, told_in);
	end(request);
	return r;
}

int audit_view_tell(struct request *request, const char *log_id, const char *kind)
{
	return audit_view_tell_in(request, log_id, log_id, kind);
}

int audit_view_tell_in(struct request *request, const char *told_in, const char *log_id, const char *kind)
{
	_cleanup_(json_decrefp) json_t *filter = filter_of(request);
	_cleanup_(freep) char *words = filter ? json_dumps(filter, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	const char *key =
		words ? request_text(request, "%s\n%s\n%s\n%s", kind, log_id, request->principal.id, words) : NULL;
	uint64_t now = clock_boottime_usec(), hash;
	int r = 0;

	if (!key)
		return -ENOMEM;
	hash = hash_text(key);
	end(request);
	if (!told_lately(hash, now)) {
		r = write_told(request, told_in, log_id, kind, filter);
		if (r == 0)
			note_told(hash, now);
	}
	return r < 0 ? r : begin(request, log_id);
}

/* ---- entries --------------------------------------------------------------------------------------------------------
 */

struct path {
	const char *names[3];
};
static const json_t *at(const json_t *event, const struct path *path)
{
	for (size_t i = 0; i < ARRAY_LEN(path->names) && path->names[i]; i++)
		event = json_object_get(event, path->names[i]);
	return event;
}

/* The first of these that the event has; "" where it has none. */
static void put_first(json_t *view, const char *name, const json_t *event, const struct path *paths, size_t count)
{
	const json_t *value = NULL;

	for (size_t i = 0; i < count && !value; i++)
		value = at(event, &paths[i]);
	(void)json_object_set_new(view, name, value ? json_incref((json_t *)(uintptr_t)value) : json_string(""));
}
#define PUT_FIRST(view, name, event, ...)                                      \
	put_first((view), (name), (event), (const struct path[]){__VA_ARGS__}, \
		  ARRAY_LEN(((const struct path[]){__VA_ARGS__})))

static void put_erased(json_t *view, const struct audit_row *row)
{
	json_t *list = row->erased_count > 0 ? json_array() : NULL;

	for (uint32_t i = 0; list && i < row->erased_count; i++)
		(void)json_array_append_new(list, json_string(row->erased[i]));
	if (list)
		(void)json_object_set_new(view, "erased", list);
}

json_t *audit_view_entry(const struct audit_row *row)
{
	static const char *const outcomes[] = {"unknown", "success", "failure"};
	const json_t *event = row->event, *data = at(event, &(struct path){{"unmapped", "data"}});
	json_int_t status = json_integer_value(json_object_get(event, "status_id"));
	json_t *view = json_pack("{s:s, s:I, s:f, s:f, s:s, s:s, s:O?, s:i}", "id", row->event_id, "index",
				 (json_int_t)row->index, "at", (double)row->time_ms / 1000, "logged_at",
				 (double)row->at_ms / 1000, "kind", row->kind, "outcome",
				 outcomes[status == 1 || status == 2 ? status : 0], "class",
				 json_object_get(event, "class_uid"), "severity", (int)row->severity_id);

	if (!view)
		return NULL;
	PUT_FIRST(view, "actor", event, {{"actor", "user", "uid"}}, {{"actor", "user", "name"}}, {{"user", "uid"}});
	if (text_equal(json_string_value(json_object_get(view, "actor")), EVENT_OWN_ACTOR))
		(void)json_object_set_new(view, "actor", json_string(""));
	PUT_FIRST(view, "credential", event, {{"unmapped", "credential"}}, {{"user", "credential_uid"}},
		  {{"actor", "user", "credential_uid"}});
	PUT_FIRST(view, "source", event, {{"src_endpoint", "ip"}}, {{"src_endpoint", "hostname"}},
		  {{"src_endpoint", "name"}});
	PUT_FIRST(view, "request_id", event, {{"metadata", "correlation_uid"}});
	PUT_FIRST(view, "target", event, {{"unmapped", "target"}}, {{"unmapped", "record_id"}});
	PUT_FIRST(view, "project", event, {{"unmapped", "project_id"}});
	(void)json_object_set_new(view, "host", json_string(row->host_id));
	(void)json_object_set_new(view, "host_name", json_string(row->host_name));
	(void)json_object_set_new(view, "data", data ? json_incref((json_t *)(uintptr_t)data) : json_object());
	put_erased(view, row);
	(void)json_object_set(view, "event", row->event);
	return view;
}
